// EfficientNet-Lite0 without top: EfficientNet-B0 (Tan and Le 2019) without squeeze-and-excitation, with relu6 for swish and a fixed stem
// and head, as published with TensorFlow's tpu models. Layers are named as keras.applications.efficientnet names those of B0.
import type { Layer } from '../../contract/layers.ts';
import { layer } from './layer.ts';

interface Stage {
  readonly repeats: number;
  readonly kernel: number;
  readonly strides: number;
  readonly expansion: number;
  readonly filters: number;
}

const stages: readonly Stage[] = [
  { repeats: 1, kernel: 3, strides: 1, expansion: 1, filters: 16 },
  { repeats: 2, kernel: 3, strides: 2, expansion: 6, filters: 24 },
  { repeats: 2, kernel: 5, strides: 2, expansion: 6, filters: 40 },
  { repeats: 3, kernel: 3, strides: 2, expansion: 6, filters: 80 },
  { repeats: 3, kernel: 5, strides: 1, expansion: 6, filters: 112 },
  { repeats: 4, kernel: 5, strides: 2, expansion: 6, filters: 192 },
  { repeats: 1, kernel: 3, strides: 1, expansion: 6, filters: 320 },
];

/** 224x224 is the size it was trained for; others work. */
export function makeEfficientNetLite0(): Layer[] {
  const layers = [...convolve('stem', 'stem_conv', 32, 3, 2)];
  let channels = 32;
  for (const [index, stage] of stages.entries()) {
    for (let repeat = 0; repeat < stage.repeats; repeat += 1) {
      const name = `block${index + 1}${String.fromCharCode('a'.charCodeAt(0) + repeat)}`;
      const previous = layers.at(-1)?.name ?? '';
      layers.push(...makeBlock(name, { ...stage, strides: repeat === 0 ? stage.strides : 1 }, channels, previous));
      channels = stage.filters;
    }
  }
  return [...layers, ...convolve('top', 'top_conv', 1280, 1, 1)];
}

function makeBlock(name: string, { kernel, strides, expansion, filters }: Stage, channels: number, previous: string): Layer[] {
  const expanded = expansion === 1 ? [] : convolve(`${name}_expand`, `${name}_expand_conv`, channels * expansion, 1, 1);
  const layers = [
    ...expanded,
    layer({ type: 'DepthwiseConv2D', name: `${name}_dwconv`, kernelSize: kernel, strides, padding: 'same', useBias: false }),
    normalization(`${name}_bn`),
    relu6(`${name}_activation`),
    layer({ type: 'Conv2D', name: `${name}_project_conv`, filters, kernelSize: 1, padding: 'same', useBias: false }),
    normalization(`${name}_project_bn`),
  ];
  if (strides !== 1 || channels !== filters) return layers;
  return [...layers, layer({ type: 'Add', name: `${name}_add`, inputs: [`${name}_project_bn`, previous] })];
}

function convolve(prefix: string, name: string, filters: number, kernelSize: number, strides: number): Layer[] {
  return [
    layer({ type: 'Conv2D', name, filters, kernelSize, strides, padding: 'same', useBias: false }),
    normalization(`${prefix}_bn`),
    relu6(`${prefix}_activation`),
  ];
}

function normalization(name: string): Layer {
  return layer({ type: 'BatchNormalization', name });
}

function relu6(name: string): Layer {
  return layer({ type: 'Activation', name, activation: 'relu6' });
}
