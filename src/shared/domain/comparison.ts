// What two or more entries (run and phase) have in common and in what they differ: recipes become lists of settings by path, and settings
// are laid side by side. It reads recipes only; metrics, times and counts are put beside them by services/comparison.
import { layerSchema, type Layer } from '../contract/layers.ts';
import type { Comparison } from '../contract/methods/comparison.ts';
import type { Phase, Recipe } from '../contract/schema.ts';
import { nameEveryLayer } from './draft/layers.ts';
import { chooseSplit } from './recipe.ts';

export type Setting = Comparison['settings'][number];
export type SettingValue = Setting['values'][number];
/** Values by path, in the order in which people read them. */
export type EntrySettings = ReadonlyMap<string, SettingValue>;

export interface EntryRecipe {
  readonly recipe: Recipe;
  readonly phase: number;
  readonly seed: number;
  readonly datasetId: string;
  /** null until training began. */
  readonly fingerprint: string | null;
  /** Pictures of the phase; null until training began. */
  readonly split: { readonly train: number; readonly validation: number; readonly test: number; readonly sha256: string } | null;
}

/** Beyond this many values the layers are told apart by a checksum only, so that an answer stays within the limits of a message. */
const mostLayerValues = 4000;
const longestText = 300;
const longestLabel = 20;

/** One list of settings per entry: dataset, split, input, the entry's phase, network, seed and protocol. */
export function describeSettings(entries: readonly EntryRecipe[]): EntrySettings[] {
  const summaries = new Map<string, string>();
  const summarise = (layer: Layer): string => {
    const key = JSON.stringify(layer);
    const found = summaries.get(key) ?? summariseLayer(layer);
    summaries.set(key, found);
    return found;
  };
  const layers = entries.reduce((total, { recipe }) => total + recipe.network.layers.length, 0);
  return entries.map((entry) => describeEntry(entry, layers > mostLayerValues ? undefined : summarise));
}

/** Every path that any entry has, with one value per entry; null where an entry has no such setting. */
export function alignSettings(entries: readonly EntrySettings[]): Setting[] {
  const paths = mergeOrders(entries.map((entry) => [...entry.keys()]));
  const rows = paths.map((path) => ({ path, values: entries.map((entry) => entry.get(path) ?? null) }));
  // `augmentation: null` says nothing beside `augmentation.rotationRange`, whose values are null there.
  const parents = new Set(paths.flatMap(parentsOf));
  return rows.filter(({ path, values }) => !parents.has(path) || values.some((value) => value !== null));
}

/** The settings whose values are not all equal. */
export function findDifferences(settings: readonly Setting[]): Setting[] {
  return settings.filter(({ values }) => values.some((value) => value !== values[0]));
}

export interface TestSetFacts {
  readonly runId: string;
  readonly datasetId: string;
  readonly fingerprint: string | null;
  readonly splitSha256: string | null;
  /** Of the phase, in the order of its labels. */
  readonly classes: readonly string[];
}

/** Equal for two entries exactly when dataset, split file and classes are; unlike every other text while one of them is not known. */
export function describeTestSet({ runId, datasetId, fingerprint, splitSha256, classes }: TestSetFacts): string {
  if (fingerprint === null || splitSha256 === null) return `not known before the run ${runId} begins`;
  return `${datasetId} ${fingerprint.slice(0, 16)}, split ${splitSha256.slice(0, 16)}, classes ${JSON.stringify(classes)}`;
}

/** Short names that tell the entries apart: the phase when that is enough, else the run's name when it is short, else a letter and the phase. */
export function labelEntries(entries: readonly { readonly name: string; readonly phase: string }[]): string[] {
  const ways = [entries.map(({ phase }) => phase), entries.map(({ name }) => name)];
  const fitting = ways.find((labels) => new Set(labels).size === labels.length && labels.every((label) => label.length <= longestLabel));
  return fitting ?? entries.map(({ phase }, index) => `${letterOf(index)} ${phase}`);
}

export function classesOf(recipe: Recipe, phase: number): string[] {
  const all = recipe.dataset.classes;
  return recipe.phases[phase]?.classes?.map((label) => all[label] ?? `class ${label}`) ?? [...all];
}

function describeEntry(entry: EntryRecipe, summarise: ((layer: Layer) => string) | undefined): EntrySettings {
  const { recipe, split } = entry;
  const settings = new Map<string, SettingValue>([
    ['dataset.id', entry.datasetId],
    ['dataset.fingerprint', entry.fingerprint],
    ['dataset.classes', limitText(classesOf(recipe, entry.phase).join(', '))],
    ['split.protocol', recipe.protocol],
  ]);
  flatten('split', chooseSplit(recipe, entry.datasetId), settings);
  settings.set('split.trainingPictures', split?.train ?? null);
  settings.set('split.validationPictures', split?.validation ?? null);
  settings.set('split.testPictures', split?.test ?? null);
  flatten('input', recipe.input, settings);
  addPhase(recipe, entry.phase, settings);
  addNetwork(recipe, summarise, settings);
  settings.set('seed', entry.seed);
  return settings;
}

