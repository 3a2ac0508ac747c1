// The draft with its past and future: every edit can be undone and done again, and the newest state outlives a reload of the page.
import { computed, shallowRef, type ComputedRef, type ShallowRef } from 'vue';
import { draftSchema, type Draft } from '../../../shared/domain/draft/draft.ts';
import { recall, remember } from '../../memory.ts';

const memoryKey = 'newRun.draft';
const longestPast = 200;
/** Edits of one field within this time are one step of undo: typing a number is one edit. */
const togetherMs = 1000;

export interface DraftHistory {
  readonly draft: ShallowRef<Draft | null>;
  readonly canUndo: ComputedRef<boolean>;
  readonly canRedo: ComputedRef<boolean>;
  /** Begins with another draft: past and future are empty. */
  begin(draft: Draft): void;
  /** `what` names the place that is edited. */
  edit(what: string, next: Draft): void;
  undo(): void;
  redo(): void;
  forget(): void;
  recallDraft(): Draft | null;
}

export function createDraftHistory(): DraftHistory {
  const draft = shallowRef<Draft | null>(null);
  const past = shallowRef<readonly Draft[]>([]);
  const future = shallowRef<readonly Draft[]>([]);
  let last = { what: '', at: -Infinity };

  const show = (next: Draft | null): void => {
    draft.value = next;
    remember(memoryKey, next);
  };
  const travel = (from: ShallowRef<readonly Draft[]>, to: ShallowRef<readonly Draft[]>): void => {
    const next = from.value.at(-1);
    if (next === undefined || draft.value === null) return;
    to.value = [...to.value, draft.value];
    from.value = from.value.slice(0, -1);
    last = { what: '', at: -Infinity };
    show(next);
  };
  return {
    draft,
    canUndo: computed(() => past.value.length > 0),
    canRedo: computed(() => future.value.length > 0),
    begin: (next) => {
      past.value = [];
      future.value = [];
      last = { what: '', at: -Infinity };
      show(next);
    },
    edit: (what, next) => {
      if (draft.value === null || next === draft.value) return;
      const at = performance.now();
      const isTogether = last.what === what && at - last.at < togetherMs;
      if (!isTogether) past.value = [...past.value, draft.value].slice(-longestPast);
      last = { what, at };
      future.value = [];
      show(next);
    },
    undo: () => travel(past, future),
    redo: () => travel(future, past),
    forget: () => {
      past.value = [];
      future.value = [];
      show(null);
    },
    recallDraft: () => draftSchema.safeParse(recall<unknown>(memoryKey, null)).data ?? null,
  };
}
