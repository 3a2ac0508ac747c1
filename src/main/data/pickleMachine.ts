/**
 * The state of a restricted pickle reader: position, stack, memo and their budgets. Every length is checked against the bytes that are
 * there before anything is allocated. Which opcode does what is pickle.ts.
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
export const MARK = Symbol('mark');

type StackItem = PickleValue | typeof MARK;

/** One reading of one pickle; `bytes` are viewed, not copied. */
export class PickleMachine {
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

  error(what: string, expected: string, received: string): Error {
    return pickleError(this.#place, what, expected, received);
  }

  get position(): number {
    return this.#position;
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

function unescapeText(escape: string): string {
  const letters: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return escape.length === 3 ? String.fromCharCode(parseInt(escape.slice(1), 16)) : (letters[escape] ?? escape);
}
