// `lab serve` as people and programs start it: the real command line in processes of its own.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { runsAnswerSchema } from '../src/shared/contract/answers.ts';
import { createClient } from '../src/shared/rpcClient.ts';
import { ask, keyOf, pageHeaders } from './browserHost.ts';
import { answerOf, errorOf, run, start, type Running } from './commandLine.ts';
import { makeFolder, script, transferRecipe } from './lab.ts';
import { openPagePort } from './webServer.ts';

const readySchema = z.strictObject({ ready: z.literal(true), url: z.string(), port: z.int() });
type Ready = z.infer<typeof readySchema>;

async function serve(folder: string, ...options: readonly string[]): Promise<Running & { ready: Ready }> {
  const running = start(folder, ['serve', '--json', '--no-open', ...options]);
  const ready = readySchema.parse(JSON.parse((await running.until('\n')).split('\n', 1)[0] ?? ''));
  return { ...running, ready };
}

async function enter({ port, url }: Ready): Promise<string> {
  const answer = await ask(port, ['POST', '/session'], pageHeaders(port), JSON.stringify({ key: keyOf(url) }));
  expect(answer.status).toBe(204);
  return answer.headers['set-cookie']?.split(';', 1)[0] ?? '';
}

describe('serve', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('says where it is, serves the page, and ends with 0 on %s', async (signal) => {
    const folder = makeFolder();
    const { ready, process: server, ended } = await serve(folder);
    expect(ready.url).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:${ready.port}/#k=[\\w-]{43}$`));
    expect((await ask(ready.port, ['GET', '/'])).body).toContain('<title>Transfer Lab</title>');
    server.kill(signal);
    expect(await ended).toMatchObject({ code: 0, output: `${JSON.stringify(ready)}\n`, errors: '' });
    expect(existsSync(join(folder, 'owner.json'))).toBe(false);
    expect(existsSync(join(folder, 'open-lab.html'))).toBe(false);
  });

  test('for people prints the address on a line of its own', async () => {
    const running = start(makeFolder(), ['serve', '--no-open']);
    await running.until('\n');
    running.process.kill('SIGTERM');
    const { code, output } = await running.ended;
    expect(code).toBe(0);
    expect(output).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#k=[\w-]{43}\n$/);
  });

  test('is the owner: other commands are its clients, its pages see their runs, a second host is refused with its name', async () => {
    const folder = makeFolder();
    const server = await serve(folder);
    const page = await createClient(await openPagePort({ port: server.ready.port, cookie: await enter(server.ready) }));
    const { runs } = await page.call('runs.create', { recipe: transferRecipe, settings: [script({ stepMs: 200 })] });
    expect((await answerOf(runsAnswerSchema, folder, 'runs', 'list')).runs.map(({ runId }) => runId)).toEqual([runs[0]?.runId]);
    const before = performance.now();
    await run(folder, '--help');
    const began = performance.now();
    const { code, error } = await errorOf(folder, 'serve', '--no-open');
    // How long a program takes to start is not what is refused within a second.
    expect(performance.now() - began - (began - before)).toBeLessThan(1000);
    expect({ code, name: error.code }).toEqual({ code: 4, name: 'workspace_busy' });
    expect(error.message).toContain(`The process ${server.process.pid ?? 0} on `);
    expect(error.message).toContain('(browser, since ');
    expect((await page.call('runs.list', {})).runs).toHaveLength(1);
    server.process.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
    const [after] = (await answerOf(runsAnswerSchema, folder, 'runs', 'list')).runs;
    expect(after?.state).toBe('stopped');
  });

  test('a page that was open is known after a restart, even one by kill -9, and not after --new-key', async () => {
    const folder = makeFolder();
    const first = await serve(folder);
    const cookie = await enter(first.ready);
    first.process.kill('SIGKILL');
    await first.ended;
    const second = await serve(folder);
    expect(second.ready.port).toBe(first.ready.port);
    expect(second.ready.url).not.toBe(first.ready.url);
    expect((await ask(second.ready.port, ['GET', '/session'], { cookie })).status).toBe(204);
    second.process.kill('SIGTERM');
    await second.ended;
    const third = await serve(folder, '--new-key');
    expect((await ask(third.ready.port, ['GET', '/session'], { cookie })).status).toBe(401);
    expect(JSON.parse(readFileSync(join(folder, 'serve.json'), 'utf8'))).toMatchObject({ port: third.ready.port });
  });

  test.each([
    [['--port', '70000'], '--port'],
    [['--root', '/nowhere'], '--root'],
    [['extra'], 'wrong number of arguments'],
    [['--host', '0.0.0.0'], 'no option --host'],
  ])('refuses %j', async (options, text) => {
    const { code, error } = await errorOf(makeFolder(), 'serve', '--no-open', ...options);
    expect(code).toBe(2);
    expect(error.message).toContain(text);
  });

  test('explains itself', async () => {
    const { code, output } = await run(makeFolder(), 'serve', '--help');
    expect(code).toBe(0);
    expect(output).toContain('--new-key');
    expect(output).toContain('ssh -L');
  });
});
