// A trained network as a whole-model `.h5` of Keras: `keras.models.load_model` opens it, `model.load_weights` takes the weights from it, in
// order or by name. Pictures are prepared outside of it: how, is said in the attribute `transfer_lab`.
import type { ResolvedNetwork } from '../../shared/domain/networkTypes.ts';
import type { NamedTensor } from '../engine/safetensors.ts';
import { writeHdf5, type Hdf5Draft } from './hdf5Writer.ts';
import { describeModel, inputLayerName, orderLayers } from './modelJson.ts';

/** The version of Keras whose `.h5` layout this is (keras/src/legacy/saving/legacy_h5_format.py). */
const kerasVersion = '3.15.1';
const weightsGroup = '/model_weights';

/** `description` says how pictures are prepared; it is kept in the file as JSON. */
export function encodeKerasModel(
  network: ResolvedNetwork,
  tensors: readonly NamedTensor[],
  name: string,
  description: object,
): Promise<Uint8Array> {
  const values = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return writeHdf5((draft) => {
    const stamp = (group: string): void => {
      draft.setText(group, 'backend', 'tensorflow');
      draft.setText(group, 'keras_version', kerasVersion);
    };
    stamp('/');
    draft.setText('/', 'model_config', JSON.stringify(describeModel(network, name)));
    draft.setText('/', 'transfer_lab', JSON.stringify(description));
    draft.addGroup(weightsGroup);
    stamp(weightsGroup);
    const layers = orderLayers(network);
    draft.setStrings(weightsGroup, 'layer_names', [inputLayerName, ...layers.map((layer) => layer.name)]);
    draft.addGroup(`${weightsGroup}/${inputLayerName}`);
    for (const layer of layers) {
      const paths = layer.weights.map((weight) => weight.path);
      addLayer(draft, layer.name, paths, values);
    }
  });
}

function addLayer(draft: Hdf5Draft, name: string, paths: readonly string[], values: ReadonlyMap<string, NamedTensor>): void {
  const group = `${weightsGroup}/${name}`;
  draft.addGroup(group);
  if (paths.length === 0) return;
  draft.setStrings(group, 'weight_names', paths);
  draft.addGroup(`${group}/${name}`);
  for (const path of paths) {
    const tensor = values.get(path);
    if (tensor?.data instanceof Float32Array) draft.addTensor(`${group}/${name}`, path.slice(name.length + 1), tensor.shape, tensor.data);
  }
}
