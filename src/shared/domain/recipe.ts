// What a recipe means before anything runs: its network for the pictures at hand, the layers and counts of every phase, and the first reason
// why it cannot work. Called by the command line, the pages and the trainer; owns no files and no dataset.
import { LabError } from '../contract/errors.ts';
import { recipeSchema } from '../contract/schema.ts';
import type { Phase, Recipe, Split } from '../contract/schema.ts';
import { validate } from '../contract/validation.ts';
import { findNearest } from './nearest.ts';
import { countParameters } from './network.ts';
import type { NetworkParameters } from './network.ts';
import type { LayerShape, NetworkProblem, ResolvedLayer, ResolvedNetwork } from './networkTypes.ts';
import { findMultiplierProblem, findSequenceProblem } from './phaseProblems.ts';
import { resolveWholeNetwork, selectPhaseLayers } from './recipeNetwork.ts';

export interface ResolvedPhase {
  readonly name: string;
  readonly classCount: number;
  readonly trainableLayers: ReadonlySet<string>;
  readonly counts: NetworkParameters;
}

export interface ResolvedRecipe {
  readonly network: ResolvedNetwork;
  readonly phases: readonly ResolvedPhase[];
}

/** `problem.layer` names a layer, or the place in the recipe (`phases.1.classes`) when the fault is not in the network. */
export type RecipeResult =
  | { readonly ok: true; readonly resolved: ResolvedRecipe }
  | { readonly ok: false; readonly resolved: ResolvedRecipe; readonly problem: NetworkProblem };

/** What is known of the dataset at hand; without it the recipe's own classes, shape and split count. */
export interface DatasetFacts {
  readonly classCount?: number;
  readonly shape?: LayerShape;
  readonly split?: Split;
}

/** With a problem, `resolved` holds the layers and counts up to it. */
export function resolveRecipe(recipe: Recipe, facts: DatasetFacts = {}): RecipeResult {
  const classCount = facts.classCount ?? recipe.dataset.classes.length;
  const classCounts = recipe.phases.map((phase) => phase.classes?.length ?? classCount);
  const outcome = resolveWholeNetwork(recipe, findInputShape(recipe, facts.shape), classCounts[0] ?? classCount);
  const { network } = outcome;
  const selections = recipe.phases.map((phase) => selectLayers(network, phase));
  const phases = recipe.phases.map((phase, index) => {
    const trainableLayers = selections[index]?.layers ?? new Set<string>();
    const counts = countParameters(network, trainableLayers);
    return { name: phase.name, classCount: classCounts[index] ?? classCount, trainableLayers, counts };
  });
  const resolved = { network, phases };
  const problem =
    findInputProblem(recipe, network.inputShape) ??
    findClassProblem(recipe, classCount) ??
    (outcome.ok ? findSoftmaxProblem(recipe, network) : outcome.problem) ??
    findPhaseProblem(recipe, resolved, selections, facts.split ?? recipe.splits[recipe.protocol]);
  return problem === null ? { ok: true, resolved } : { ok: false, resolved, problem };
}

/** As `resolveRecipe`, but a recipe that cannot work is LabError bad_recipe. */
export function requireRecipe(recipe: Recipe, facts: DatasetFacts = {}): ResolvedRecipe {
  const result = resolveRecipe(recipe, facts);
  if (result.ok) return result.resolved;
  const { layer, message, fix } = result.problem;
  throw new LabError('bad_recipe', `The recipe ${recipe.id} cannot work. At '${layer}': ${message}`, { help: fix });
}

/** The split that applies to a dataset: the fallback dataset has splits of its own. */
export function chooseSplit(recipe: Recipe, datasetId: string): Split {
  const { fallback } = recipe.dataset;
  const splits = fallback !== null && fallback.id === datasetId ? fallback.splits : recipe.splits;
  return splits[recipe.protocol];
}

/** Height, width and channels that reach the first layer, after resizing and colour conversion. */
export function findInputShape(recipe: Recipe, datasetShape: LayerShape = recipe.dataset.shape): [number, number, number] {
  const [height = 1, width = 1, channels = 1] = datasetShape;
  const [inputHeight, inputWidth] = recipe.input.size ?? [height, width];
  const { colorMode } = recipe.input;
  return [inputHeight, inputWidth, colorMode === null ? channels : colorMode === 'rgb' ? 3 : 1];
}

