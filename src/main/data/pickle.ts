/**
 * A restricted reader for Python pickles, protocols 0 to 2 and what protocol 4 adds for the same data.
 *
 * A pickle is a program. This reader knows the opcodes that build plain data; the only calls it grants are those of pickleValues.ts, and
 * it performs them itself. Every length is checked against the bytes that are there before anything is allocated, and nesting, stack
 * and memo have budgets. Anything else is refused with the offset.
 */
import {
  applyGlobal,
  buildState,
  describeValue,
  PickleDict,
  pickleError,
  PickleTuple,
  type PickleValue,
  resolveGlobal,
  textOf,
} from './pickleValues.ts';

const DEEPEST_NESTING = 16;
const LARGEST_STACK = 200_000;
const LARGEST_MEMO = 1_000_000;
const LONGEST_LINE = 4096;
const LONGEST_TEXT = 2 ** 26;
const MARK = Symbol('mark');

type StackItem = PickleValue | typeof MARK;
type Operation = (machine: PickleMachine) => void;

/** Reads one pickle; `place` names the file in errors. Throws `bad_input`, never runs code of the pickle. */
export function readPickle(bytes: Buffer, place: string): PickleValue {
  return new PickleMachine(bytes, place).run();
}

class PickleMachine {
  readonly #bytes: Buffer;
  readonly #place: string;
  readonly #stack: StackItem[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #depths = new WeakMap<object, number>();
  #position = 0;

  constructor(bytes: Buffer, place: string) {
    this.#bytes = bytes;
    this.#place = place;
  }

  run(): PickleValue {
    for (;;) {
      const offset = this.#position;
      const code = this.byte();
      if (code === STOP) return this.pop();
      const operation = operations.get(code);
      if (operation === undefined) {
        const shown = `opcode 0x${code.toString(16)} at byte ${offset}`;
        throw this.error('uses a pickle operation that data do not need', 'plain data of protocols 0 to 4', shown);
      }
      operation(this);
    }
  }

  error(what: string, expected: string, received: string): Error {
    return pickleError(this.#place, what, expected, received);
  }

  byte(): number {
    return this.take(1).readUInt8(0);
  }

  /** A view of the next bytes; the length is checked, nothing is copied. */
  take(length: number): Buffer {
    const left = this.#bytes.length - this.#position;
    if (length < 0 || length > left)
      throw this.error('is a damaged pickle', `at most ${left} more bytes at byte ${this.#position}`, `a length of ${length}`);
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }

  takeLong(): Buffer {
    const length = this.take(8).readBigUInt64LE(0);
    return this.take(length > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(length));
  }

  line(longest = LONGEST_LINE): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0 || end - this.#position > longest)
      throw this.error('is a damaged pickle', `a line of at most ${longest} bytes`, 'a longer one');
    const text = this.take(end - this.#position).toString('latin1');
    this.#position++;
    return text;
  }

  integerLine(): number {
    const text = this.line().replace(/L$/, '');
    if (!/^[+-]?\d{1,15}$/.test(text)) throw this.error('is a damaged pickle', 'a whole number', JSON.stringify(text.slice(0, 40)));
    return Number(text);
  }

  push(value: StackItem): void {
    if (this.#stack.length >= LARGEST_STACK) throw this.error('piles up too many values', `at most ${LARGEST_STACK}`, 'more');
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.error('is a damaged pickle', `a value before byte ${this.#position}`, 'none');
    return value;
  }

  peek(): PickleValue {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  popToMark(): PickleValue[] {
    const start = this.#stack.lastIndexOf(MARK);
    if (start < 0) throw this.error('is a damaged pickle', `a mark before byte ${this.#position}`, 'none');
    return this.#stack.splice(start).filter((item) => item !== MARK);
  }

  remember(key: number): void {
    if (this.#memo.size >= LARGEST_MEMO || key < 0) throw this.error('remembers too many values', `at most ${LARGEST_MEMO}`, 'more');
    this.#memo.set(key, this.peek());
  }

  memoize(): void {
    this.remember(this.#memo.size);
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw this.error('is a damaged pickle', 'a reference to an earlier value', `number ${key}`);
    this.push(value);
  }

  /** Notes that `container` now holds `items` and enforces the nesting budget. */
  nest(container: object, items: readonly PickleValue[]): void {
    const inner = items.reduce<number>((deepest, item) => Math.max(deepest, this.#depthOf(item)), 0);
    const depth = Math.max(this.#depths.get(container) ?? 1, inner + 1);
    if (depth > DEEPEST_NESTING) throw this.error('is nested too deeply', `at most ${DEEPEST_NESTING} levels`, 'more');
    this.#depths.set(container, depth);
  }

  tuple(items: readonly PickleValue[]): void {
    const tuple = new PickleTuple(items);
    this.nest(tuple, items);
    this.push(tuple);
  }

  append(items: readonly PickleValue[]): void {
    const list = this.peek();
    if (!Array.isArray(list)) throw this.error('is a damaged pickle', 'a list to append to', describeValue(list));
    this.nest(list, items);
    for (const item of items) list.push(item);
  }

  setItems(items: readonly PickleValue[]): void {
    const dict = this.peek();
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0)
      throw this.error('is a damaged pickle', 'pairs for a dictionary', describeValue(dict));
    this.nest(dict, items);
    for (let index = 0; index < items.length; index += 2) {
      const key = textOf(items[index] ?? null, this.#place);
      if (dict.entries.has(key)) throw this.error('has the same key twice', 'different keys', JSON.stringify(key));
      dict.entries.set(key, items[index + 1] ?? null);
    }
  }

  global(module: string, name: string): void {
    this.push(resolveGlobal(`${module}.${name}`, this.#place));
  }

  stackGlobal(): void {
    const name = textOf(this.pop(), this.#place);
    this.global(textOf(this.pop(), this.#place), name);
  }

  reduce(): void {
    const argument = this.pop();
    this.push(applyGlobal(this.pop(), argument, this.#place));
  }

  build(): void {
    const state = this.pop();
    buildState(this.peek(), state, this.#place);
  }

  /** Text in Python's repr, with the escapes that protocol 0 uses. */
  quoted(): string {
    const text = this.line(LONGEST_TEXT);
    if (text.length < 2 || !/^['"]/.test(text) || !text.startsWith(text.slice(-1))) {
      throw this.error('is a damaged pickle', 'a quoted text', JSON.stringify(text.slice(0, 40)));
    }
    return text.slice(1, -1).replace(/\\(x[0-9a-f]{2}|.)/g, (_, escape: string) => unescapeText(escape));
  }

  /** Text in Python's raw-unicode-escape. */
  unicodeLine(): string {
    return this.line(LONGEST_TEXT).replace(/\\u([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
  }

  longInteger(length: number): void {
    if (length > 8) throw this.error('holds an integer that data do not need', 'at most 8 bytes', `${length} bytes`);
    const bytes = this.take(length);
    let value = 0n;
    for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(length * 8, value);
    this.push(length === 0 ? 0 : Number(signed));
  }

  #depthOf(value: PickleValue): number {
    return typeof value === 'object' && value !== null ? (this.#depths.get(value) ?? 1) : 0;
  }
}

const STOP = 0x2e;

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

function unescapeText(escape: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return escape.length === 3 ? String.fromCharCode(parseInt(escape.slice(1), 16)) : (letters[escape] ?? escape);
}
