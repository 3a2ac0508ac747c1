/**
 * Entry of every npm script: makes sure of the pinned Node (stage 1), then hands over to scripts/setup/main.ts on it.
 *
 * Runs on any Node from 18 with built-in modules only. It stays the parent of what it starts, passes signals on, and ends
 * as its child ended. Ctrl-C in a terminal reaches the whole process group, so the child may see it more than once;
 * the command line takes interrupts within 300 ms as one.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ToolchainError, cacheFolder, ensureToolchain } from './toolchain.mjs';

const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const parameters = process.argv.slice(2);

try {
  if (Number(process.versions.node.split('.')[0]) < 18) {
    throw new ToolchainError(`Node ${process.versions.node} is too old: expected 18 or newer.`, 'Install a current Node.');
  }
  const toolchain = await ensureToolchain((line) => process.stderr.write(`set-up: ${line}\n`));
  handOver(toolchain);
} catch (error) {
  if (!(error instanceof ToolchainError)) throw error;
  const message = { code: 'setup_failed', message: error.message, help: error.help };
  process.stderr.write(
    parameters.includes('--json') ? `${JSON.stringify({ error: message })}\n` : `error: ${error.message}\n${error.help}\n`,
  );
  process.exitCode = 1;
}

function handOver({ node, npm, path }) {
  const main = join(dirname(fileURLToPath(import.meta.url)), 'setup', 'main.ts');
  // Spares stage 2 the stripping of its types, 110 of 160 ms, each time; it does not hand the setting on.
  const compiled = join(cacheFolder(), 'compiled');
  const environment = { ...process.env, PATH: path, TRANSFER_LAB_NPM: npm, NODE_COMPILE_CACHE: compiled };
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', main, ...parameters], { env: environment, stdio: 'inherit' });
  for (const signal of FORWARDED_SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: Node could not be started: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    for (const forwarded of FORWARDED_SIGNALS) process.removeAllListeners(forwarded);
    process.kill(process.pid, signal);
  });
}