interface LayerSelection {
  readonly layers: ReadonlySet<string>;
  readonly error: LabError | null;
}

function selectLayers(network: ResolvedNetwork, phase: Phase): LayerSelection {
  try {
    return { layers: selectPhaseLayers(network, phase), error: null };
  } catch (error) {
    if (error instanceof LabError) return { layers: new Set(), error };
    throw error;
  }
}

function findInputProblem(recipe: Recipe, [, , channels = 1]: LayerShape): NetworkProblem | null {
  const { normalize, scaling } = recipe.input;
  if (scaling === 'caffe' && channels !== 3) {
    return problemAt(
      'input.scaling',
      `The scaling 'caffe' needs colour pictures, but they have ${channels} channel.`,
      "Set input.colorMode to 'rgb'.",
    );
  }
  if (normalize !== null && (normalize.mean.length !== channels || normalize.std.length !== channels)) {
    return problemAt(
      'input.normalize',
      `normalize has ${normalize.mean.length} means and ${normalize.std.length} standard deviations, but the pictures have ${channels} channels.`,
      `Give ${channels} numbers in mean and in std.`,
    );
  }
  return null;
}

function findClassProblem(recipe: Recipe, classCount: number): NetworkProblem | null {
  const first = recipe.phases[0];
  for (const [index, phase] of recipe.phases.entries()) {
    const place = `phases.${index}.classes`;
    const classes = phase.classes ?? [];
    const outside = classes.find((label) => label >= classCount);
    if (outside !== undefined) {
      const message = `Phase '${phase.name}' uses class ${outside}, but the dataset has the classes 0 to ${classCount - 1}.`;
      return problemAt(place, message, `Use class numbers from 0 to ${classCount - 1}.`);
    }
    const repeated = classes.find((label, position) => classes.indexOf(label) !== position);
    if (repeated !== undefined) {
      return problemAt(place, `Phase '${phase.name}' names class ${repeated} twice.`, 'Name every class once.');
    }
    const count = phase.classes?.length ?? classCount;
    const expected = first?.classes?.length ?? classCount;
    if (count !== expected) {
      const message = `Phase '${phase.name}' has ${count} classes and the first phase ${expected}, but all phases share one last layer.`;
      return problemAt(place, message, `Use ${expected} classes in every phase.`);
    }
  }
  return null;
}

function findSoftmaxProblem(recipe: Recipe, network: ResolvedNetwork): NetworkProblem | null {
  const last = network.layers.at(-1);
  if (last === undefined || recipe.phases.every((phase) => phase.loss.type !== 'categoricalCrossentropy')) return null;
  const activation = findActivation(last);
  if (activation === 'softmax') return null;
  const message = `The loss categoricalCrossentropy needs probabilities, but the network ends with '${last.name}' without softmax.`;
  const fix =
    activation === null ? `Add Activation with activation softmax after '${last.name}'.` : `Set activation of '${last.name}' to softmax.`;
  return { layer: last.name, message, fix };
}

function findActivation(layer: ResolvedLayer): string | null {
  return 'activation' in layer.config ? layer.config.activation : null;
}

function findPhaseProblem(
  recipe: Recipe,
  resolved: ResolvedRecipe,
  selections: readonly LayerSelection[],
  split: Split,
): NetworkProblem | null {
  for (const [index, phase] of recipe.phases.entries()) {
    const place = `phases.${index}`;
    const { error } = selections[index] ?? { error: null };
    if (error !== null) {
      const fix = error.expected === undefined ? (error.help ?? '') : `Use ${error.expected}.`;
      return problemAt(`${place}.trainable`, error.message, fix);
    }
    const phaseResult = resolved.phases[index];
    if (phaseResult?.counts.trainable === 0) {
      const message = `Phase '${phase.name}' has nothing to train: every layer with weights is frozen.`;
      return problemAt(`${place}.trainable`, message, 'Leave at least one layer with weights trainable.');
    }
    if (recipe.phases.findIndex((other) => other.name === phase.name) !== index) {
      return problemAt(`${place}.name`, `Two phases are called '${phase.name}'.`, 'Give every phase a name of its own.');
    }
    const problem =
      findWeightProblem(phase, place, phaseResult?.classCount ?? 0) ??
      findMultiplierProblem(phase, index, resolved.network) ??
      findSequenceProblem(recipe, index, split) ??
      findValidationProblem(phase, place, split);
    if (problem !== null) return problem;
  }
  return null;
}

