// Executor over libtensorflow through the stock tfjs binding: the only file that loads the .node file.
// Called by the trainer and by conformance tests. Environment variables that TensorFlow reads must be set before (supervisor).
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabError } from '../../shared/contract/errors.ts';
import type { Executor, HostArray, HostTensor, PreparedCall, Session, SessionStatistics } from './executor.ts';
import type { Graph, Tensor } from './graph.ts';
import { loadMessages } from './protobuf.ts';
import { typeNumber, writeSavedModel } from './savedModel.ts';

interface Binding {
  readonly TF_Version: string;
  createTensor(shape: readonly number[], dtype: number, data: HostArray): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): HostArray;
  loadSavedModel(folder: string, tags: string): number;
  deleteSavedModel(id: number): void;
  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): readonly { id: number; shape: number[] }[];
  getNumOfTensors(): number;
  isUsingGpuDevice(): boolean;
}

export interface NativeLibrary {
  /** Absolute path of the compiled binding. */
  readonly binding: string;
  readonly build: 'cpu' | 'gpu';
}

/** Loads libtensorflow into this process (about 0.4 s, once); throws LabError('native_missing') when it cannot be loaded. */
export function openNativeExecutor(library: NativeLibrary): Executor {
  const binding = loadBinding(library.binding);
  const isGpu = binding.isUsingGpuDevice();
  return {
    version: binding.TF_Version,
    device: isGpu ? 'GPU:0' : 'CPU:0',
    build: library.build,
    bfloat16: isGpu || hasMatrixUnits() ? 'mixed_bfloat16' : 'mixed_bfloat16_wide',
    load: (graph) => openSession(binding, graph),
    countTensors: () => binding.getNumOfTensors(),
  };
}

/**
 * AMX multiplies bfloat16 matrices; AVX512-BF16 alone does not pay: without AMX oneDNN's bfloat16 convolutions took up to 2.6 times as long
 * as the float32 ones (docs/decisions/0009).
 */
function hasMatrixUnits(): boolean {
  const file = '/proc/cpuinfo';
  return existsSync(file) && /^flags.*\bamx_bf16\b/m.test(readFileSync(file, 'utf8'));
}

function loadBinding(path: string): Binding {
  restoreRemovedFunctions();
  const load: (file: string) => Binding = createRequire(import.meta.url);
  try {
    return load(path);
  } catch (cause) {
    throw new LabError('native_missing', 'The TensorFlow library could not be loaded.', {
      expected: `a loadable binding at ${path}`,
      received: cause instanceof Error ? cause.message : String(cause),
      help: 'Run "npm run setup" to build it again, then "npm run -s lab -- doctor --deep".',
      cause,
    });
  }
}

/** The tfjs package calls two functions that Node 23 removed (tensorflow/tfjs#8425, fixed there but never released). */
function restoreRemovedFunctions(): void {
  const load: (id: string) => Record<string, unknown> = createRequire(import.meta.url);
  const util = load('node:util');
  util['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  util['isArray'] ??= Array.isArray;
}

function openSession(binding: Binding, graph: Graph): Session {
  const folder = mkdtempSync(join(tmpdir(), 'transfer-lab-graph-'));
  let id: number;
  try {
    writeFileSync(join(folder, 'saved_model.pb'), writeSavedModel(graph, loadMessages()));
    id = binding.loadSavedModel(folder, 'serve');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return new NativeSession(binding, id);
}

class NativeSession implements Session {
  readonly #binding: Binding;
  readonly #id: number;
  #nativeCalls = 0;
  #bytesFed = 0;
  #isOpen = true;

  constructor(binding: Binding, id: number) {
    this.#binding = binding;
    this.#id = id;
  }

  get statistics(): SessionStatistics {
    return { nativeCalls: this.#nativeCalls, bytesFed: this.#bytesFed };
  }

  prepare(feeds: readonly Tensor[], fetches: readonly Tensor[]): PreparedCall {
    const inputNames = feeds.map(tensorName).join(',');
    const outputNames = fetches.map(tensorName).join(',');
    const types = feeds.map((feed) => typeNumber(feed.dtype));
    return (inputs) => this.#run(inputs, types, inputNames, outputNames);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#binding.deleteSavedModel(this.#id);
  }

  #run(inputs: readonly HostTensor[], types: readonly number[], inputNames: string, outputNames: string): readonly HostTensor[] {
    const binding = this.#binding;
    const inputIds = inputs.map((input, index) => {
      this.#bytesFed += input.data.byteLength;
      return binding.createTensor(input.shape, types[index] ?? 0, input.data);
    });
    this.#nativeCalls += 1;
    try {
      return binding.runSavedModel(this.#id, inputIds, inputNames, outputNames).map((output) => {
        const data = binding.tensorDataSync(output.id);
        binding.deleteTensor(output.id);
        return { shape: output.shape, data };
      });
    } catch (cause) {
      throw describeFailure(cause);
    } finally {
      for (const inputId of inputIds) binding.deleteTensor(inputId);
    }
  }
}

function tensorName(tensor: Tensor): string {
  return `${tensor.node.name}:${tensor.index}`;
}

function describeFailure(cause: unknown): LabError {
  const received = cause instanceof Error ? cause.message : String(cause);
  const isMemory = /OOM|out of memory|RESOURCE_EXHAUSTED|bad_alloc/i.test(received);
  return new LabError('training_failed', isMemory ? 'TensorFlow ran out of memory.' : 'TensorFlow could not run the graph.', {
    received: received.slice(0, 2000),
    help: isMemory ? 'Use a smaller batch size or smaller images.' : 'Run "npm run -s lab -- doctor --deep" and report this message.',
    cause,
  });
}
