// What a restricted pickle may hold, and the only four things it may call: numpy's array and dtype reconstruction and _codecs.encode.
import { LabError } from '../../shared/contract/errors.ts';

export type PickleValue =
  null | boolean | number | bigint | string | Uint8Array | PickleValue[] | PickleTuple | PickleDict | PickleGlobal | NumpyType | NumpyArray;

/** Immutable in Python; kept apart from a list because calls take tuples only. */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A Map with text keys: Python 2 strings, Python 3 strings and bytes that spell the same are one key, given twice they are refused. */
export class PickleDict {
  readonly entries = new Map<string, PickleValue>();
}

export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export class NumpyType {
  readonly code: string;
  constructor(code: string) {
    this.code = code;
  }
}

/** An array of unsigned bytes in C order; `data` is null until its state was given. */
export class NumpyArray {
  shape: readonly number[] = [];
  data: Uint8Array | null = null;
}

const RECONSTRUCT = ['numpy.core.multiarray._reconstruct', 'numpy._core.multiarray._reconstruct'];
const ALLOWED = new Set([...RECONSTRUCT, 'numpy.ndarray', 'numpy.dtype', '_codecs.encode']);

/** The global called `name`; throws `bad_input` naming it unless it is one of the few that data need. */
export function resolveGlobal(name: string, place: string): PickleGlobal {
  if (ALLOWED.has(name)) return new PickleGlobal(name);
  throw pickleError(
    place,
    'would run code while it is read',
    `only ${[...ALLOWED].join(', ')}`,
    `a reference to ${JSON.stringify(name.slice(0, 100))}`,
  );
}

/** Applies an allowed global to its arguments without any code of the pickle. */
export function applyGlobal(callee: PickleValue, argument: PickleValue, place: string): PickleValue {
  const items = argument instanceof PickleTuple ? argument.items : [];
  if (callee instanceof PickleGlobal) {
    if (RECONSTRUCT.includes(callee.name) && items[0] instanceof PickleGlobal && items[0].name === 'numpy.ndarray') return new NumpyArray();
    if (callee.name === 'numpy.dtype') return new NumpyType(textOf(items[0] ?? null, place));
    if (callee.name === '_codecs.encode') return encodeLatin1(items, place);
  }
  throw pickleError(place, 'calls something in a way that data never do', 'the reconstruction of an array', describeValue(callee));
}

/** Gives state to an array or type; throws `bad_input` unless it is an array of bytes in C order whose size fits its shape. */
export function buildState(target: PickleValue, state: PickleValue, place: string): void {
  if (target instanceof NumpyType) return;
  if (!(target instanceof NumpyArray) || !(state instanceof PickleTuple)) {
    throw pickleError(place, 'gives state to something that is no array', 'an array of numpy', describeValue(target));
  }
  const [, shape, type, isFortran, data] = state.items;
  const sizes = shape instanceof PickleTuple ? shape.items.map((size) => (typeof size === 'number' ? size : -1)) : [-1];
  const bytes = data instanceof Uint8Array ? data : null;
  const elements = sizes.reduce((product, size) => product * size, 1);
  const isPlain = type instanceof NumpyType && /^[|]?u1$/.test(type.code) && (isFortran === false || isFortran === 0);
  if (!isPlain || bytes === null || sizes.some((size) => size < 0 || !Number.isSafeInteger(size)) || elements !== bytes.length) {
    const received = `${type instanceof NumpyType ? type.code : describeValue(type ?? null)} [${sizes.join(', ')}] with ${bytes?.length ?? 0} bytes`;
    throw pickleError(
      place,
      'holds an array of another kind than pictures',
      'unsigned bytes (u1) in C order, as many as the shape says',
      received,
    );
  }
  target.shape = sizes;
  target.data = bytes;
}

/** Text of a Python 2 string, Python 3 string or bytes; throws `bad_input` for anything else. */
export function textOf(value: PickleValue, place: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array && value.length <= 4096) return Buffer.from(value).toString('latin1');
  throw pickleError(place, 'has something else where a short text belongs', 'a text', describeValue(value));
}

export function pickleError(place: string, what: string, expected: string, received: string): LabError {
  return new LabError('bad_input', `${place} ${what}.`, {
    expected,
    received,
    help: 'Nothing of it was run. Use the original archive from the CIFAR-10 page of the University of Toronto.',
  });
}

export function describeValue(value: PickleValue): string {
  if (value === null) return 'None';
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return value.constructor.name;
  return `${typeof value} ${String(value).slice(0, 40)}`;
}

function encodeLatin1(items: readonly PickleValue[], place: string): Uint8Array {
  const [text, encoding] = items;
  if (typeof text !== 'string' || !/^latin-?1$/.test(textOf(encoding ?? null, place))) {
    throw pickleError(place, 'encodes text in an unexpected way', 'latin1', describeValue(encoding ?? null));
  }
  return Buffer.from(text, 'latin1');
}
