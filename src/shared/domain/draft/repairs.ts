// Repairs that a button can offer for a recipe that cannot work. Each is proposed from where the problem is, then tried: only those that
// really end the problem are offered, and where some make the recipe work, only those.
import type { DatasetAnswer } from '../../contract/answers.ts';
import { layerSchema, type Layer } from '../../contract/layers.ts';
import type { Phase, Recipe } from '../../contract/schema.ts';
import type { NetworkProblem } from '../networkTypes.ts';
import { resolveRecipe } from '../recipe.ts';
import { withoutRetraining } from '../retraining.ts';
import { listWholeBlocks, setBase } from './base.ts';
import { listBaseHints } from './baseHints.ts';
import { createLayer, insertLayer, listLayers, removeLayer, replaceLayer } from './layers.ts';
import { factsOf, splitPlace } from './onDataset.ts';
import { findPhaseName } from './phases.ts';
import { changeRecipe, setAt, type Place } from './place.ts';

export interface Repair {
  /** As a button says it: `Insert Flatten`. */
  readonly label: string;
  readonly recipe: Recipe;
}

type Proposal = readonly [label: string, recipe: Recipe | null];

const mostRepairs = 3;

/** Empty when the recipe works, or when no repair is known. */
export function findRepairs(recipe: Recipe, dataset: DatasetAnswer | undefined): Repair[] {
  const result = resolveRecipe(recipe, factsOf(recipe, dataset));
  if (result.ok) return [];
  const { problem } = result;
  const tried = proposeRepairs(recipe, dataset, problem).flatMap(([label, repaired]) => {
    if (repaired === null) return [];
    const after = resolveRecipe(repaired, factsOf(repaired, dataset));
    return after.ok || kindOf(after.problem) !== kindOf(problem) ? [{ label, recipe: repaired, isEnough: after.ok }] : [];
  });
  const enough = tried.filter((one) => one.isEnough);
  const offered = enough.length > 0 ? enough : tried;
  return offered.slice(0, mostRepairs).map(({ label, recipe: repaired }) => ({ label, recipe: repaired }));
}

/** Messages that differ only in names and numbers are the same problem. */
function kindOf(problem: NetworkProblem): string {
  return problem.message.replace(/\d+|'[^']*'/g, '');
}

function proposeRepairs(recipe: Recipe, dataset: DatasetAnswer | undefined, problem: NetworkProblem): Proposal[] {
  if (problem.layer === 'network.base') return proposeCuts(recipe);
  const { all, baseCount } = listLayers(recipe.network);
  const found = all.findLastIndex((one) => one.name === problem.layer);
  const layer = all[found];
  if (layer !== undefined && found < baseCount) return proposeForBase(recipe, dataset);
  if (layer !== undefined) {
    const index = found - baseCount;
    const classCount = recipe.phases[0]?.classes?.length ?? dataset?.classes.length ?? recipe.dataset.classes.length;
    return [...proposeEndings(recipe, layer, index, classCount), ...proposeOptions(recipe, layer, index)];
  }
  const [, number, field] = /^phases\.(\d+)\.(\w+)$/.exec(problem.layer) ?? [];
  const phase = recipe.phases[Number(number)];
  if (phase !== undefined && field !== undefined) return proposeForPhase(recipe, phase, Number(number), field, splitPlace(recipe, dataset));
  return proposeForInput(recipe, problem.layer);
}

/** The whole base, or where its blocks end: behind which layer it was meant to be cut cannot be known. */
function proposeCuts(recipe: Recipe): Proposal[] {
  const { base } = recipe.network;
  if (base === null) return [];
  const ends = listWholeBlocks(base).slice(0, -1).reverse();
  return [
    ['Keep the whole base', setBase(recipe, { ...base, cutAt: null })],
    ...ends.map(({ name, layers }): Proposal => [`Cut after ${name}`, setBase(recipe, { ...base, cutAt: layers.at(-1) ?? null })]),
  ];
}

/** Layers of a base cannot be changed, only what reaches them. */
function proposeForBase(recipe: Recipe, dataset: DatasetAnswer | undefined): Proposal[] {
  const fixes = listBaseHints(recipe, dataset).flatMap((hint) => hint.fixes);
  return fixes.map(({ label, recipe: repaired }): Proposal => [label, repaired]);
}

