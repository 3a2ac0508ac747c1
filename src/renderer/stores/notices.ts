// What the lab tells a person about what they did: a short notice that names the object, with Undo where there is a way back.
import { defineStore } from 'pinia';
import { shallowRef } from 'vue';
import { toWire, type WireError } from '../../shared/contract/errors.ts';

export interface Notice {
  readonly id: number;
  readonly kind: 'done' | 'problem';
  readonly text: string;
  readonly error: WireError | null;
  readonly undo: (() => Promise<void>) | null;
}

const longestUndoList = 50;

export const useNoticesStore = defineStore('notices', () => {
  const latest = shallowRef<Notice | null>(null);
  const undoList: Notice[] = [];
  let lastId = 0;

  const show = (notice: Omit<Notice, 'id'>): Notice => {
    lastId += 1;
    latest.value = { ...notice, id: lastId };
    return latest.value;
  };
  /** Says what was done; `undo` brings back what was before. */
  const done = (text: string, undo: (() => Promise<void>) | null = null): void => {
    const notice = show({ kind: 'done', text, error: null, undo });
    if (undo === null) return;
    undoList.push(notice);
    undoList.splice(0, undoList.length - longestUndoList);
  };
  const problem = (error: unknown): void => {
    const wire = toWire(error);
    if (wire.code !== 'cancelled') show({ kind: 'problem', text: wire.message, error: wire, undo: null });
  };
  /** Runs `work` and shows what goes wrong; undefined then. */
  const attempt = async <Value>(work: () => Promise<Value>): Promise<Value | undefined> => {
    try {
      return await work();
    } catch (error) {
      problem(error);
      return undefined;
    }
  };
  /** Takes back this notice's action, or the newest one. */
  const undo = async (notice?: Notice): Promise<void> => {
    const position = notice === undefined ? undoList.length - 1 : undoList.findIndex((one) => one.id === notice.id);
    const [found] = position < 0 ? [] : undoList.splice(position, 1);
    if (found?.undo === undefined || found.undo === null) return;
    await attempt(found.undo);
    show({ kind: 'done', text: `Undone: ${found.text}`, error: null, undo: null });
  };
  return { latest, done, problem, attempt, undo };
});
