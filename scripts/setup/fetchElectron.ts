import { join } from 'node:path';
import { runCommand } from './command.ts';
import { desktopSurroundings, findElectron } from './findElectron.ts';
import { SetupError, type Report } from './report.ts';

const NO_NETWORK =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|socket hang up|fetch failed|Response code|timeout/i;
const LATER = 'Without it the lab runs in the browser: `npm start`.';

/** The full path of the binary, fetched when it is not there; throws with the reason in one sentence when that is not possible. */
export async function fetchElectron(root: string, report: Report): Promise<string> {
  const before = findElectron(desktopSurroundings(root));
  if ('program' in before) return before.program;
  report('Fetching the Electron binary (about 120 MB) from its releases on GitHub, or from ELECTRON_MIRROR');
  const installer = join(root, 'node_modules', 'electron', 'install.js');
  // Node's fetch looks at HTTPS_PROXY only when it is told to.
  const { code, output } = await runCommand(process.execPath, [installer], { environment: { NODE_USE_ENV_PROXY: '1' } });
  const after = findElectron(desktopSurroundings(root));
  if ('program' in after) return after.program;
  if (code === 0)
    throw new SetupError(`The Electron binary cannot be used: ${after.reason}.`, `Delete node_modules/electron and try again. ${LATER}`);
  throw explainFailure(output);
}

/** What the installer says, without its stack. */
export function explainFailure(output: string): SetupError {
  const [reason = 'it said nothing'] = output.split('\n').filter((line) => line.trim() !== '' && !/^\s+at |^\s*[{}]/.test(line));
  const what = `The Electron binary could not be fetched: ${reason.trim().replace(/^\w*Error: /, '')}.`;
  if (/ENOSPC|EDQUOT/.test(output)) return new SetupError(what, `Free some space and try again. ${LATER}`);
  if (/checksum|sumchecker/i.test(output)) {
    return new SetupError(
      what,
      `What arrived is not what the package expects; nothing was installed. Check the mirror and the proxy. ${LATER}`,
    );
  }
  if (!NO_NETWORK.test(output)) return new SetupError(what, LATER);
  const ways =
    'Check the network and HTTPS_PROXY, name a mirror with ELECTRON_MIRROR, or unpack a release and set ELECTRON_OVERRIDE_DIST_PATH.';
  return new SetupError(what, `${ways} ${LATER}`);
}
