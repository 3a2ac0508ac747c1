/** Builds the programs and pages of the lab into out/, when the sources have changed since the last build. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { cacheFolder } from '../../src/main/nativeRuntime.ts';
import { lastLines, runCommand } from './command.ts';
import { withLock } from './lock.ts';
import { SetupError, type Report } from './report.ts';

const ELECTRON_VITE = join('node_modules', 'electron-vite', 'bin', 'electron-vite.js');

/** What a build consists of, in the order in which it is put into place. */
const PARTS = ['renderer', 'preload', 'main'] as const;

/** Brings out/ up to date; costs a few milliseconds when it is. A failed build leaves the previous one in place. */
export async function buildBundle(root: string, report: Report): Promise<void> {
  const stampFile = join(root, 'out', 'main', '.sources');
  const wanted = hashSources(root);
  if (readStamp(stampFile) === wanted) return;
  const checkout = createHash('sha256').update(root).digest('hex').slice(0, 16);
  await withLock(join(cacheFolder(), 'locks'), `bundle-${checkout}`, report, async () => {
    if (readStamp(stampFile) === wanted) return;
    report('Building the lab');
    const output = join(root, 'out');
    removeLeftovers(output);
    const unfinished = join(output, `unfinished-${process.pid}`);
    const answer = await runCommand(process.execPath, [ELECTRON_VITE, 'build', '--logLevel', 'warn', '--outDir', unfinished], {
      cwd: root,
    });
    if (answer.code !== 0) {
      throw new SetupError(
        `The lab could not be built:\n${lastLines(answer.output, 30)}`,
        'Correct the source named above and run it again.',
      );
    }
    writeFileSync(join(unfinished, 'main', '.sources'), wanted);
    // The stamp lies in main, so main comes last: a set-up that is interrupted here builds again.
    for (const part of PARTS) replaceFolder(join(unfinished, part), join(output, part), join(unfinished, `replaced-${part}`));
    rmSync(unfinished, { recursive: true, force: true });
  });
}

/** Deleting the old build only after the new one is in its place keeps the moment without a build as short as two renames. */
function replaceFolder(from: string, to: string, aside: string): void {
  if (existsSync(to)) renameSync(to, aside);
  renameSync(from, to);
}

function removeLeftovers(output: string): void {
  mkdirSync(output, { recursive: true });
  for (const name of readdirSync(output)) {
    if (name.startsWith('unfinished-')) rmSync(join(output, name), { recursive: true, force: true });
  }
}

function hashSources(root: string): string {
  const hash = createHash('sha256');
  const sources = readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
    .map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }))
    .filter(({ entry, path }) => entry.isFile() && !path.includes(`${sep}node_modules${sep}`))
    .map(({ path }) => path)
    .sort();
  const inlined = readdirSync(join(root, 'resources'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const settings = ['electron.vite.config.ts', 'package.json', 'package-lock.json'].map((name) => join(root, name));
  for (const file of [...sources, ...inlined, ...settings]) hash.update(file).update('\0').update(readFileSync(file)).update('\0');
  return `${hash.digest('hex')} node ${process.version}\n`;
}

function readStamp(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
