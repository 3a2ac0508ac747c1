/** Installs the npm packages of the lock file with the pinned npm, when they are not already there. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../src/main/nativeRuntime.ts';
import { findReason, runCommand } from './command.ts';
import { arePackagesInstalled } from './installedPackages.ts';
import { withLock } from './lock.ts';
import { SetupError, type Report } from './report.ts';

const NO_NETWORK = /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EIDLETIMEOUT|ERR_SOCKET_TIMEOUT/;

/** Runs `npm ci` when the lock file, Node or the platform differ from those of the last complete installation, and it is needed. */
export async function installPackages(root: string, report: Report): Promise<void> {
  const stampFile = join(root, 'node_modules', '.transfer-lab-stamp');
  const wanted = describePackages(root);
  if (readStamp(stampFile) === wanted) return;
  const checkout = createHash('sha256').update(root).digest('hex').slice(0, 16);
  await withLock(join(cacheFolder(), 'locks'), `packages-${checkout}`, report, async () => {
    const stamp = readStamp(stampFile);
    if (stamp === wanted) return;
    if ((stamp === undefined || endOf(stamp) === endOf(wanted)) && arePackagesInstalled(root)) {
      writeFileSync(stampFile, wanted);
      return;
    }
    report('Installing the npm packages of package-lock.json');
    // `--include` because NODE_ENV=production would leave out the tools that build and test the lab.
    const complete = ['--ignore-scripts', '--include=dev', '--include=optional', '--prefer-offline'];
    // npm's own waits between attempts add up to minutes before a person without a network reads why.
    const patience = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
    const parameters = ['ci', ...complete, ...patience, '--no-audit', '--no-fund', '--loglevel=error'];
    const answer = await runNpm(root, parameters);
    if (answer.code !== 0) throw explainNpm(answer.output);
    writeFileSync(stampFile, wanted);
  });
}

function runNpm(root: string, parameters: readonly string[]): ReturnType<typeof runCommand> {
  const script = process.env['TRANSFER_LAB_NPM'];
  if (script === undefined) return runCommand('npm', parameters, { cwd: root });
  return runCommand(process.execPath, [script, ...parameters], { cwd: root });
}

/** Scripts and version in package.json may change without a new installation; the lock file and .npmrc may not. */
function describePackages(root: string): string {
  const hash = createHash('sha256');
  for (const file of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(root, file)));
  return `${hash.digest('hex')} node ${process.version} ${process.platform}-${process.arch}\n`;
}

/** Node and platform: packages installed for others are never adopted. */
function endOf(stamp: string): string {
  return stamp.slice(stamp.indexOf(' '));
}

function readStamp(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Finds the reason in npm's output; npm prints codes, not sentences. */
export function explainNpm(output: string): SetupError {
  const what = `npm could not install the packages:\n${findReason(output)}`;
  if (/ENOSPC|EDQUOT/.test(output)) return new SetupError(`The disk is full. ${what}`, 'Free some space and run it again.');
  if (/EINTEGRITY/.test(output)) {
    return new SetupError(`Wrong checksum. ${what}`, 'The package registry delivers something else than package-lock.json expects.');
  }
  if (NO_NETWORK.test(output)) {
    return new SetupError(what, 'Check the network and the proxy settings of npm: the package registry was not reached.');
  }
  if (/EUSAGE|in sync/.test(output)) return new SetupError(what, 'Renew package-lock.json with `npm install` and commit it.');
  return new SetupError(what, 'Check the settings of npm: `npm config list`.');
}
