import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { runDetailsSchema, runsAnswerSchema, runStateAnswerSchema, type RunSummary } from '../src/shared/contract/answers.ts';
import { readProcessStart } from '../src/main/services/processes.ts';
import { answerOf, errorOf, linesOf, run, scripted, start, type Running } from './commandLine.ts';
import { makeFolder } from './lab.ts';

const undisturbed = [0, 1].flatMap((phase) => [1, 2, 3, 4, 5].map((epoch) => `${phase}/${epoch}`)).join('\n');
/** Five seconds, so that other commands have time; a resumed run hurries. */
const slowly = scripted({ stepMs: 160 });
const train = (folder: string, script = slowly): Running => start(folder, ['run', 'fashion-transfer-5to9', ...script, '--json']);

async function newest(folder: string): Promise<RunSummary> {
  const [first] = (await answerOf(runsAnswerSchema, folder, 'runs', 'list')).runs;
  if (first === undefined) throw new Error('There is no run.');
  return first;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

async function expectResumable(folder: string, runId: string): Promise<void> {
  const resumed = await run(folder, 'resume', runId, '--json');
  expect({ code: resumed.code, errors: resumed.errors }).toEqual({ code: 0, errors: '' });
  expect(linesOf(resumed.output)[0]?.type).toBe('run.started');
  expect(linesOf(resumed.output).at(-1)?.type).toBe('run.finished');
  expect(readFileSync(join(folder, 'runs', runId, 'phase-1.weights'), 'utf8')).toBe(undisturbed);
  const { epochs } = await answerOf(runDetailsSchema, folder, 'runs', 'show', runId, '--metrics');
  expect(epochs?.map(({ phase, epoch }) => `${phase} ${epoch}`)).toEqual(
    ['full', 'tuned'].flatMap((phase) => [1, 2, 3, 4, 5].map((epoch) => `${phase} ${epoch}`)),
  );
}

describe('during a run in another terminal', () => {
  test('runs list, pause, resume and stop work', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('"epoch":2');
    const { runId, state } = await newest(folder);
    expect(state).toBe('running');
    expect(statSync(join(folder, 'lab.sock')).mode & 0o777).toBe(0o600);
    expect(await answerOf(runStateAnswerSchema, folder, 'pause', runId)).toEqual({ runId, state: 'paused' });
    expect((await newest(folder)).state).toBe('paused');
    const follower = start(folder, ['resume', runId, '--json']);
    await follower.until('epoch.finished');
    expect(await answerOf(runStateAnswerSchema, folder, 'stop', runId)).toEqual({ runId, state: 'stopped' });
    for (const { code, output } of [await owner.ended, await follower.ended]) {
      expect(code).toBe(130);
      expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'stopped' });
    }
    expect(existsSync(join(folder, 'owner.json'))).toBe(false);
    await expectResumable(folder, runId);
  });

  test('a second run waits its turn, and the owner stays until it is done', async () => {
    const folder = makeFolder();
    const owner = start(folder, ['run', 'mnist-test-1', ...scripted({ stepMs: 200 })]);
    await rest(1500);
    const second = await run(folder, 'run', 'mnist-test-2', ...scripted({ stepMs: 100 }), '--json');
    expect(second.code).toBe(0);
    expect(linesOf(second.output).at(-1)?.type).toBe('run.finished');
    const { code, errors } = await owner.ended;
    expect(code).toBe(0);
    expect(errors).toContain('stays until the run of other commands ended');
  });

  test('Ctrl-C in a client stops its own run and leaves the owner alone', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('epoch.finished');
    const client = start(folder, ['run', 'mnist-test-1', ...slowly, '--json']);
    await rest(1500);
    client.process.kill('SIGINT');
    expect((await client.ended).code).toBe(130);
    expect((await owner.ended).code).toBe(0);
    expect((await newest(folder)).state).toBe('stopped');
  });

  test('many commands at once all get their answer', async () => {
    const folder = makeFolder();
    const answers = await Promise.all(Array.from({ length: 6 }, () => answerOf(runsAnswerSchema, folder, 'runs', 'list')));
    expect(answers).toEqual(Array.from({ length: 6 }, () => ({ runs: [] })));
  });

  test('a workspace with a long path works as well', async () => {
    const folder = join(makeFolder(), 'a-long-name-'.repeat(10));
    mkdirSync(folder);
    const owner = train(folder);
    await owner.until('epoch.finished');
    const { runId } = await newest(folder);
    const { endpoint } = JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as { endpoint: string };
    expect(endpoint.startsWith(folder)).toBe(false);
    expect((await answerOf(runStateAnswerSchema, folder, 'stop', runId)).state).toBe('stopped');
    await owner.ended;
    expect(existsSync(endpoint)).toBe(false);
  });

  test('an owner that hangs is named', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('epoch.finished');
    owner.process.kill('SIGSTOP');
    const { code, error } = await errorOf(folder, 'runs', 'list');
    owner.process.kill('SIGCONT');
    expect({ code, name: error.code }).toEqual({ code: 4, name: 'workspace_busy' });
    expect(error.message).toContain(`The process ${owner.process.pid ?? 0} on `);
    expect((await owner.ended).code).toBe(0);
  });
});

