// Writing an HDF5 file: groups, lists of strings, texts and float32 tensors, in memory until it is complete.
import { randomUUID } from 'node:crypto';
import { File, FS, ready } from 'h5wasm';
import { LabError } from '../../shared/contract/errors.ts';

export interface Hdf5Draft {
  /** Parents must exist; the root does. */
  addGroup(path: string): void;
  addTensor(group: string, name: string, shape: readonly number[], data: Float32Array): void;
  /** At least one. */
  setStrings(group: string, attribute: string, values: readonly string[]): void;
  setText(group: string, attribute: string, value: string): void;
}

/** The bytes of the file that `fill` describes. */
export async function writeHdf5(fill: (draft: Hdf5Draft) => void): Promise<Uint8Array> {
  const library = await ready;
  library.activate_throwing_error_handler();
  if (FS === null) throw new LabError('internal', 'The HDF5 library has no file system.');
  const place = `/${randomUUID()}.h5`;
  const file = new File(place, 'w');
  const find = (path: string): Pick<File, 'create_attribute' | 'create_dataset'> => {
    const group = path === '/' ? file : file.get(path);
    if (group !== null && 'create_dataset' in group) return group;
    throw new LabError('internal', `The file has no group ${path}.`);
  };
  fill({
    addGroup: (path) => file.create_group(path.replace(/^\//, '')),
    addTensor: (group, name, shape, data) => find(group).create_dataset({ name, data, shape: [...shape], dtype: '<f' }),
    setStrings: (group, attribute, values) => find(group).create_attribute(attribute, [...values]),
    setText: (group, attribute, value) => find(group).create_attribute(attribute, value),
  });
  file.close();
  const bytes = FS.readFile(place);
  FS.unlink(place);
  return bytes;
}
