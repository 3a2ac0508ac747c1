// Random streams and the splits drawn from them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LabError } from '../src/shared/contract/errors.ts';
import { splitSchema } from '../src/shared/contract/schema.ts';
import { createStream, deriveSeedPair, philox } from '../src/shared/domain/rng.ts';
import { apportion, epochOrder, makeSplit, selectClasses } from '../src/shared/domain/split.ts';

describe('philox', () => {
  // Known answers of Random123 1.14 (tests/kat_vectors, philox4x32 with 10 rounds).
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const)('answers as Random123 to %j', (counter, key, expected) => {
    expect(philox(counter, key)).toEqual(expected);
  });
});

describe('random streams', () => {
  it('depend on seed, purpose and every number, and on nothing else', () => {
    const first = (...parts: Parameters<typeof createStream>): number => createStream(...parts).word();
    const words = [first(1, 'a'), first(2, 'a'), first(1, 'b'), first(1, 'a', 1), first(1, 'a', 0, 1), first(1, 'a', 0, 0, 1)];
    expect(new Set(words).size).toBe(words.length);
    expect(first(1, 'a', 2, 3, 4)).toBe(first(1, 'a', 2, 3, 4));
  });

  it('give the same numbers for ever', () => {
    const stream = createStream(42, 'test', 1, 2, 3);
    expect([stream.word(), stream.word(), stream.integer(1000)]).toMatchInlineSnapshot(`
      [
        3483786954,
        1559080704,
        942,
      ]
    `);
    expect([stream.uniform(), stream.normal()]).toMatchInlineSnapshot(`
      [
        0.0727412373325137,
        1.5456663204472254,
      ]
    `);
    expect([...createStream(42, 'test').permutation(8)]).toMatchInlineSnapshot(`
      [
        4,
        1,
        0,
        3,
        7,
        6,
        2,
        5,
      ]
    `);
    expect(deriveSeedPair(42, 'test')).toMatchInlineSnapshot(`
      [
        1573482149,
        -1593511978,
      ]
    `);
  });

  it('are uniform in [0, 1), standard normal, and unbiased below a bound', () => {
    const stream = createStream(7, 'distribution');
    const count = 100_000;
    const uniforms = Array.from({ length: count }, () => stream.uniform());
    const normals = Array.from({ length: count }, () => stream.normal());
    const mean = (values: number[]): number => values.reduce((total, value) => total + value, 0) / values.length;
    // Five standard errors.
    expect(Math.abs(mean(uniforms) - 0.5)).toBeLessThan((5 * Math.sqrt(1 / 12)) / Math.sqrt(count));
    expect(Math.min(...uniforms.slice(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniforms.slice(0, 50_000))).toBeLessThan(1);
    expect(Math.abs(mean(normals))).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(mean(normals.map((value) => value ** 2)) - 1)).toBeLessThan((5 * Math.SQRT2) / Math.sqrt(count));
    // Three quarters of 2^32: taking the remainder alone would give the lower third twice as often as the rest.
    const below = 3 * 2 ** 30;
    const low = Array.from({ length: count }, () => stream.integer(below)).filter((value) => value < below / 3).length;
    expect(Math.abs(low / count - 1 / 3)).toBeLessThan(5 * Math.sqrt(2 / 9 / count));
    expect(() => stream.integer(0)).toThrow(LabError);
    expect(stream.integer(2 ** 32)).toBeLessThan(2 ** 32);
  });

  it('permute: every number once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), fc.nat(), (count, seed) => {
        const order = createStream(seed, 'permutation').permutation(count);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
      }),
    );
  });

  it('order epochs anew by seed, phase and epoch', () => {
    const orders = [epochOrder(50, 1, 1, 0), epochOrder(50, 1, 2, 0), epochOrder(50, 1, 1, 1), epochOrder(50, 2, 1, 0)];
    expect(new Set(orders.map((order) => order.join())).size).toBe(4);
    expect(epochOrder(50, 1, 1, 0)).toEqual(orders[0]);
  });
});

const trainCount = 100;
const testCount = 20;
const classCount = 4;
/** 70 pictures of class 0, 15 of class 1, 10 of class 2, 5 of class 3, mixed; then 5 of each for testing. */
const labels = Uint16Array.from({ length: trainCount + testCount }, (_, index) => {
  if (index >= trainCount) return index % classCount;
  const place = (index * 37) % trainCount;
  return place < 70 ? 0 : place < 85 ? 1 : place < 95 ? 2 : 3;
});

