import { spawn } from 'node:child_process';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LabError } from '../src/shared/contract/errors.ts';
import { classifyEnd, isLibraryNoise, type ChildFacts } from '../src/main/services/childEnd.ts';
import { endOrphan, readProcessStart } from '../src/main/services/processes.ts';
import { createProgressGate, type ProgressReport } from '../src/main/services/progressGate.ts';
import { childEnvironment } from '../src/main/services/supervisor.ts';
import { formatBytes, formatCount, formatDuration, formatLoss, formatPercent, formatTable } from '../src/main/cli/format.ts';

const facts: ChildFacts = {
  exitCode: null,
  signal: null,
  spawnError: undefined,
  isKilledByUs: false,
  failedReport: undefined,
  failure: undefined,
  stderr: [],
};

describe('how a child ended', () => {
  test.each<[string, Partial<ChildFacts>, string, string | null]>([
    ['done', { exitCode: 0 }, 'done', null],
    ['stopped', { exitCode: 10 }, 'stopped', null],
    [
      'a reported error',
      { exitCode: 1, failedReport: new LabError('training_diverged', 'The loss became NaN.') },
      'failed',
      'The loss became NaN.',
    ],
    ['a full disk', { exitCode: 11 }, 'died', 'The disk is full.'],
    ['a segfault', { signal: 'SIGSEGV' }, 'died', 'it crashed inside a native library'],
    ['a segfault on Windows', { exitCode: 3221225477 }, 'died', 'it crashed inside a native library'],
    ['no JavaScript memory', { signal: 'SIGABRT', stderr: ['FATAL ERROR: Reached heap limit'] }, 'died', 'it ran out of JavaScript memory'],
    ['killed from outside', { signal: 'SIGKILL' }, 'died', 'it was killed from outside'],
    ['killed by us', { signal: 'SIGKILL', isKilledByUs: true }, 'died', 'it did not answer to stop'],
    ['an uncaught error', { exitCode: 1 }, 'died', 'exit code 1'],
    ['no such program', { spawnError: new Error('ENOENT') }, 'failed', 'could not be started'],
    ['a report that makes no sense', { exitCode: 0, failure: new LabError('internal', 'Nonsense.') }, 'failed', 'Nonsense.'],
    ['a history that cannot be written', { exitCode: 10, failure: new LabError('disk_full', 'Full.') }, 'died', 'Full.'],
  ])('%s', (_name, changed, outcome, message) => {
    const end = classifyEnd({ ...facts, ...changed });
    expect(end.outcome).toBe(outcome);
    if (message === null) expect(end.error).toBeNull();
    else expect(end.error?.message).toContain(message);
  });

  test('the last lines it wrote are kept', () => {
    const end = classifyEnd({ ...facts, exitCode: 1, stderr: ['one', 'two', 'three', 'four', 'five', 'six'] });
    expect(end.error?.received).toBe('two\nthree\nfour\nfive\nsix');
  });
});

test('greetings of TensorFlow are not taken for causes', () => {
  const noise = [
    '',
    'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR',
    'I0000 00:00:1795273341.233680',
  ];
  expect(noise.map(isLibraryNoise)).toEqual([true, true, true]);
  expect(['F0000 00:00:1.2 check failed', 'Killed', 'E0000 out of memory'].map(isLibraryNoise)).toEqual([false, false, false]);
});

describe('a process that outlived its parent', () => {
  const sleeper = async (): Promise<{ pid: number; started: string; gone: Promise<unknown> }> => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    const gone = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.once('spawn', resolve));
    const pid = child.pid ?? 0;
    return { pid, started: readProcessStart(pid) ?? '', gone };
  };

  test('is ended when it is the one that is meant', async () => {
    const { gone, ...orphan } = await sleeper();
    await endOrphan(orphan);
    await gone;
    expect(readProcessStart(orphan.pid)).toBeNull();
  });

  test('is left alone when only its number is the same', async () => {
    const { pid, started } = await sleeper();
    await endOrphan({ pid, started: `${started}0` });
    await endOrphan({ pid, started: '' });
    expect(readProcessStart(pid)).toBe(started);
  });
});

test('children get the settings of TensorFlow, but no options meant for this process', () => {
  const environment = childEnvironment({ NODE_OPTIONS: '--inspect', TF_CPP_MIN_LOG_LEVEL: '0', HOME: '/home/me' });
  expect(environment).toEqual({
    TF_CPP_MIN_LOG_LEVEL: '0',
    TF_ENABLE_ONEDNN_OPTS: '1',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    HOME: '/home/me',
  });
});

test('the latest progress is shown in the end, and none after closing', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const shown: number[] = [];
  const gate = createProgressGate((report) => shown.push(report.step));
  const report = (step: number): ProgressReport => ({
    type: 'progress',
    phase: 0,
    epoch: 1,
    step,
    steps: 100,
    loss: 1,
    accuracy: 0,
    imagesPerSecond: 1,
    remainingSeconds: null,
  });
  for (let step = 1; step <= 50; step += 1) gate.pass(report(step));
  expect(shown).toEqual([1]);
  vi.advanceTimersByTime(200);
  expect(shown).toEqual([1, 50]);
  gate.pass(report(51));
  gate.pass(report(52));
  gate.close();
  vi.advanceTimersByTime(200);
  expect(shown).toEqual([1, 50, 51]);
});

describe('numbers for people', () => {
  test('durations', () => {
    expect([0.012, 0.94, 0.96, 59.9, 59.96, 151, 3600, 7384].map(formatDuration)).toEqual([
      '12 ms',
      '940 ms',
      '1.0 s',
      '59.9 s',
      '1 min 0 s',
      '2 min 31 s',
      '1 h 0 min',
      '2 h 3 min',
    ]);
    expect(formatDuration(null)).toBe('-');
  });

  test('counts, rates, losses and sizes', () => {
    expect(formatCount(3_965_056)).toBe('3,965,056');
    expect([formatPercent(0.90123), formatPercent(1), formatPercent(undefined)]).toEqual(['90.12 %', '100.00 %', '-']);
    expect(formatLoss(0.25)).toBe('0.2500');
    expect([0, 1023, 1024, 54_880_000, 3 * 1024 ** 4].map(formatBytes)).toEqual(['0 B', '1023 B', '1.0 kB', '52 MB', '3.0 TB']);
  });

  test('tables are aligned', () => {
    expect(
      formatTable(
        [{ title: 'Name' }, { title: 'Count', align: 'right' }],
        [
          ['a', '1'],
          ['longer', '12,345'],
        ],
      ),
    ).toEqual(['Name     Count', '------  ------', 'a            1', 'longer  12,345']);
  });
});
