// Named tensors <-> one file in the safetensors format (8-byte little-endian header length, JSON header, raw little-endian data), which
// Python's `safetensors` package reads too. Sizes and offsets are checked before anything is read; no code can hide in such a file.
import { LabError } from '../../shared/contract/errors.ts';

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

const headerLimit = 100_000_000;
const dtypes = { F32: Float32Array, I32: Int32Array } as const;

/** Header and data as chunks in file order; the data chunks are views, not copies. Metadata values are strings, as the format demands. */
export function encodeTensors(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>> = {}): Uint8Array[] {
  let offset = 0;
  const entries: Record<string, unknown> = { __metadata__: metadata };
  for (const tensor of tensors) {
    const end = offset + tensor.data.byteLength;
    entries[tensor.name] = { dtype: tensor.data instanceof Int32Array ? 'I32' : 'F32', shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const padding = (8 - (json.length % 8)) % 8;
  const header = new Uint8Array(8 + json.length + padding).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(json.length + padding), true);
  header.set(json, 8);
  return [header, ...tensors.map((tensor) => new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength))];
}

/** Reads the whole file; throws LabError('bad_input') naming what is wrong when it is truncated or not of this format. */
export function decodeTensors(bytes: Uint8Array, file: string): { tensors: NamedTensor[]; metadata: Record<string, string> } {
  const fail = (expected: string, received: string): LabError =>
    new LabError('bad_input', `${file} is not a readable safetensors file.`, { expected, received, help: 'Use an undamaged file.' });
  if (bytes.length < 8) throw fail('at least 8 bytes', `${bytes.length} bytes`);
  const headerLength = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (headerLength > headerLimit || headerLength + 8 > bytes.length) throw fail('a header that fits in the file', `${headerLength} bytes`);
  const header = parseHeader(bytes.subarray(8, 8 + headerLength), fail);
  const start = 8 + headerLength;
  const tensors: NamedTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      metadata = readMetadata(entry, fail);
      continue;
    }
    const { dtype, shape, begin, end } = readEntry(name, entry, fail);
    const count = shape.reduce((product, size) => product * size, 1);
    if (end - begin !== count * 4 || begin < 0 || start + end > bytes.length)
      throw fail(`${count * 4} bytes for ${name}`, `${end - begin}`);
    const data = new dtypes[dtype](count);
    new Uint8Array(data.buffer).set(bytes.subarray(start + begin, start + end));
    tensors.push({ name, shape, data });
  }
  return { tensors, metadata };
}

type Fail = (expected: string, received: string) => LabError;

function parseHeader(bytes: Uint8Array, fail: Fail): object {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof header === 'object' && header !== null && !Array.isArray(header)) return header;
  } catch {
    throw fail('a JSON header', 'something else');
  }
  throw fail('a JSON object as header', 'another value');
}

function readMetadata(entry: unknown, fail: Fail): Record<string, string> {
  if (typeof entry !== 'object' || entry === null) throw fail('an object as metadata', typeof entry);
  return Object.fromEntries(Object.entries(entry).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}

function readEntry(name: string, entry: unknown, fail: Fail): { dtype: keyof typeof dtypes; shape: number[]; begin: number; end: number } {
  if (typeof entry === 'object' && entry !== null && 'dtype' in entry && 'shape' in entry && 'data_offsets' in entry) {
    const { dtype, shape, data_offsets: offsets } = entry;
    const [begin, end] = isCounts(offsets) ? offsets : [];
    if ((dtype === 'F32' || dtype === 'I32') && isCounts(shape) && begin !== undefined && end !== undefined)
      return { dtype, shape, begin, end };
    throw fail(`dtype F32 or I32, a shape and two offsets for ${name}`, JSON.stringify(entry).slice(0, 200));
  }
  throw fail(`dtype, shape and data_offsets for ${name}`, JSON.stringify(entry).slice(0, 200));
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && Number(item) >= 0);
}
