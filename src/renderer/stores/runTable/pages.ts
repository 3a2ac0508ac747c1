// The rows of a long table, read in pages when they come into sight. One page is read at a time and the one in sight first, so that a fast
// scroll does not pile up calls. Rows stay shown while they are read again; a stale page is replaced, never emptied.
import { ref, shallowRef, triggerRef, type Ref, type ShallowRef } from 'vue';
import type { Answer, CallInput } from '../../../shared/contract/api.ts';
import { toWire, type WireError } from '../../../shared/contract/errors.ts';
import type { RunRow } from '../../../shared/contract/methods/runs.ts';
import type { RunId } from '../../../shared/contract/schema.ts';

export const pageLength = 100;
/** More are forgotten, the farthest first. */
const mostPages = 40;

export type RunQuestion = Omit<CallInput<'runs.query'>, 'offset' | 'limit'>;

export interface RunPages {
  /** Null until the first answer. */
  readonly total: Ref<number | null>;
  readonly error: ShallowRef<WireError | null>;
  /** The rows shown answer an earlier question. */
  readonly isOutdated: Ref<boolean>;
  /** Undefined while it is not read; changes are seen. */
  rowAt(index: number): RunRow | undefined;
  /** Where the run stands among the rows that are read. */
  indexOf(runId: RunId): number | null;
  /** Reads what is missing of these rows, both ends included. */
  want(first: number, last: number): void;
  /** Another question: the rows in sight stay until its first answer. */
  ask(question: RunQuestion): void;
  /** The same question again. */
  refresh(): void;
  /** Shows a changed row before the core was asked. */
  change(runId: RunId, change: (row: RunRow) => RunRow): void;
}

export interface RunPagesOptions {
  readonly query: (input: CallInput<'runs.query'>) => Promise<Answer<'runs.query'>>;
  /** After reading again, the first row in sight stands this many rows further down. */
  readonly onShift: (rows: number) => void;
  readonly onRows: (rows: readonly RunRow[]) => void;
}

export function createRunPages(options: RunPagesOptions): RunPages {
  return new Pages(options);
}

class Pages implements RunPages {
  readonly total = ref<number | null>(null);
  readonly error = shallowRef<WireError | null>(null);
  readonly isOutdated = ref(false);
  readonly #options: RunPagesOptions;
  readonly #pages = shallowRef(new Map<number, readonly RunRow[]>());
  /** Pages read since the last question or refresh. */
  readonly #fresh = new Set<number>();
  #question: RunQuestion | null = null;
  #generation = 0;
  #wanted = { first: 0, last: 0 };
  #anchor: { readonly runId: RunId; readonly index: number } | null = null;
  #isReading = false;

  constructor(options: RunPagesOptions) {
    this.#options = options;
  }

  rowAt(index: number): RunRow | undefined {
    return this.#pages.value.get(Math.floor(index / pageLength))?.[index % pageLength];
  }

  indexOf(runId: RunId): number | null {
    for (const [page, rows] of this.#pages.value) {
      const position = rows.findIndex((row) => row.runId === runId);
      if (position >= 0) return page * pageLength + position;
    }
    return null;
  }

  want(first: number, last: number): void {
    this.#wanted = { first, last };
    void this.#read();
  }

  ask(question: RunQuestion): void {
    this.#question = question;
    this.#generation += 1;
    this.#anchor = null;
    this.#wanted = { first: 0, last: this.#wanted.last - this.#wanted.first };
    this.isOutdated.value = true;
    this.refresh();
  }

  refresh(): void {
    const { first } = this.#wanted;
    const top = this.rowAt(first);
    this.#anchor = first === 0 || top === undefined || this.isOutdated.value ? null : { runId: top.runId, index: first };
    this.#fresh.clear();
    void this.#read();
  }

  change(runId: RunId, change: (row: RunRow) => RunRow): void {
    const index = this.indexOf(runId);
    const row = index === null ? undefined : this.rowAt(index);
    if (index === null || row === undefined) return;
    const page = Math.floor(index / pageLength);
    this.#pages.value.set(page, this.#pages.value.get(page)?.with(index % pageLength, change(row)) ?? []);
    triggerRef(this.#pages);
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      for (let page = this.#next(); page !== null; page = this.#next()) await this.#readPage(page);
      this.error.value = null;
    } catch (problem) {
      this.error.value = toWire(problem);
    } finally {
      this.#isReading = false;
    }
  }

  async #readPage(page: number): Promise<void> {
    const generation = this.#generation;
    const answer = await this.#options.query({ ...this.#question, offset: page * pageLength, limit: pageLength });
    if (generation !== this.#generation) return;
    if (this.isOutdated.value) this.#pages.value.clear();
    this.isOutdated.value = false;
    // Runs came or went between two pages: the others no longer fit.
    if (answer.total !== this.total.value) this.#fresh.clear();
    this.total.value = answer.total;
    this.#fresh.add(page);
    this.#pages.value.set(page, answer.rows);
    this.#forget();
    triggerRef(this.#pages);
    this.#options.onRows(answer.rows);
    this.#follow(page, answer.rows);
  }

  /** The rows in sight stay where they are when runs appear above them. */
  #follow(page: number, rows: readonly RunRow[]): void {
    const anchor = this.#anchor;
    const position = anchor === null ? -1 : rows.findIndex((row) => row.runId === anchor.runId);
    if (anchor === null || position < 0) return;
    this.#anchor = null;
    const moved = page * pageLength + position - anchor.index;
    if (moved !== 0) this.#options.onShift(moved);
  }

  /** A page that is wanted and not read since the last change. */
  #next(): number | null {
    if (this.#question === null) return null;
    const most = this.total.value === null || this.isOutdated.value ? this.#wanted.last : Math.min(this.#wanted.last, this.total.value - 1);
    const lastPage = Math.floor(Math.max(0, most) / pageLength);
    for (let page = Math.min(lastPage, Math.floor(this.#wanted.first / pageLength)); page <= lastPage; page += 1) {
      if (!this.#fresh.has(page)) return page;
    }
    return null;
  }

  #forget(): void {
    const middle = (this.#wanted.first + this.#wanted.last) / 2 / pageLength;
    const far = [...this.#pages.value.keys()].sort((one, other) => Math.abs(other - middle) - Math.abs(one - middle));
    for (const page of far.slice(0, Math.max(0, far.length - mostPages))) {
      this.#pages.value.delete(page);
      this.#fresh.delete(page);
    }
  }
}
