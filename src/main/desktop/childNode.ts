// Which Node runs the child programs. Electron's own binary cannot: its GLib collides with that of the image decoder
// (electron/electron#46323), and its heap is limited.
import { existsSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { LabError } from '../../shared/contract/errors.ts';
import { cacheFolder } from '../nativeRuntime.ts';

const toolchainSchema = z.object({
  node: z.object({ version: z.string(), packages: z.record(z.string(), z.object({ name: z.string(), program: z.string() })) }),
  npm: z.object({ version: z.string() }),
});

export interface NodeSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** As `linux-x64`. */
  readonly platform: string;
  /** The pins of scripts/toolchain.mjs. */
  readonly toolchainFile: string;
}

/** The program named by TRANSFER_LAB_NODE, else that of the tool chain; throws `not_found` when it is not there. */
export function findChildNode(surroundings: NodeSurroundings): string {
  const chosen = surroundings.environment['TRANSFER_LAB_NODE'];
  const program = chosen === undefined || chosen === '' ? readToolchain(surroundings) : chosen;
  if (program !== undefined && isAbsolute(program) && existsSync(program)) return program;
  throw new LabError('not_found', 'The Node that runs the trainings was not found.', {
    expected: program ?? `a Node for ${surroundings.platform} in the variable TRANSFER_LAB_NODE`,
    help: 'Start the lab with `npm start`, or set TRANSFER_LAB_NODE to the full path of a Node 24.',
  });
}

/** The layout of scripts/toolchain.mjs. */
function readToolchain({ environment, platform, toolchainFile }: NodeSurroundings): string | undefined {
  if (!existsSync(toolchainFile)) return undefined;
  const { node, npm } = toolchainSchema.parse(JSON.parse(readFileSync(toolchainFile, 'utf8')));
  const pin = node.packages[platform];
  if (pin === undefined) return undefined;
  const folder = join(cacheFolder(environment), 'toolchain', `node-${node.version}-npm-${npm.version}-${platform}`);
  return join(folder, 'node_modules', pin.name, ...pin.program.split('/'));
}
