/**
 * A restricted reader for Python pickles, protocols 0 to 2 and what 3 and 4 add for the same data.
 *
 * A pickle is a program. This reader knows the opcodes that build plain data; the only calls it grants are those of pickleValues.ts, and
 * it performs them itself. Nesting, stack and memo have budgets (pickleMachine.ts). Anything else is refused with the offset.
 */
import { MARK, PickleMachine } from './pickleMachine.ts';
import { PickleDict, type PickleValue } from './pickleValues.ts';

type Operation = (machine: PickleMachine) => void;

const STOP = 0x2e;

/** Reads one pickle; `place` names the file in errors. Throws `bad_input`, never runs code of the pickle. */
export function readPickle(bytes: Buffer, place: string): PickleValue {
  const machine = new PickleMachine(bytes, place);
  for (;;) {
    const offset = machine.position;
    const code = machine.byte();
    if (code === STOP) return machine.pop();
    const operation = operations.get(code);
    if (operation === undefined) {
      const shown = `opcode 0x${code.toString(16)} at byte ${offset}`;
      throw machine.error('uses a pickle operation that data do not need', 'plain data of protocols 0 to 4', shown);
    }
    operation(machine);
  }
}

// Opcode letters as in Python's Lib/pickle.py.
const operations = new Map<number, Operation>(
  Object.entries<Operation>({
    '\x80': (m) => checkProtocol(m, m.byte()),
    '\x95': (m) => void m.take(8),
    '(': (m) => m.push(MARK),
    '0': (m) => void m.pop(),
    '1': (m) => void m.popToMark(),
    '2': (m) => m.push(m.peek()),
    N: (m) => m.push(null),
    '\x88': (m) => m.push(true),
    '\x89': (m) => m.push(false),
    I: (m) => m.push(integerOrBoolean(m)),
    L: (m) => m.push(m.integerLine()),
    J: (m) => m.push(m.take(4).readInt32LE(0)),
    K: (m) => m.push(m.byte()),
    M: (m) => m.push(m.take(2).readUInt16LE(0)),
    '\x8a': (m) => m.longInteger(m.byte()),
    '\x8b': (m) => m.longInteger(m.take(4).readUInt32LE(0)),
    G: (m) => m.push(m.take(8).readDoubleBE(0)),
    S: (m) => m.push(Buffer.from(m.quoted(), 'latin1')),
    T: (m) => m.push(m.take(m.take(4).readInt32LE(0))),
    U: (m) => m.push(m.take(m.byte())),
    B: (m) => m.push(m.take(m.take(4).readUInt32LE(0))),
    C: (m) => m.push(m.take(m.byte())),
    '\x8e': (m) => m.push(m.takeLong()),
    V: (m) => m.push(m.unicodeLine()),
    X: (m) => m.push(m.take(m.take(4).readUInt32LE(0)).toString('utf8')),
    '\x8c': (m) => m.push(m.take(m.byte()).toString('utf8')),
    '\x8d': (m) => m.push(m.takeLong().toString('utf8')),
    ']': (m) => m.push([]),
    l: (m) => pushList(m),
    a: (m) => m.append([m.pop()]),
    e: (m) => m.append(m.popToMark()),
    ')': (m) => m.tuple([]),
    t: (m) => m.tuple(m.popToMark()),
    '\x85': (m) => m.tuple([m.pop()]),
    '\x86': (m) => m.tuple([m.pop(), m.pop()].reverse()),
    '\x87': (m) => m.tuple([m.pop(), m.pop(), m.pop()].reverse()),
    '}': (m) => m.push(new PickleDict()),
    d: (m) => pushDict(m),
    s: (m) => m.setItems([m.pop(), m.pop()].reverse()),
    u: (m) => m.setItems(m.popToMark()),
    p: (m) => m.remember(m.integerLine()),
    q: (m) => m.remember(m.byte()),
    r: (m) => m.remember(m.take(4).readUInt32LE(0)),
    '\x94': (m) => m.memoize(),
    g: (m) => m.recall(m.integerLine()),
    h: (m) => m.recall(m.byte()),
    j: (m) => m.recall(m.take(4).readUInt32LE(0)),
    c: (m) => m.global(m.line(), m.line()),
    '\x93': (m) => m.stackGlobal(),
    R: (m) => m.reduce(),
    b: (m) => m.build(),
  }).map(([letter, operation]) => [letter.charCodeAt(0), operation]),
);

function checkProtocol(machine: PickleMachine, protocol: number): void {
  if (protocol > 4) throw machine.error('is a pickle of an unknown protocol', 'protocol 0 to 4', String(protocol));
}

function integerOrBoolean(machine: PickleMachine): number | boolean {
  const text = machine.line();
  if (text === '00') return false;
  if (text === '01') return true;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw machine.error('is a damaged pickle', 'a whole number', JSON.stringify(text.slice(0, 40)));
  return Number(text);
}

function pushList(machine: PickleMachine): void {
  const items = machine.popToMark();
  machine.push([]);
  machine.append(items);
}

function pushDict(machine: PickleMachine): void {
  const items = machine.popToMark();
  machine.push(new PickleDict());
  machine.setItems(items);
}
