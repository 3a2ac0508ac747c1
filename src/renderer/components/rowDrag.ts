// Dragging in a table by the pointer: which gap between rows it points at, until it is let go. Escape ends it without effect.
import { ref, type Ref } from 'vue';

export interface RowDrag<Subject> {
  /** What is dragged; null while nothing is. */
  readonly subject: Ref<Subject | null>;
  /** The gap pointed at: the number of rows above it. */
  readonly gap: Ref<number>;
  begin(down: PointerEvent, subject: Subject, gap: number): void;
}

/** Rows are the elements with `data-row` inside `body`. */
export function createRowDrag<Subject>(body: () => HTMLElement | null, onDrop: (subject: Subject, gap: number) => void): RowDrag<Subject> {
  const subject = ref(null) as Ref<Subject | null>;
  const gap = ref(0);

  const begin = (down: PointerEvent, dragged: Subject, start: number): void => {
    const handle = down.currentTarget;
    if (!(handle instanceof HTMLElement) || down.button !== 0) return;
    down.preventDefault();
    handle.focus();
    handle.setPointerCapture(down.pointerId);
    subject.value = dragged;
    gap.value = start;
    const follow = new AbortController();
    const { signal } = follow;
    const end = (isDropped: boolean): void => {
      if (signal.aborted) return;
      follow.abort();
      subject.value = null;
      if (isDropped && gap.value !== start) onDrop(dragged, gap.value);
    };
    handle.addEventListener('pointermove', (event) => (gap.value = findGap(body(), event.clientY)), { signal });
    handle.addEventListener('pointerup', () => end(true), { signal });
    handle.addEventListener('lostpointercapture', () => end(false), { signal });
    window.addEventListener('keydown', (event) => (event.key === 'Escape' ? end(false) : undefined), { signal });
  };
  return { subject, gap, begin };
}

function findGap(body: HTMLElement | null, y: number): number {
  const rows = [...(body?.querySelectorAll<HTMLElement>('[data-row]') ?? [])].map((row) => row.getBoundingClientRect());
  return rows.filter((row) => row.top + row.height / 2 < y).length;
}