describe('kill -9', () => {
  test('of the trainer: interrupted, and resume ends with the same weights', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('"phase":"tuned","epoch":2');
    const [trainer = 0] = childrenOf(owner.process.pid ?? 0);
    process.kill(trainer, 'SIGKILL');
    const { code, output } = await owner.ended;
    expect(code).toBe(3);
    expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'interrupted', error: { code: 'trainer_died' } });
    const { runId, state } = await newest(folder);
    expect(state).toBe('interrupted');
    await expectResumable(folder, runId);
  });

  test('of the parent: interrupted, no process left, and resume ends with the same weights', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('"phase":"full","epoch":3');
    const [trainer = 0] = childrenOf(owner.process.pid ?? 0);
    expect(readProcessStart(trainer)).not.toBeNull();
    owner.process.kill('SIGKILL');
    const killed = await owner.ended;
    const seen = linesOf(killed.output).filter((line) => line.type === 'epoch.finished').length;
    const { runId, state, phases } = await newest(folder);
    expect(state).toBe('interrupted');
    expect(phases.reduce((sum, phase) => sum + phase.epochs, 0)).toBeGreaterThanOrEqual(seen);
    expect(readProcessStart(trainer)).toBeNull();
    await expectResumable(folder, runId);
  });

  test('of the owner while another terminal follows', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('"epoch":1');
    const { runId } = await newest(folder);
    await answerOf(runStateAnswerSchema, folder, 'pause', runId);
    const follower = start(folder, ['resume', runId, '--json']);
    await follower.until('epoch.finished');
    owner.process.kill('SIGKILL');
    const { code, output, errors } = await follower.ended;
    expect(code).toBe(3);
    expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'interrupted' });
    expect(errors).toContain('trainer_died');
    await expectResumable(folder, runId);
  });
});

describe('Ctrl-C', () => {
  test('once stops with the work saved', async () => {
    const folder = makeFolder();
    const owner = train(folder);
    await owner.until('"epoch":2');
    owner.process.kill('SIGINT');
    const { code, output } = await owner.ended;
    expect(code).toBe(130);
    expect(linesOf(output).at(-1)).toMatchObject({ type: 'run.failed', state: 'stopped', error: { code: 'stopped' } });
    const { runId, state } = await newest(folder);
    expect(state).toBe('stopped');
    await expectResumable(folder, runId);
  });

  test('twice ends at once, and the run can be resumed', async () => {
    const folder = makeFolder();
    const owner = train(folder, scripted({ stepMs: 1, at: { phase: 0, epoch: 3 }, then: 'hang' }));
    await owner.until('"epoch":2');
    // It hangs a few milliseconds after this epoch and cannot answer to the first Ctrl-C.
    await rest(500);
    owner.process.kill('SIGINT');
    await rest(400);
    const started = performance.now();
    owner.process.kill('SIGINT');
    expect((await owner.ended).code).toBe(130);
    expect(performance.now() - started).toBeLessThan(1000);
    const { runId, state } = await newest(folder);
    expect(state).toBe('interrupted');
    await expectResumable(folder, runId);
  });

  test('ends an import and leaves nothing behind', async () => {
    const folder = makeFolder();
    const importing = start(folder, ['datasets', 'import', 'slow', '--json']);
    await vi.waitFor(() => expect(existsSync(join(folder, 'owner.json'))).toBe(true), { timeout: 30_000 });
    await rest(500);
    importing.process.kill('SIGINT');
    const { code, errors } = await importing.ended;
    expect(code).toBe(130);
    expect(errors).toContain('"code":"cancelled"');
    expect(existsSync(join(folder, 'datasets', '.new-1-1'))).toBe(false);
  });
});

test('a reader that goes away ends the output and not the training', async () => {
  const folder = makeFolder();
  const owner = train(folder, scripted({ stepMs: 10 }));
  await owner.until('run.started');
  owner.process.stdout?.destroy();
  expect(await owner.ended).toMatchObject({ code: 0, errors: '' });
  expect((await newest(folder)).state).toBe('finished');
});
