// What usually goes with a base and is not so in a recipe: the size and colours it was trained on, the scaling its weights expect. Nothing
// here is wrong by itself, and documents did otherwise; a person is told and can change it at once.
import type { ZooNetwork } from '../../contract/base.ts';
import type { DatasetAnswer } from '../../contract/answers.ts';
import type { InputPipeline, Recipe } from '../../contract/schema.ts';
import { findInputShape } from '../recipe.ts';
import { networkTitles } from './base.ts';

export interface BaseHint {
  readonly text: string;
  /** Ways to follow it, as buttons say them. */
  readonly fixes: readonly { readonly label: string; readonly recipe: Recipe }[];
}

type Scaled = Pick<InputPipeline, 'scaling' | 'normalize'>;
const caffe: Scaled = { scaling: 'caffe', normalize: null };
/** What the published weights of each network were trained on. */
const scalings: Readonly<Record<ZooNetwork, Scaled & { readonly words: string }>> = {
  VGG16: { ...caffe, words: 'caffe: blue first, minus the ImageNet means' },
  VGG19: { ...caffe, words: 'caffe: blue first, minus the ImageNet means' },
  MobileNet: { scaling: 'minusOneToOne', normalize: null, words: '−1 to 1' },
  EfficientNetLite0: {
    scaling: 'none',
    normalize: { mean: [127, 127, 127], std: [128, 128, 128] },
    words: '(pixel − 127) / 128',
  },
};
/** The size that the published weights were trained on. */
const trainedSize = 224;
/** Every base halves its picture five times. */
const leastSize = 32;

/** Empty without a base. */
export function listBaseHints(recipe: Recipe, dataset: DatasetAnswer | undefined): readonly BaseHint[] {
  const { base } = recipe.network;
  if (base === null) return [];
  const [height, width, channels] = findInputShape(recipe, dataset?.shape);
  const side = Math.min(height, width);
  const hints: BaseHint[] = [];
  if (side < leastSize) hints.push(hintSmall(recipe, side));
  if (base.weights === 'random') return hints;
  const name = networkTitles[base.network];
  if (channels !== 3) {
    hints.push({ text: `The weights of ${name} belong to colour pictures; these are grey.`, fixes: [toColour(recipe)] });
  }
  if (!isScaledFor(base.network, recipe.input)) hints.push(hintScaling(recipe, base.network, channels));
  if (side >= leastSize && side < trainedSize / 2) hints.push(hintCoarse(recipe, side));
  return hints;
}

function isScaledFor(network: ZooNetwork, { scaling, normalize }: InputPipeline): boolean {
  const wanted = scalings[network];
  return scaling === wanted.scaling && JSON.stringify(normalize) === JSON.stringify(wanted.normalize);
}

function hintScaling(recipe: Recipe, network: ZooNetwork, channels: number): BaseHint {
  const { scaling, normalize, words } = scalings[network];
  const colorMode = channels === 3 ? recipe.input.colorMode : 'rgb';
  return {
    text: `The weights of ${networkTitles[network]} expect pixels scaled as ${words}.`,
    fixes: [{ label: 'Scale as the weights expect', recipe: { ...recipe, input: { ...recipe.input, scaling, normalize, colorMode } } }],
  };
}

function hintSmall(recipe: Recipe, side: number): BaseHint {
  const fixes = [leastSize, trainedSize].map((size) => toSize(recipe, size));
  return { text: `The base halves its pictures five times: ${side} pixels are too few, ${leastSize} the least.`, fixes };
}

function hintCoarse(recipe: Recipe, side: number): BaseHint {
  const left = Math.max(1, Math.floor(side / leastSize));
  return {
    text: `Of ${side} pixels the whole base leaves ${left}×${left}; its weights were trained on ${trainedSize}×${trainedSize}.`,
    fixes: [toSize(recipe, trainedSize)],
  };
}

function toSize(recipe: Recipe, size: number): BaseHint['fixes'][number] {
  return { label: `Resize to ${size}×${size}`, recipe: { ...recipe, input: { ...recipe.input, size: [size, size] } } };
}

function toColour(recipe: Recipe): BaseHint['fixes'][number] {
  return { label: 'Convert to colour', recipe: { ...recipe, input: { ...recipe.input, colorMode: 'rgb' } } };
}
