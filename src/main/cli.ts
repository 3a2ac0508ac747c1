// Entry of the headless host: the command line. The child programs are its siblings, with the same extension: .ts from the sources under
// Node's type stripping, .js when built.
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { runCommandLine } from './cli/main.ts';
import type { CoreSurroundings } from './cli/workplace.ts';

const folder = import.meta.dirname;
const extension = extname(import.meta.filename);
const root = join(folder, '..', '..');

const surroundings: CoreSurroundings = {
  programs: {
    node: process.execPath,
    trainer: join(folder, `trainer${extension}`),
    importer: join(folder, `importer${extension}`),
    viewer: join(folder, `viewer${extension}`),
    reporter: join(folder, `reporter${extension}`),
    converter: join(folder, `converter${extension}`),
  },
  resourcesFolder: join(root, 'resources'),
  rendererFolder: extension === '.ts' ? join(root, 'out', 'renderer') : join(folder, '..', 'renderer'),
  version: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
  isOutputValidated: extension === '.ts',
};

const code = await runCommandLine(process.argv.slice(2), surroundings, { output: process.stdout, errors: process.stderr });
// Everything the command began has ended; a stray handle must not keep a terminal waiting.
process.stdout.write('', () => process.exit(code));
