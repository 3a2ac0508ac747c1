import { describe, expect, it, vi } from 'vitest';
import { useLabStore } from '../../src/renderer/stores/lab.ts';
import { useNoticesStore } from '../../src/renderer/stores/notices.ts';
import { LabError } from '../../src/shared/contract/errors.ts';
import { isVolatile } from '../../src/shared/contract/events.ts';
import { openLab, script, transferRecipe } from '../lab.ts';
import { openPage } from './page.ts';

const patience = { timeout: 10_000 };

describe('the page and the core', () => {
  it('knows the host and the workspace once connected', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    const store = page.use(useLabStore);
    await vi.waitFor(() => expect(store.host?.kind).toBe('test'), patience);
    await vi.waitFor(() => expect(store.status?.workspace).toBe(lab.folder), patience);
    expect(store.state).toBe('connected');
  });

  it('refuses methods that take paths', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    await expect(page.connection.call('datasets.import', { paths: ['/'] })).rejects.toMatchObject({ code: 'bad_usage' });
  });

  it('shows what trains and catches up after a lost connection without gap or duplicate', async () => {
    const lab = await openLab();
    const page = openPage(() => lab.core);
    const store = page.use(useLabStore);
    const seen: number[] = [];
    page.connection.onEvent((event) => {
      if (!isVolatile(event)) seen.push(event.seq);
    });
    await vi.waitFor(() => expect(store.state).toBe('connected'), patience);
    const settings = [script({ stepMs: 30, steps: 3 })];
    const { runs, since } = await lab.client.call('runs.create', { recipe: transferRecipe, settings });
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(3), patience);
    const states: string[] = [];
    page.connection.onState((state) => states.push(state));
    page.cut();
    await vi.waitFor(() => expect(states).toEqual(['reconnecting', 'connected']), patience);
    await vi.waitFor(async () => {
      const { state } = await lab.client.call('runs.show', { run: runs[0]?.runId ?? '' });
      expect(state).toBe('finished');
    }, patience);
    const expected = await readSequence(lab.client, since);
    await vi.waitFor(() => expect(seen).toEqual(expected), patience);
    await vi.waitFor(() => expect(store.runningId).toBeNull(), patience);
  }, 30_000);

  it('tells when the workspace is another one', async () => {
    const first = await openLab();
    const second = await openLab();
    let core = first.core;
    const page = openPage(() => core);
    const store = page.use(useLabStore);
    let strangers = 0;
    page.connection.onOtherWorkspace(() => (strangers += 1));
    await vi.waitFor(() => expect(store.state).toBe('connected'), patience);
    core = second.core;
    page.cut();
    await vi.waitFor(() => expect(strangers).toBe(1), patience);
  });
});

describe('notices', () => {
  it('takes back the newest action first and says so', async () => {
    const lab = await openLab();
    const notices = openPage(() => lab.core).use(useNoticesStore);
    const undone: string[] = [];
    const note = (name: string) => (): Promise<void> => {
      undone.push(name);
      return Promise.resolve();
    };
    notices.done('Renamed A', note('A'));
    notices.done('Deleted B', note('B'));
    await notices.undo();
    await notices.undo();
    await notices.undo();
    expect(undone).toEqual(['B', 'A']);
    expect(notices.latest?.text).toBe('Undone: Renamed A');
  });

  it('shows what went wrong, but not what the person cancelled', async () => {
    const lab = await openLab();
    const notices = openPage(() => lab.core).use(useNoticesStore);
    const failing = (error: LabError) => notices.attempt(() => Promise.reject(error));
    await failing(new LabError('cancelled', 'Stopped.'));
    expect(notices.latest).toBeNull();
    await failing(new LabError('disk_full', 'The disk is full.', { help: 'Free some space.' }));
    expect(notices.latest?.error).toMatchObject({ code: 'disk_full', help: 'Free some space.' });
  });
});

async function readSequence(client: Awaited<ReturnType<typeof openLab>>['client'], since: number): Promise<number[]> {
  const sequence: number[] = [];
  for await (const event of client.events(since, AbortSignal.timeout(5000))) {
    if (!isVolatile(event)) sequence.push(event.seq);
    if (event.type === 'run.finished') return sequence;
  }
  return sequence;
}