function addPhase(recipe: Recipe, index: number, settings: Map<string, SettingValue>): void {
  const phase = recipe.phases[index];
  if (phase === undefined) return;
  settings.set('phase.startsFrom', describeStart(recipe.phases, index));
  const ownLines = new Set(['name', 'classes', 'startFrom']);
  flatten('phase', Object.fromEntries(Object.entries(phase).filter(([key]) => !ownLines.has(key))), settings);
}

/** The phases whose weights this one continues, each with a checksum of its settings. */
function describeStart(phases: readonly Phase[], index: number): string {
  const earlier: string[] = [];
  for (let position = index; position > 0 && phases[position]?.startFrom === 'previous'; position -= 1) {
    const phase = phases[position - 1];
    if (phase !== undefined) earlier.unshift(`${phase.name}, ${phase.epochs} epochs (settings ${checksum(JSON.stringify(phase))})`);
  }
  return earlier.length === 0 ? 'fresh weights' : `weights of ${earlier.join(', then ')}`;
}

/** The base is told by its own settings; its layers follow from them and are not listed. */
function addNetwork(recipe: Recipe, summarise: ((layer: Layer) => string) | undefined, settings: Map<string, SettingValue>): void {
  const { base, layers } = recipe.network;
  flatten('network.base', base, settings);
  settings.set('network.layerCount', layers.length);
  if (summarise === undefined) {
    settings.set('network.checksum', checksum(JSON.stringify(layers)));
    return;
  }
  for (const layer of nameEveryLayer(layers)) settings.set(`network.${layer.name}`, summarise(layer));
}

/** Type and every option that is not at its default, such as `Conv2D filters 32, kernelSize 3 x 3`. */
function summariseLayer(layer: Layer): string {
  const options = Object.entries(layer).filter(([key]) => key !== 'type' && key !== 'name');
  const own = options.filter(([key, value]) => !isDefault(layer, key, value));
  return limitText([layer.type, own.map(([key, value]) => `${key} ${describeOption(value)}`).join(', ')].join(' ').trim());
}

function isDefault(layer: Layer, key: string, value: unknown): boolean {
  const rest = Object.fromEntries(Object.entries(layer).filter(([other]) => other !== key));
  const parsed = layerSchema.safeParse(rest);
  return parsed.success && JSON.stringify((parsed.data as Readonly<Record<string, unknown>>)[key]) === JSON.stringify(value);
}

function describeOption(value: unknown): string {
  if (Array.isArray(value)) return value.map(describeOption).join(' x ');
  if (typeof value !== 'object' || value === null) return String(value);
  const parts = Object.entries(value).map(([key, inner]) => (key === 'type' ? String(inner) : `${key} ${describeOption(inner)}`));
  return `(${parts.join(' ')})`;
}

/** A to Z, then AA, AB ... as spreadsheets count. */
function letterOf(index: number): string {
  const last = String.fromCharCode(65 + (index % 26));
  return index < 26 ? last : `${letterOf(Math.floor(index / 26) - 1)}${last}`;
}

/** Lists become one text; objects become paths. */
function flatten(path: string, value: unknown, settings: Map<string, SettingValue>): void {
  if (Array.isArray(value)) settings.set(path, limitText(value.map((part) => JSON.stringify(part)).join(', ')));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) flatten(`${path}.${key}`, inner, settings);
  } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null) {
    settings.set(path, value);
  }
}

/** A text that is too long to read keeps its beginning and a checksum of the whole, so that different ones stay different. */
function limitText(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 40)}… (${text.length} characters, ${checksum(text)})`;
}

/** FNV-1a with 32 bits over UTF-16 units; tells settings apart, protects nothing. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function parentsOf(path: string): string[] {
  const parts = path.split('.');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
}

/** All paths once: those that only a later entry has come after the path they follow there. */
function mergeOrders(orders: readonly (readonly string[])[]): string[] {
  const merged = [...(orders[0] ?? [])];
  const known = new Set(merged);
  for (const order of orders.slice(1)) {
    for (const [index, path] of order.entries()) {
      if (known.has(path)) continue;
      const before = order[index - 1];
      merged.splice(before === undefined ? 0 : merged.indexOf(before) + 1, 0, path);
      known.add(path);
    }
  }
  return merged;
}
