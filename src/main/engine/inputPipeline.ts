// Pixels as stored (uint8, NHWC) to what the first layer sees: cast, scaling, standardisation of each picture, per-channel normalisation, in
// float32, inside the graph, so that training, evaluation, features and predictions cannot differ.
// Resizing and colour conversion happen once, in data/, never here.
import type { InputPipeline } from '../../shared/contract/schema.ts';
import { LabError } from '../../shared/contract/errors.ts';
import { add, divide, meanOver, subtract } from './arithmetic.ts';
import { bool } from './attributes.ts';
import type { Graph, Tensor } from './graph.ts';

/** Means of the ImageNet training set in BGR order, as in keras/src/applications/imagenet_utils.py (mode "caffe"). */
const imageNetMeansBgr = Float32Array.of(103.939, 116.779, 123.68);

/** Scales a batch of pixels [n, h, w, c] (uint8, or float32 0..255 after augmentation) to float32. */
export function lowerInputPipeline(graph: Graph, pixels: Tensor, pipeline: InputPipeline): Tensor {
  const values = pixels.dtype === 'float32' ? pixels : graph.op('Cast', [pixels], { DstT: { kind: 'type', value: 'float32' } });
  const scaled = standardize(graph, scale(graph, values, pipeline.scaling), pipeline.standardization);
  const normalize = pipeline.normalize;
  if (normalize === null) return scaled;
  const channels = pixels.shape.at(-1) ?? 0;
  if (normalize.mean.length !== channels || normalize.std.length !== channels) {
    throw new LabError('bad_recipe', 'The normalisation does not fit the pictures.', {
      expected: `${channels} means and standard deviations, one per channel`,
      received: `${normalize.mean.length} means and ${normalize.std.length} standard deviations`,
      help: 'Give input.normalize one number per channel.',
    });
  }
  const mean = graph.constant(Float32Array.from(normalize.mean), 'float32', [channels]);
  const deviation = graph.constant(Float32Array.from(normalize.std), 'float32', [channels]);
  return graph.op('RealDiv', [graph.op('Sub', [scaled, mean]), deviation]);
}

function scale(graph: Graph, values: Tensor, scaling: InputPipeline['scaling']): Tensor {
  switch (scaling) {
    case 'none':
      return values;
    case 'unit':
      return graph.op('RealDiv', [values, graph.constant(255, 'float32')]);
    case 'minusOneToOne': {
      const unit = graph.op('RealDiv', [values, graph.constant(127.5, 'float32')]);
      return graph.op('Sub', [unit, graph.constant(1, 'float32')]);
    }
    case 'caffe': {
      if (values.shape.at(-1) !== 3) {
        throw new LabError('bad_recipe', 'The scaling "caffe" is defined for colour pictures only.', {
          expected: '3 channels',
          received: `${String(values.shape.at(-1))} channels`,
          help: 'Set input.colorMode to "rgb" or choose another scaling.',
        });
      }
      const axis = graph.constant(Int32Array.of(3), 'int32', [1]);
      const bgr = graph.op('ReverseV2', [values, axis]);
      return graph.op('Sub', [bgr, graph.constant(imageNetMeansBgr, 'float32', [3])]);
    }
  }
}

/** Keras 3.15 ImageDataGenerator.standardize, samplewise: over all values of a picture. Dividing includes centring, as in Keras. */
function standardize(graph: Graph, values: Tensor, standardization: InputPipeline['standardization']): Tensor {
  const divides = standardization?.samplewiseStdNormalization === true;
  if (!divides && standardization?.samplewiseCenter !== true) return values;
  const meanOf = (of: Tensor): Tensor => meanOver(graph, of, [1, 2, 3], true);
  const centred = subtract(graph, values, meanOf(values));
  if (!divides) return centred;
  const deviation = graph.op('Sqrt', [meanOf(graph.op('Square', [centred]))]);
  return divide(graph, centred, add(graph, deviation, graph.constant(1e-6, 'float32')));
}

/** Number of correct answers in a batch, as an int32 scalar. */
export function countCorrect(graph: Graph, scores: Tensor, labels: Tensor): Tensor {
  const axis = graph.constant(1, 'int32');
  const answer = graph.op('ArgMax', [scores, axis], { output_type: { kind: 'type', value: 'int32' } });
  const isRight = graph.op('Equal', [answer, labels], { incompatible_shape_error: bool(true) });
  const ones = graph.op('Cast', [isRight], { DstT: { kind: 'type', value: 'int32' } });
  return graph.op('Sum', [ones, graph.constant(Int32Array.of(0), 'int32', [1])], { keep_dims: bool(false) });
}

/** Number of pictures in a batch, as an int32 scalar. */
export function countPictures(graph: Graph, labels: Tensor): Tensor {
  const shape = graph.op('Shape', [labels], { out_type: { kind: 'type', value: 'int32' } });
  return graph.op('Reshape', [shape, graph.constant(new Int32Array(0), 'int32', [0])], {});
}
