// Pairs worth comparing, offered in one click: the phases of the newest run, what a chosen run has besides, and for document 000 the two
// directions against each other, where both networks are tested on the same classes.
import type { RunStateName } from '../../../shared/contract/answers.ts';
import type { EntryReference } from '../../../shared/contract/method.ts';

export interface CandidatePhase {
  readonly index: number;
  readonly name: string;
  readonly epochs: number;
  readonly testAccuracy: number | null;
}

/** A run with its finished phases. */
export interface EntryCandidate {
  readonly runId: string;
  readonly name: string;
  readonly recipeId: string;
  readonly seed: number;
  readonly state: RunStateName;
  readonly createdAt: string;
  readonly phases: readonly CandidatePhase[];
}

export interface EntrySuggestion {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly entries: readonly EntryReference[];
}

/** Phase 0 trains in full on the first classes, phase 1 is tuned on the others. */
const pairings = [
  { classes: '0-4', full: 'fashion-transfer-0to4', tuned: 'fashion-transfer-5to9' },
  { classes: '5-9', full: 'fashion-transfer-5to9', tuned: 'fashion-transfer-0to4' },
] as const;

/** `candidates` newest first; the newest run is offered only when `isWhole`, that is when nothing was searched. */
export function listSuggestions(candidates: readonly EntryCandidate[], isWhole: boolean, chosenRuns: readonly string[]): EntrySuggestion[] {
  const chosen = new Set(chosenRuns);
  const several = candidates.filter(({ phases }) => phases.length > 1);
  const newest = isWhole ? several[0] : undefined;
  const ofRuns = unique([...(newest === undefined ? [] : [newest]), ...several.filter(({ runId }) => chosen.has(runId))]);
  return [...ofRuns.map(suggestPhases), ...pairings.flatMap((pairing) => suggestPairing(pairing, candidates))];
}

function suggestPhases({ runId, name, phases }: EntryCandidate): EntrySuggestion {
  const names = phases.map((phase) => phase.name);
  const words = names.length === 2 ? names.join(' with ') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
  return {
    id: `phases:${runId}`,
    title: `Compare ${words}`,
    note: `${name} (${runId})`,
    entries: phases.map(({ index }) => ({ run: runId, phase: index })),
  };
}

function suggestPairing({ classes, full, tuned }: (typeof pairings)[number], candidates: readonly EntryCandidate[]): EntrySuggestion[] {
  const find = (recipe: string, phase: number): EntryCandidate | undefined =>
    candidates.find(({ recipeId, phases }) => recipeId === recipe && phases.some(({ index }) => index === phase));
  const first = find(full, 0);
  const second = find(tuned, 1);
  if (first === undefined || second === undefined) return [];
  return [
    {
      id: `pairing:${classes}`,
      title: `Compare ${classes} in full with ${classes} tuned`,
      note: `The sound pairing for document 000: both were tested on classes ${classes} (${first.runId}, ${second.runId})`,
      entries: [
        { run: first.runId, phase: 0 },
        { run: second.runId, phase: 1 },
      ],
    },
  ];
}

function unique(candidates: readonly EntryCandidate[]): EntryCandidate[] {
  return [...new Map(candidates.map((one) => [one.runId, one])).values()];
}
