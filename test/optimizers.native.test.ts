import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Graph } from '../src/main/engine/graph.ts';
import type { Tensor } from '../src/main/engine/graph.ts';
import { opTable } from '../src/main/engine/ops/table.ts';
import { lowerOptimizer, slotsOf } from '../src/main/engine/optimizers.ts';
import { optimizerSchema } from '../src/shared/contract/schema.ts';
import type { Optimizer } from '../src/shared/contract/schema.ts';
import { addAssignment, assignValue, expectClose, openExecutor, openFixture, placeSchema } from './kerasFixture.ts';

const fixture = openFixture('optimizers', 'optimizers', {
  start: z.array(placeSchema),
  gradients: z.array(z.array(placeSchema)),
  learningRateFactors: z.array(z.number()),
  cases: z.array(z.strictObject({ name: z.string(), optimizer: optimizerSchema, steps: z.array(z.array(placeSchema)) })),
});
const { index, read } = fixture;
const executor = openExecutor();

/** Variables, slots and one training step whose gradients are fed. */
function buildProgram(optimizer: Optimizer) {
  const graph = new Graph(opTable);
  const step = graph.placeholder('step', 'int32', []);
  const learningRate = graph.placeholder('learningRate', 'float32', []);
  const lowered = lowerOptimizer(graph, optimizer, learningRate, step);
  const gradients: Tensor[] = [];
  const parts = index.start.map(({ shape }, position) => {
    const variable = graph.variable(`weight${position}`, 'float32', shape);
    const slots = slotsOf(optimizer).map((slot) => ({ ...slot, variable: graph.variable(`${slot.name}${position}`, 'float32', shape) }));
    const gradient = graph.placeholder(`gradient${position}`, 'float32', shape);
    gradients.push(gradient);
    const byName = Object.fromEntries(slots.map((slot) => [slot.name, slot.variable]));
    const reader = graph.read(variable);
    const update = lowered.apply({ variable, slots: byName, gradient, controls: [reader.node] });
    return {
      variable,
      slots,
      update,
      initial: addAssignment(graph, variable),
      empty: slots.map((slot) => addAssignment(graph, slot.variable)),
    };
  });
  const trained = graph.op('Identity', [graph.constant(1, 'int32')], {}, { controls: parts.map((part) => part.update) });
  return { graph, parts, feeds: [step, learningRate, ...gradients], trained, values: parts.map((part) => graph.read(part.variable)) };
}

function train(optimizer: Optimizer) {
  const program = buildProgram(optimizer);
  const session = executor.load(program.graph);
  program.parts.forEach((part, position) => {
    const start = read(index.start[position] ?? { offset: 0, shape: [] });
    assignValue(session, part.initial, start);
    part.slots.forEach((slot, number) => {
      const assignment = part.empty[number];
      if (assignment !== undefined)
        assignValue(session, assignment, { shape: start.shape, data: new Float32Array(start.data.length).fill(slot.initial) });
    });
  });
  const runStep = session.prepare(program.feeds, [program.trained]);
  const readValues = session.prepare([], program.values);
  const history = index.gradients.map((gradients, step) => {
    const rate = optimizer.learningRate * (index.learningRateFactors[step] ?? 1);
    runStep([{ shape: [], data: Int32Array.of(step) }, { shape: [], data: Float32Array.of(rate) }, ...gradients.map(read)]);
    return readValues([]);
  });
  session.close();
  return history;
}

describe('optimizers follow Keras for 20 steps', () => {
  const before = executor.countTensors();
  afterAll(() => {
    expect(executor.countTensors()).toBe(before);
  });

  for (const one of index.cases) {
    it(one.name, () => {
      const history = train(one.optimizer);
      one.steps.forEach((places, step) => {
        places.forEach((place, position) =>
          expectClose(history[step]?.[position], read(place), 1e-5, 1e-6, `step ${step + 1}, variable ${position}`),
        );
      });
    });
  }

  it('covers every optimizer and every option that changes the rule', () => {
    const seen = new Set(index.cases.map(({ optimizer }) => optimizer.type));
    expect([...seen].sort()).toEqual(optimizerSchema.options.map((option) => option.shape.type.value).sort());
    expect(index.cases.every(({ steps }) => steps.length === 20)).toBe(true);
  });
});
