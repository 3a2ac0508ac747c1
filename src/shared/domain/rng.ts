// Random numbers as a pure function of (seed, purpose, up to three numbers): Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random
// numbers: as easy as 1, 2, 3" (2011). The key is [seed, FNV-1a of the purpose], the counter [block, first, second, third], so streams that
// differ in any of them never overlap and nothing has to be stored to continue one.
import { LabError } from '../contract/errors.ts';

const twoTo32 = 0x1_0000_0000;
const rounds = 10;

type Words = readonly [number, number, number, number];

/** One block of 128 random bits as four unsigned 32-bit words; matches Random123's philox4x32_R(10, ...). */
export function philox(counter: Words, key: readonly [number, number]): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round += 1) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Upper 32 bits of a 32 x 32 bit product, from 16-bit halves because a double holds only 53 bits. */
function multiplyHigh(a: number, b: number): number {
  const a1 = a >>> 16;
  const a0 = a & 0xffff;
  const b1 = b >>> 16;
  const b0 = b & 0xffff;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const other = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (other >>> 16);
}

/** A cursor over one stream; two cursors made with the same arguments give the same numbers. */
export interface RandomStream {
  /** Unsigned 32-bit integer. */
  readonly word: () => number;
  /** 53 random bits in [0, 1). */
  readonly uniform: () => number;
  /** Mean 0, standard deviation 1 (Box and Muller). */
  readonly normal: () => number;
  /** Unbiased integer in [0, below), below at most 2^32. */
  readonly integer: (below: number) => number;
  /** Numbers 0..count-1 in random order (Fisher and Yates). */
  readonly permutation: (count: number) => Uint32Array;
}

/** `first` to `third` tell streams of one purpose apart, for example phase and epoch; each counts modulo 2^32. */
export function createStream(seed: number, purpose: string, first = 0, second = 0, third = 0): RandomStream {
  const key = [seed >>> 0, hashText(purpose)] as const;
  let block: Words = [0, 0, 0, 0];
  let blockCount = 0;
  let used = 4;
  let spare: number | null = null;

  function word(): number {
    if (used === 4) {
      block = philox([blockCount >>> 0, first >>> 0, second >>> 0, third >>> 0], key);
      blockCount += 1;
      used = 0;
    }
    const value = block[used] ?? 0;
    used += 1;
    return value;
  }

  function uniform(): number {
    return ((word() >>> 5) * 0x400_0000 + (word() >>> 6)) / 0x20_0000_0000_0000;
  }

  function normal(): number {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  function integer(below: number): number {
    if (!Number.isInteger(below) || below < 1 || below > twoTo32) {
      throw new LabError('internal', 'A random integer was asked from an impossible range.', {
        expected: 'a whole number from 1 to 4294967296',
        received: String(below),
      });
    }
    // Words above the last full multiple would favour small results.
    const limit = twoTo32 - (twoTo32 % below);
    let value = word();
    while (value >= limit) value = word();
    return value % below;
  }

  function permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let last = count - 1; last > 0; last -= 1) {
      const chosen = integer(last + 1);
      const value = order[last] ?? 0;
      order[last] = order[chosen] ?? 0;
      order[chosen] = value;
    }
    return order;
  }

  return { word, uniform, normal, integer, permutation };
}

/** Two signed 32-bit numbers for the seed input of TensorFlow's stateless random ops. */
export function deriveSeedPair(seed: number, purpose: string, first = 0, second = 0, third = 0): [number, number] {
  const stream = createStream(seed, purpose, first, second, third);
  return [stream.word() | 0, stream.word() | 0];
}

/** 32-bit FNV-1a over UTF-16 code units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
