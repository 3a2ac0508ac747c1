// One phase's program on the executor: named verbs over its endpoints, and values in and out by name. Owns the native session;
// close() frees it. Knows nothing of files, epochs or policies.
import { LabError } from '../../shared/contract/errors.ts';
import type { MetricPair } from '../../shared/contract/worker.ts';
import type { Executor, HostTensor, PreparedCall, Session, SessionStatistics } from '../engine/executor.ts';
import type { TrainingProgram } from '../engine/plan.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import type { Batch, BatchSource } from '../data/batches.ts';

export class PhaseSession {
  readonly program: TrainingProgram;
  readonly #session: Session;
  readonly #fixed: ReadonlySet<string>;
  readonly #trainStep: PreparedCall;
  readonly #evaluateStep: PreparedCall;
  readonly #metrics: PreparedCall;
  readonly #resetMetrics: PreparedCall;
  readonly #setLearningRates: PreparedCall;

  /** `fixed` names weights that the program never changes; states that are saved leave them out. */
  constructor(executor: Executor, program: TrainingProgram, fixed: ReadonlySet<string> = new Set()) {
    const { feeds, endpoints } = program;
    this.program = program;
    this.#fixed = fixed;
    this.#session = executor.load(program.graph);
    const mix = feeds.mix === null ? [] : [feeds.mix.labels, feeds.mix.shares];
    this.#trainStep = this.#session.prepare([feeds.training, feeds.labels, ...mix], [endpoints.trainStep]);
    this.#evaluateStep = this.#session.prepare([feeds.evaluation, feeds.labels], [endpoints.evaluateStep]);
    this.#metrics = this.#session.prepare([], endpoints.metrics);
    this.#resetMetrics = this.#session.prepare([], [endpoints.resetMetrics]);
    this.#setLearningRates = this.#session.prepare([feeds.learningRates], [endpoints.setLearningRates]);
  }

  get statistics(): SessionStatistics {
    return this.#session.statistics;
  }

  /** Draws all weights anew and clears slots, step and accumulators. */
  initialize(): void {
    this.#session.prepare([], [this.program.endpoints.initialize])([]);
  }

  setLearningRates(rates: Float32Array): void {
    this.#setLearningRates([{ shape: [rates.length], data: rates }]);
  }

  /** One update; returns the batch's mean loss. */
  trainStep(batch: Batch, sampleShape: readonly number[]): number {
    const mix = this.program.feeds.mix === null ? [] : feedMix(batch);
    return this.#trainStep([...feed(batch, sampleShape), ...mix])[0]?.data[0] ?? Number.NaN;
  }

  /** Adds the batch to the accumulators and returns its class probabilities [count, classes]. */
  evaluateStep(batch: Batch, sampleShape: readonly number[]): HostTensor {
    const probabilities = this.#evaluateStep(feed(batch, sampleShape))[0];
    if (probabilities === undefined) throw new LabError('internal', 'The evaluation returned nothing.');
    return probabilities;
  }

  /** Sync point: mean loss and accuracy over everything since the last reset. */
  readMetrics(): MetricPair & { readonly pictures: number } {
    const [loss, correct, pictures] = this.#metrics([]).map((value) => value.data[0] ?? 0);
    const count = pictures ?? 0;
    const mean = (total: number | undefined): number => (count === 0 ? 0 : (total ?? 0) / count);
    return { loss: mean(loss), accuracy: mean(correct), pictures: count };
  }

  resetMetrics(): void {
    this.#resetMetrics([]);
  }

  /** Mean loss and accuracy over a whole source, in inference mode; leaves the accumulators at zero. */
  evaluate(source: BatchSource, onBatch: (probabilities: HostTensor, batch: Batch) => void = () => undefined): MetricPair {
    this.resetMetrics();
    for (let step = 0; step < source.steps; step += 1) {
      const batch = source.fill(0, step);
      onBatch(this.evaluateStep(batch, source.sampleShape), batch);
    }
    const { loss, accuracy } = this.readMetrics();
    this.resetMetrics();
    return { loss, accuracy };
  }

  readWeights(): NamedTensor[] {
    return this.#read([...this.program.weights.keys()]);
  }

  /** Weights that can change, as an epoch that may be kept leaves them. */
  readChanging(): NamedTensor[] {
    return this.#read([...this.program.weights.keys()].filter((name) => !this.#fixed.has(name)));
  }

  /** Weights that can change and everything else a resumed run needs. */
  readAll(): NamedTensor[] {
    return this.#read([...this.program.access.keys()].filter((name) => !this.#fixed.has(name)));
  }

  /** Assigns the given values; an unknown name or another shape is an error, missing names keep their value. */
  write(values: readonly NamedTensor[]): void {
    const parts = values.map((value) => {
      const access = this.program.access.get(value.name);
      if (access === undefined || String(access.feed.shape) !== String(value.shape)) {
        throw new LabError('conflict', `The value ${value.name} does not fit the network.`, {
          expected: access === undefined ? 'a name of this network' : `shape [${access.feed.shape.join(', ')}]`,
          received: `shape [${value.shape.join(', ')}]`,
          help: 'Use weights of the same network.',
        });
      }
      return access;
    });
    if (parts.length === 0) return;
    const write = this.#session.prepare(
      parts.map((part) => part.feed),
      parts.map((part) => part.assign),
    );
    write(values);
  }

  close(): void {
    this.#session.close();
  }

  #read(names: readonly string[]): NamedTensor[] {
    const reads = names.flatMap((name) => this.program.access.get(name)?.read ?? []);
    const fetched = this.#session.prepare([], reads)([]);
    return names.flatMap((name, index) => {
      const value = fetched[index];
      if (value === undefined || value.data instanceof Uint8Array) return [];
      return [{ name, shape: value.shape, data: value.data }];
    });
  }
}

function feed(batch: Batch, sampleShape: readonly number[]): readonly HostTensor[] {
  return [
    { shape: [batch.count, ...sampleShape], data: batch.input },
    { shape: [batch.count], data: batch.labels },
  ];
}

/** A batch that was not mixed has the whole share of its own labels. */
function feedMix({ count, labels, mix }: Batch): readonly HostTensor[] {
  return [
    { shape: [count], data: mix?.labels ?? labels },
    { shape: [count], data: mix?.shares ?? new Float32Array(count).fill(1) },
  ];
}