function findWeightProblem(phase: Phase, place: string, classCount: number): NetworkProblem | null {
  const { classWeights, loss } = phase;
  if (Array.isArray(classWeights) && classWeights.length !== classCount) {
    const message = `Phase '${phase.name}' has ${classWeights.length} class weights for ${classCount} classes.`;
    return problemAt(`${place}.classWeights`, message, `Give ${classCount} numbers, or 'balanced'.`);
  }
  if (Array.isArray(classWeights) && classWeights.every((weight) => weight === 0)) {
    return problemAt(`${place}.classWeights`, `All class weights of phase '${phase.name}' are 0.`, 'Give at least one a positive weight.');
  }
  if (loss.type === 'meanSquaredError' && loss.labelSmoothing > 0) {
    return problemAt(`${place}.loss`, 'labelSmoothing belongs to categoricalCrossentropy.', 'Set labelSmoothing to 0.');
  }
  return null;
}

function findValidationProblem(phase: Phase, place: string, split: Split): NetworkProblem | null {
  if (split.validation.type !== 'none') return null;
  const needs: [string, boolean][] = [
    ['earlyStopping', phase.earlyStopping?.monitor.startsWith('val') ?? false],
    ['keep', phase.keep !== 'last'],
    ['schedule', phase.schedule.type === 'reduceOnPlateau' && phase.schedule.monitor.startsWith('val')],
  ];
  const field = needs.find(([, isNeeded]) => isNeeded)?.[0];
  if (field === undefined) return null;
  return problemAt(
    `${place}.${field}`,
    `${field} of phase '${phase.name}' watches the validation set, but the split holds out none.`,
    'Hold out validation pictures in the split, or watch the training set.',
  );
}

function problemAt(place: string, message: string, fix: string): NetworkProblem {
  return { layer: place, message, fix };
}

/** Fills in defaults; LabError bad_recipe names the first place that does not fit. `source` is a file name or template id for the message. */
export function parseRecipe(value: unknown, source: string): Recipe {
  return validate(recipeSchema, value, source, {
    code: 'bad_recipe',
    help: 'Correct this place; `recipes show` prints a recipe that is valid.',
  });
}

/** `path` names an existing place as in `phases.0.epochs`; `json` is its new value as JSON text. The changed recipe is validated again. */
export function applySetting(recipe: Recipe, path: string, json: string): Recipe {
  const value = parseValue(path, json);
  const changed: unknown = structuredClone(recipe);
  const segments = path.split('.');
  const last = segments.pop() ?? '';
  let place = changed;
  for (const [index, segment] of segments.entries()) {
    place = enter(place, segment, segments.slice(0, index))[segment];
  }
  enter(place, last, segments)[last] = value;
  return parseRecipe(changed, `${recipe.id} with ${path}=${json}`);
}

function parseValue(path: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new LabError('bad_usage', `The value given for ${path} is not JSON.`, {
      expected: 'a number, true, false, null, "text", [list] or {"object": 1}',
      received: json,
      help: `Put text in double quotes, for example --set '${path}="text"'.`,
      cause: error,
    });
  }
}

/** The container, as something that can be indexed, once it is sure that it has the key. */
function enter(container: unknown, key: string, parents: readonly string[]): Record<string, unknown> {
  const where = parents.length === 0 ? 'The recipe' : parents.join('.');
  if (!isContainer(container)) {
    throw new LabError('bad_usage', `${where} has nothing inside that could be set.`, {
      expected: `a path that ends at ${parents.join('.')}`,
      received: `${where} is ${describeValue(container)}`,
      help: `Set ${where} as a whole, for example --set '${where}={...}'.`,
    });
  }
  if (Object.hasOwn(container, key) && !(Array.isArray(container) && key === 'length')) return container;
  const keys = Object.keys(container);
  const near = Array.isArray(container) ? [] : findNearest(key, keys);
  const range = keys.length === 0 ? 'nothing, the list is empty' : `a number from 0 to ${keys.length - 1}`;
  throw new LabError('bad_usage', `${where} has no '${key}'.`, {
    expected: Array.isArray(container) ? range : `one of ${(near.length > 0 ? near : keys).join(', ')}`,
    received: key,
    help: near[0] === undefined ? 'Choose an existing place of the recipe.' : `Did you mean ${[...parents, near[0]].join('.')}?`,
  });
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
