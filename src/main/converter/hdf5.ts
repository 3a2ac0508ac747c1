// Reading HDF5 files through libhdf5 in WebAssembly. The file is copied into the library's own memory file system, in which there is
// nothing else: links to other files, external storage and virtual datasets lead nowhere. Shapes are known before values are read.
import { randomUUID } from 'node:crypto';
import { type Attribute, Dataset, File, FS, Group, ready } from 'h5wasm';
import { LabError } from '../../shared/contract/errors.ts';

export interface StoredTensor {
  readonly shape: readonly number[];
  /** `<f4` for little-endian float32; anything else is not for us. */
  readonly isFloat32: boolean;
}

export interface Hdf5File {
  /** Undefined when there is no such group. */
  keys(group: string): readonly string[] | undefined;
  /** A list of strings; undefined when there is no such attribute or it holds something else. */
  strings(group: string, attribute: string): readonly string[] | undefined;
  text(group: string, attribute: string): string | undefined;
  /** Undefined when there is no such dataset. */
  describe(dataset: string): StoredTensor | undefined;
  /** A copy; throws bad_input for data that is stored in a way that a weights file never needs. */
  read(dataset: string): Float32Array;
  close(): void;
}

/** Attributes beyond this are not read; model_config of the largest Keras applications has 1 MB. */
const attributeLimit = 32 * 1024 * 1024;

/** Opens a file that was read whole; throws bad_input when it is not HDF5 or was cut off. */
export async function openHdf5(bytes: Uint8Array, name: string): Promise<Hdf5File> {
  const library = await ready;
  // Without it the library writes its errors to the console and goes on.
  library.activate_throwing_error_handler();
  if (FS === null) throw new LabError('internal', 'The HDF5 library has no file system.');
  const place = `/${randomUUID()}.h5`;
  FS.writeFile(place, bytes);
  try {
    return new OpenFile(new File(place, 'r'), name);
  } catch (error) {
    FS.unlink(place);
    throw explain(error, name, bytes);
  }
}

class OpenFile implements Hdf5File {
  readonly #file: File;
  readonly #name: string;

  constructor(file: File, name: string) {
    this.#file = file;
    this.#name = name;
  }

  keys(group: string): readonly string[] | undefined {
    return this.#guard(() => this.#group(group)?.keys());
  }

  strings(group: string, attribute: string): readonly string[] | undefined {
    const value = this.#attribute(group, attribute);
    if (!Array.isArray(value)) return undefined;
    const texts = value.filter((item): item is string => typeof item === 'string');
    return texts.length === value.length ? texts : undefined;
  }

  text(group: string, attribute: string): string | undefined {
    const value = this.#attribute(group, attribute);
    return typeof value === 'string' ? value : undefined;
  }

  describe(dataset: string): StoredTensor | undefined {
    const found = this.#guard(() => this.#file.get(dataset));
    if (!(found instanceof Dataset)) return undefined;
    return this.#guard(() => ({ shape: found.shape ?? [], isFloat32: found.dtype === '<f' }));
  }

  read(dataset: string): Float32Array {
    return this.#guard(() => {
      const found = this.#file.get(dataset);
      if (!(found instanceof Dataset)) throw this.#unreadable(`a dataset at ${dataset}`, 'none');
      const { chunks, shape, virtual_sources: sources } = found.metadata;
      const isOversized = chunks?.some((length, axis) => length > Math.max(1, shape?.[axis] ?? 0)) ?? false;
      if (sources !== undefined || isOversized) throw this.#unreadable(`plain data at ${dataset}`, 'virtual or oversized storage');
      const value = found.value;
      if (value instanceof Float32Array) return value;
      if (typeof value === 'number') return Float32Array.of(value);
      throw this.#unreadable(`float32 numbers at ${dataset}`, JSON.stringify(found.dtype));
    });
  }

  close(): void {
    this.#file.close();
    FS?.unlink(this.#file.filename);
  }

  #group(path: string): Group | undefined {
    const found = path === '/' ? this.#file : this.#file.get(path);
    return found instanceof Group ? found : undefined;
  }

  #attribute(path: string, name: string): unknown {
    return this.#guard(() => {
      const attributes: Readonly<Record<string, Attribute>> = this.#group(path)?.attrs ?? {};
      if (!Object.hasOwn(attributes, name)) return undefined;
      const attribute = attributes[name];
      if (attribute === undefined) return undefined;
      const { size, total_size: count } = attribute.metadata;
      if (size * count > attributeLimit)
        throw this.#unreadable(`an attribute ${name} of at most ${attributeLimit} bytes`, String(size * count));
      const { value } = attribute;
      // An empty list has no type of its own.
      return ArrayBuffer.isView(value) && count === 0 ? [] : value;
    });
  }

  /** What the library throws is a stack of its own functions; people get a sentence. */
  #guard<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (error instanceof LabError) throw error;
      throw this.#unreadable('an undamaged HDF5 file', lastReason(error));
    }
  }

  #unreadable(expected: string, received: string): LabError {
    return new LabError('bad_input', `The file ${this.#name} cannot be read.`, {
      expected,
      received,
      help: 'Use an undamaged copy of it.',
    });
  }
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

function explain(error: unknown, name: string, bytes: Uint8Array): LabError {
  const reason = lastReason(error);
  if (signature.some((byte, index) => bytes[index] !== byte)) {
    const isZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
    return new LabError('bad_input', `The file ${name} is not an HDF5 file.`, {
      expected: "a weights file or model of Keras with the ending '.h5'",
      received: isZip ? "a ZIP archive, such as Keras's '.keras'" : 'another format',
      help: isZip
        ? "Open it in Keras and write its weights with model.save_weights('name.weights.h5')."
        : 'Download the file again: what came may be a page that says why it did not.',
    });
  }
  const isTruncated = reason.includes('truncated');
  return new LabError('bad_input', `The file ${name} is ${isTruncated ? 'cut off' : 'damaged'}.`, {
    expected: 'a complete HDF5 file',
    received: reason,
    help: 'Download or copy it again.',
  });
}

/** The innermost entry of the library's error stack, such as "truncated file: eof = 1000". */
function lastReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const entries = [...text.matchAll(/^\s*#\d+: .*?\(\): (.*)$/gm)].map((match) => match[1] ?? '');
  return (entries.at(-1) ?? text).slice(0, 200);
}