/** Null when the split leaves a class without a picture to train with. */
function splitUnlessEmpty(changed: Parameters<typeof split>[0]): ReturnType<typeof split> | null {
  try {
    return split(changed);
  } catch (error) {
    if (error instanceof LabError && error.message.includes('without a picture to train with')) return null;
    throw error;
  }
}

function split(definition: unknown, counts = { trainCount, testCount }) {
  return makeSplit({ labels, classCount, ...counts, split: splitSchema.parse(definition) });
}

function countPerClass(indices: Uint32Array): number[] {
  return Array.from({ length: classCount }, (_, label) => indices.filter((index) => labels[index] === label).length);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

describe('makeSplit', () => {
  it('uses everything when nothing is held out, and the test set when it is watched', () => {
    const plain = split({});
    expect([[...plain.train], [...plain.validation], [...plain.test]]).toEqual([range(0, 100), [], range(100, 120)]);
    const watched = split({ validation: { type: 'testSet' } });
    expect(watched.validation).toEqual(watched.test);
    expect(watched.train).toEqual(plain.train);
  });

  it('holds out the first or the last pictures', () => {
    expect([...split({ validation: { type: 'count', count: 3, position: 'first' } }).validation]).toEqual([0, 1, 2]);
    expect([...split({ validation: { type: 'count', count: 3, position: 'last' } }).validation]).toEqual([97, 98, 99]);
  });

  it('stratifies in proportion and repeats for a seed', () => {
    const tenth = { validation: { type: 'fraction', fraction: 0.2 } };
    const first = split(tenth);
    expect(countPerClass(first.validation)).toEqual([14, 3, 2, 1]);
    expect(split(tenth)).toEqual(first);
    expect(split({ ...tenth, seed: 1 }).validation).not.toEqual(first.validation);
    const place = { type: 'count', count: 20, position: 'first', stratified: true };
    const firstOfEach = split({ validation: place }).validation;
    expect([...firstOfEach].filter((index) => labels[index] === 3)).toEqual([labels.indexOf(3)]);
  });

  it('takes the test set from all pictures when the dataset has none of its own', () => {
    const held = split({ test: { type: 'fraction', fraction: 0.25 }, validation: { type: 'count', count: 6 } });
    expect([held.train.length, held.validation.length, held.test.length]).toEqual([84, 6, 30]);
    expect([...held.train, ...held.validation, ...held.test].sort((a, b) => a - b)).toEqual(range(0, 120));
    const counted = split({ test: { type: 'count', count: 24, stratified: true } });
    expect(countPerClass(counted.test)).toEqual([15, 4, 3, 2]);
  });

  it('deals folds that cover everything once, balanced per class', () => {
    const folds = range(0, 5).map((fold) => split({ validation: { type: 'fold', folds: 5, fold } }).validation);
    expect(folds.flatMap((fold) => [...fold]).sort((a, b) => a - b)).toEqual(range(0, 100));
    expect(folds.map(countPerClass)).toEqual(folds.map(() => [14, 3, 2, 1]));
  });

  it('limits the training set, stratified, after the split', () => {
    const limited = split({ validation: { type: 'fraction', fraction: 0.2 }, trainLimit: 16 });
    expect(countPerClass(limited.train)).toEqual([11, 2, 2, 1]);
    expect(limited.train.some((index) => limited.validation.includes(index))).toBe(false);
  });

  it('refuses a split that leaves a class without training pictures', () => {
    const rare = range(0, trainCount).filter((index) => labels[index] === 3);
    const asked = (): unknown => split({ validation: { type: 'indices', indices: rare } });
    expect(asked).toThrow(
      expect.objectContaining({ code: 'bad_recipe', message: 'The split leaves class 3 without a picture to train with.' }),
    );
  });

  it('keeps parts apart, whatever is asked', () => {
    const validation = fc.oneof(
      fc.record({ type: fc.constant('fraction'), fraction: fc.double({ min: 0.05, max: 0.5, noNaN: true }), stratified: fc.boolean() }),
      fc.record({
        type: fc.constant('count'),
        count: fc.integer({ min: 1, max: 40 }),
        position: fc.constantFrom('first', 'last', 'random'),
        stratified: fc.boolean(),
      }),
      fc.record({ type: fc.constant('fold'), folds: fc.constant(4), fold: fc.integer({ min: 0, max: 3 }), stratified: fc.boolean() }),
    );
    fc.assert(
      fc.property(validation, fc.integer({ min: 0, max: 1000 }), fc.boolean(), (holdout, seed, hasOwnTest) => {
        const test = hasOwnTest ? { type: 'ownTestSet' } : { type: 'count', count: 20 };
        const parts = splitUnlessEmpty({ test, validation: holdout, seed });
        // Five pictures of a class may all be held out when nothing asks for strata; that is refused, as another test shows.
        fc.pre(parts !== null);
        const all = [...parts.train, ...parts.validation, ...parts.test];
        expect([...all].sort((a, b) => a - b)).toEqual(range(0, 120));
        for (const part of [parts.train, parts.validation, parts.test]) expect([...part]).toEqual([...part].sort((a, b) => a - b));
      }),
    );
  });

  it.each([
    ['no own test set', {}, /no test pictures of its own/, { trainCount: 120, testCount: 0 }],
    ['a test set of everything', { test: { type: 'count', count: 120 } }, /test set cannot be held out of 120/],
    ['a count that is too large', { validation: { type: 'count', count: 100 } }, /validation set cannot be held out of 100/],
    ['a fraction of nothing', { validation: { type: 'fraction', fraction: 0.001 } }, /cannot be held out/],
    ['a fold that does not exist', { validation: { type: 'fold', folds: 3, fold: 3 } }, /a fold that does not exist/],
    ['a picture twice', { validation: { type: 'indices', indices: [4, 5, 4] } }, /names a picture twice/],
    ['a picture that does not exist', { validation: { type: 'indices', indices: [4, 120] } }, /does not exist/],
    ['a picture of the test set', { validation: { type: 'indices', indices: [4, 100] } }, /picture of the test set/],
    [
      'a class without training pictures',
      { validation: { type: 'indices', indices: range(0, 100).filter((i) => labels[i] === 3) } },
      /class 3/,
    ],
    ['every picture for validation', { validation: { type: 'indices', indices: range(0, 100) } }, /no picture to train with/],
    ['a limit beyond the set', { trainLimit: 101 }, /larger than the training set/],
    ['a limit below the classes', { trainLimit: 3 }, /class without pictures/],
    ['a limit that rounds a class away', { trainLimit: 6 }, /leaves class 3 without/],
  ])('refuses %s', (_, definition, message, counts = { trainCount, testCount }) => {
    const call = (): unknown => split(definition, counts);
    expect(call).toThrow(message);
    expect(call).toThrow(expect.objectContaining({ code: 'bad_recipe', expected: expect.any(String) as string }));
  });

  it('refuses more folds than pictures', () => {
    const request = { labels: Uint16Array.of(0, 1, 0, 1, 0), trainCount: 4, testCount: 1, classCount: 2 };
    const folds = splitSchema.parse({ validation: { type: 'fold', folds: 5, fold: 0 } });
    expect(() => makeSplit({ ...request, split: folds })).toThrow(/more folds than pictures/);
  });
});

describe('class subsets', () => {
  it('keep the order and relabel in the order of the list', () => {
    const some = Uint16Array.of(0, 5, 6, 5, 9, 1);
    const selection = selectClasses(Uint32Array.of(0, 1, 2, 4, 5), some, [9, 5]);
    expect([[...selection.indices], [...selection.labels]]).toEqual([
      [1, 4],
      [1, 0],
    ]);
    expect([...selection.labelMap]).toEqual([
      [9, 0],
      [5, 1],
    ]);
  });

  it('null keeps everything', () => {
    const some = Uint16Array.of(0, 2, 1);
    const selection = selectClasses(Uint32Array.of(2, 1), some, null);
    expect([[...selection.indices], [...selection.labels]]).toEqual([
      [2, 1],
      [1, 2],
    ]);
  });

  it('share out by largest remainder', () => {
    expect(apportion([70, 15, 10, 5], 10)).toEqual([7, 2, 1, 0]);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 12 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (sizes, share) => {
          const all = sizes.reduce((total, size) => total + size, 0);
          const total = Math.floor(all * share);
          const shares = apportion(sizes, total);
          expect(shares.reduce((sum, value) => sum + value, 0)).toBe(total);
          shares.forEach((value, index) => expect(Math.abs(value - ((sizes[index] ?? 0) * total) / all)).toBeLessThan(1));
        },
      ),
    );
  });
});
