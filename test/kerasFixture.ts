// Reads the fixtures of scripts/fixtures and runs graphs on the real library, for the conformance tests of the engine.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { z } from 'zod';
import type { Executor, HostTensor, Session } from '../src/main/engine/executor.ts';
import type { Graph, Tensor, Variable } from '../src/main/engine/graph.ts';
import { openNativeExecutor } from '../src/main/engine/native.ts';
import { locateNativeRuntime } from '../src/main/nativeRuntime.ts';

export const placeSchema = z.strictObject({ offset: z.int().nonnegative(), shape: z.array(z.int().nonnegative()) });
export type Place = z.infer<typeof placeSchema>;

const originSchema = { madeBy: z.string(), versions: z.record(z.string(), z.string()), seed: z.int() };

export interface Fixture<Index> {
  readonly index: Index;
  /** The array that the index points to. */
  read(place: Place): HostTensor & { readonly data: Float32Array };
}

/** Loads test/fixtures/<folder>/<name>.json and .bin. */
export function openFixture<Shape extends z.ZodRawShape>(folder: string, name: string, shape: Shape) {
  const path = join(import.meta.dirname, 'fixtures', folder, name);
  const index = z.strictObject({ ...originSchema, ...shape }).parse(JSON.parse(readFileSync(`${path}.json`, 'utf8')));
  const bytes = readFileSync(`${path}.bin`);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const read = (place: Place) => {
    const size = place.shape.reduce((product, dimension) => product * dimension, 1);
    return { shape: place.shape, data: values.slice(place.offset, place.offset + size) };
  };
  return { index, read };
}

export function openExecutor(): Executor {
  const runtime = locateNativeRuntime();
  if ('problem' in runtime) throw new Error(`${runtime.problem.what} ${runtime.problem.help}`);
  return openNativeExecutor({ binding: runtime.binding, build: runtime.build });
}

/** A feed and an endpoint that assigns it to the variable. */
export interface Assignment {
  readonly feed: Tensor;
  readonly done: Tensor;
}

export function addAssignment(graph: Graph, variable: Variable): Assignment {
  const feed = graph.placeholder(`feed/${variable.name}`, variable.dtype, variable.shape);
  const assigned = graph.effect('AssignVariableOp', [variable.handle, feed]);
  const done = graph.op('Identity', [graph.constant(1, 'int32')], {}, { name: `assign/${variable.name}`, controls: [assigned] });
  return { feed, done };
}

export function assignValue(session: Session, assignment: Assignment, value: HostTensor): void {
  session.prepare([assignment.feed], [assignment.done])([value]);
}

/** Fails unless |received - expected| <= absolute + relative * |expected| everywhere; the message names the worst element. */
export function expectClose(
  received: HostTensor | undefined,
  expected: HostTensor,
  relative: number,
  absolute: number,
  what: string,
): void {
  expect(received?.shape, `${what}: shape`).toEqual(expected.shape);
  let worst = { excess: 0, position: -1, received: 0, expected: 0 };
  expected.data.forEach((wanted: number, position: number) => {
    const found = received?.data[position] ?? Number.NaN;
    const excess = Math.abs(found - wanted) / (absolute + relative * Math.abs(wanted));
    if (!(excess <= Math.max(1, worst.excess))) worst = { excess, position, received: found, expected: wanted };
  });
  expect(worst, what).toEqual({ excess: 0, position: -1, received: 0, expected: 0 });
}
