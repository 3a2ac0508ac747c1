// Entries side by side under one checkpoint rule: settings, counts, times and accuracies. Settings are read from recipes in
// domain/comparison; the epoch of each entry is found by the history, as domain/policies chooseEpoch would among all its epochs.
import type { Answer, HandlerInput } from '../../shared/contract/api.ts';
import { LabError } from '../../shared/contract/errors.ts';
import type { EntryReference } from '../../shared/contract/method.ts';
import type { Recipe } from '../../shared/contract/schema.ts';
import { alignSettings, classesOf, describeSettings, describeTestSet, findDifferences } from '../../shared/domain/comparison.ts';
import type { CheckpointRule } from '../../shared/domain/policies.ts';
import { selectionNames } from '../../shared/domain/run.ts';
import type { EpochStore, StoredEpoch } from '../db/epochs.ts';
import type { PhaseStore, StoredPhase } from '../db/phases.ts';
import type { RunStore, StoredRun } from '../db/runs.ts';
import { requireKept, resolveRun } from './runReferences.ts';

export interface ComparisonService {
  show(request: HandlerInput<'comparison.show'>): Answer<'comparison.show'>;
  /** The runs, recipes and phases behind the references, in their order; throws what `show` throws. */
  resolve(references: readonly EntryReference[]): readonly ResolvedEntry[];
}

export interface ComparisonSurroundings {
  readonly runs: RunStore;
  readonly phases: PhaseStore;
  readonly epochs: EpochStore;
}

export interface ResolvedEntry {
  readonly run: StoredRun;
  readonly recipe: Recipe;
  readonly phaseIndex: number;
  readonly phase: StoredPhase;
}

type ComparedEntry = Answer<'comparison.show'>['entries'][number];

export function createComparison(surroundings: ComparisonSurroundings): ComparisonService {
  const resolve = (references: readonly EntryReference[]): ResolvedEntry[] => resolveEntries(references, surroundings);
  return {
    resolve,
    show: ({ entries: references, base, rule }) => {
      const entries = resolve(references);
      const settings = alignSettings(describeSettings(entries.map(toEntryRecipe)));
      return {
        rule,
        base: base === null ? 0 : findBase(base, entries, surroundings),
        entries: entries.map((entry) => compareEntry(entry, rule, surroundings.epochs)),
        differences: findDifferences(settings),
        settings,
      };
    },
  };
}

function resolveEntries(references: readonly EntryReference[], { runs, phases }: ComparisonSurroundings): ResolvedEntry[] {
  const found = references.map(({ run, phase }) => ({ run: resolveRun(runs, run), phaseIndex: phase }));
  const phasesOf = phases.listMany([...new Set(found.map(({ run }) => run.runId))]);
  const recipes = new Map<string, Recipe>();
  const seen = new Set<string>();
  return found.map(({ run, phaseIndex }) => {
    requireKept(run);
    const all = phasesOf.get(run.runId) ?? [];
    const phase = all[phaseIndex];
    if (phase === undefined) throw missingPhase(run, phaseIndex, all);
    const key = `${run.runId}:${phaseIndex}`;
    if (seen.has(key)) {
      throw new LabError('bad_usage', `The phase '${phase.name}' of run ${run.runId} is given twice.`, {
        expected: 'different entries',
        help: 'Give every entry once.',
      });
    }
    seen.add(key);
    const recipe = recipes.get(run.runId) ?? runs.readRecipe(run.runId);
    recipes.set(run.runId, recipe);
    return { run, recipe, phaseIndex, phase };
  });
}

function missingPhase(run: StoredRun, phaseIndex: number, phases: readonly StoredPhase[]): LabError {
  return new LabError('not_found', `The run ${run.runId} has no phase ${phaseIndex + 1}.`, {
    expected: `a phase from 1 to ${phases.length}: ${phases.map(({ name }) => name).join(', ')}`,
    received: String(phaseIndex + 1),
    help: `\`lab runs show ${run.runId}\` shows its phases.`,
  });
}

function findBase(base: EntryReference, entries: readonly ResolvedEntry[], { runs }: ComparisonSurroundings): number {
  const { runId } = resolveRun(runs, base.run);
  const position = entries.findIndex((entry) => entry.run.runId === runId && entry.phaseIndex === base.phase);
  if (position >= 0) return position;
  throw new LabError('bad_usage', 'The base is not one of the compared entries.', {
    expected: `one of ${entries.map(({ run, phase }) => `${run.runId}:${phase.name}`).join(', ')}`,
    received: `${runId}, phase ${base.phase + 1}`,
    help: 'Add it to the entries, or choose another base.',
  });
}

function toEntryRecipe({ run, recipe, phaseIndex, phase }: ResolvedEntry) {
  const { seed, datasetId, datasetFingerprint: fingerprint } = run;
  return { recipe, phase: phaseIndex, seed, datasetId, fingerprint, split: phase.split };
}

function compareEntry(entry: ResolvedEntry, rule: CheckpointRule, epochs: EpochStore): ComparedEntry {
  const { run, recipe, phaseIndex, phase } = entry;
  const chosen = findChosen(run.runId, phaseIndex, rule, epochs);
  const testNote = explainMissingTest(phase, chosen, rule);
  return {
    runId: run.runId,
    phase: phase.name,
    phaseIndex,
    name: run.name,
    recipeId: run.recipeId,
    seed: run.seed,
    epoch: chosen?.epoch ?? null,
    epochs: phase.epochs,
    total: phase.total,
    trainable: phase.trainable,
    nonTrainable: phase.nonTrainable,
    seconds: phase.seconds,
    secondsPerEpoch: phase.secondsPerEpoch,
    train: chosen?.train ?? null,
    validation: chosen?.validation ?? null,
    test: testNote === null ? phase.test : null,
    testNote,
    testSet: describeTestSet({
      runId: run.runId,
      datasetId: run.datasetId,
      fingerprint: run.datasetFingerprint,
      splitSha256: phase.split?.sha256 ?? null,
      classes: classesOf(recipe, phaseIndex),
    }),
  };
}

function findChosen(runId: string, phase: number, rule: CheckpointRule, epochs: EpochStore): StoredEpoch | undefined {
  if (rule === 'last') return epochs.findLast(runId, phase);
  if (rule === 'best-val-loss') return epochs.findBest(runId, phase, 'validationLoss');
  if (rule === 'best-val-accuracy') return epochs.findBest(runId, phase, 'validationAccuracy');
  return epochs.find(runId, phase, Number(rule.slice('epoch='.length)));
}

/** null when the test metrics of the phase are those of the chosen epoch. */
function explainMissingTest(phase: StoredPhase, chosen: StoredEpoch | undefined, rule: CheckpointRule): string | null {
  const { best, test } = phase;
  if (best === null) return 'The phase has not finished, so its test set was not read.';
  if (test === null) return 'The phase has no test set.';
  const kept = `The test set was read with the weights of epoch ${best.epoch}, which the phase kept (${selectionNames[best.rule]})`;
  if (chosen === undefined) return `${kept}; the rule ${rule} finds no epoch.`;
  return chosen.epoch === best.epoch ? null : `${kept}; the rule ${rule} chooses epoch ${chosen.epoch}.`;
}