function proposeEndings(recipe: Recipe, layer: Layer & { readonly name: string }, index: number, classCount: number): Proposal[] {
  const end = recipe.network.layers.length;
  const flatten = createLayer('Flatten');
  const dense = createLayer('Dense', { units: classCount, activation: 'softmax' });
  const activate = 'activation' in layer ? replaceLayer(recipe, index, { ...layer, activation: 'softmax' }) : null;
  const setUnits = layer.type === 'Dense' ? replaceLayer(recipe, index, { ...layer, units: classCount }) : null;
  return [
    ['Insert Flatten', layer.type === 'Dense' ? insertLayer(recipe, index, flatten) : null],
    [`Set units to ${classCount}`, setUnits],
    ['Set activation to softmax', index === end - 1 ? activate : null],
    ['Add softmax', insertLayer(recipe, end, createLayer('Activation', { activation: 'softmax' }))],
    ['Insert Flatten and Dense', insertLayer(insertLayer(recipe, end, flatten), end + 1, dense)],
    ['Add Dense with softmax', insertLayer(recipe, end, dense)],
  ];
}

function proposeOptions(recipe: Recipe, layer: Layer & { readonly name: string }, index: number): Proposal[] {
  const change = (options: object): Recipe => replaceLayer(recipe, index, { ...layer, ...options });
  const without = (key: 'name' | 'inputs'): Layer => layerSchema.parse(setAt(layer, [key], undefined));
  const strides = 'strides' in layer ? layer.strides : null;
  return [
    ['Use padding same', 'padding' in layer && layer.padding === 'valid' ? change({ padding: 'same' }) : null],
    ['Use equal strides', strides === null ? null : change({ strides: [strides[0], strides[0]] })],
    ['Use strides of 1', strides === null ? null : change({ strides: [1, 1] })],
    ['Give it another name', replaceLayer(recipe, index, without('name'))],
    [
      'Take the layer before as input',
      layer.inputs === undefined || isJoining(layer) ? null : replaceLayer(recipe, index, without('inputs')),
    ],
    [`Remove ${layer.name}`, removeLayer(recipe, index)],
  ];
}

function isJoining(layer: Layer): boolean {
  return layer.type === 'Add' || layer.type === 'Concatenate';
}

function proposeForPhase(recipe: Recipe, phase: Phase, index: number, field: string, split: Place): Proposal[] {
  const change = (place: Place, value: unknown): Recipe | null => changeRecipe(recipe, ['phases', index, ...place], value);
  const holdOut: Proposal = [
    'Hold out 10 % for validation',
    changeRecipe(recipe, [...split, 'validation'], { type: 'fraction', fraction: 0.1, stratified: true }),
  ];
  switch (field) {
    case 'trainable':
      return [['Train all layers', change(['trainable'], { type: 'all' })]];
    case 'name':
      return [[`Call it '${findPhaseName(recipe)}'`, change(['name'], findPhaseName(recipe))]];
    case 'classes':
      return [
        ['Use the classes of the first phase', change(['classes'], recipe.phases[0]?.classes ?? null)],
        ['Use all classes in every phase', { ...recipe, phases: recipe.phases.map((one) => ({ ...one, classes: null })) }],
      ];
    case 'classWeights':
      return [
        ['Balance the classes', change(['classWeights'], 'balanced')],
        ['Use no class weights', change(['classWeights'], null)],
      ];
    case 'learningRateMultipliers':
      return [['Use one learning rate for all layers', change(['learningRateMultipliers'], [])]];
    case 'epochsFrom':
    case 'trainOn':
      return [
        ['Use the sound protocol', recipe.protocol === 'sound' ? null : { ...recipe, protocol: 'sound' }],
        holdOut,
        ['Train on the training images only', change(['trainOn'], 'train')],
        ['Remove the retraining', withoutRetraining(recipe)],
      ];
    case 'loss':
      return [['Use no label smoothing', change(['loss', 'labelSmoothing'], 0)]];
    case 'keep':
      return [holdOut, ['Keep the last epoch', change(['keep'], 'last')]];
    case 'earlyStopping':
      return [holdOut, ['Watch the training loss', change(['earlyStopping', 'monitor'], 'loss')]];
    case 'schedule':
      return phase.schedule.type === 'reduceOnPlateau'
        ? [holdOut, ['Watch the training loss', change(['schedule', 'monitor'], 'loss')]]
        : [];
    default:
      return [];
  }
}

function proposeForInput(recipe: Recipe, place: string): Proposal[] {
  if (place === 'input.normalize') return [['Normalise nothing', changeRecipe(recipe, ['input', 'normalize'], null)]];
  return [
    ['Convert to colour', changeRecipe(recipe, ['input', 'colorMode'], 'rgb')],
    ['Scale to 0 to 1', changeRecipe(recipe, ['input', 'scaling'], 'unit')],
  ];
}
