// MobileNet v1 without top (Howard et al. 2017), with the layer names of keras.applications.mobilenet.
import type { Layer } from '../../contract/layers.ts';
import { layer } from './layer.ts';

/** Output filters before the width multiplier, and strides, of the thirteen depthwise blocks. */
const blocks: readonly (readonly [filters: number, strides: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** `alpha` scales the filters of every layer, rounded down as Keras does. */
export function makeMobileNet(alpha: number): Layer[] {
  const scaled = (filters: number): number => Math.trunc(filters * alpha);
  const stem = [
    layer({ type: 'Conv2D', name: 'conv1', filters: scaled(32), kernelSize: 3, strides: 2, padding: 'same', useBias: false }),
    normalization('conv1_bn'),
    relu6('conv1_relu'),
  ];
  return [...stem, ...blocks.flatMap(([filters, strides], index) => makeBlock(index + 1, scaled(filters), strides))];
}

function makeBlock(index: number, filters: number, strides: number): Layer[] {
  const depthwise = `conv_dw_${index}`;
  const pointwise = `conv_pw_${index}`;
  const padding = layer({
    type: 'ZeroPadding2D',
    name: `conv_pad_${index}`,
    padding: [
      [0, 1],
      [0, 1],
    ],
  });
  return [
    ...(strides === 1 ? [] : [padding]),
    layer({
      type: 'DepthwiseConv2D',
      name: depthwise,
      kernelSize: 3,
      strides,
      padding: strides === 1 ? 'same' : 'valid',
      useBias: false,
    }),
    normalization(`${depthwise}_bn`),
    relu6(`${depthwise}_relu`),
    layer({ type: 'Conv2D', name: pointwise, filters, kernelSize: 1, padding: 'same', useBias: false }),
    normalization(`${pointwise}_bn`),
    relu6(`${pointwise}_relu`),
  ];
}

function normalization(name: string): Layer {
  return layer({ type: 'BatchNormalization', name });
}

function relu6(name: string): Layer {
  return layer({ type: 'Activation', name, activation: 'relu6' });
}
