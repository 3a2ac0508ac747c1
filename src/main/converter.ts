/**
 * Entry of the converter child: takes one importWeights or exportWeights command over the IPC channel, reports what it made, ends with an
 * exit code.
 *
 * The life of the process is trainer/commandChild.ts. Which weights the lab has, and where they lie, is the core's; it also removes what a
 * stopped child leaves in its temporary folders.
 */
import { LabError, toWire } from '../shared/contract/errors.ts';
import { commandSchema, exitCodes, type Report } from '../shared/contract/worker.ts';
import { exportWeights } from './converter/exportWeights.ts';
import { importWeights } from './converter/importWeights.ts';
import { report, serveOneCommand } from './trainer/commandChild.ts';

async function serve(message: unknown): Promise<number> {
  try {
    await report(await convert(message));
    return exitCodes.done;
  } catch (error) {
    const wire = toWire(explain(error));
    await report({ type: 'failed', error: wire });
    if (wire.code === 'disk_full') return exitCodes.diskFull;
    return wire.code === 'bad_input' ? exitCodes.badInput : exitCodes.failed;
  }
}

/** Writing is the last thing that can fail for a reason that a person can do something about. */
function explain(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (error instanceof LabError || (code !== 'ENOSPC' && code !== 'EDQUOT')) return error;
  return new LabError('disk_full', 'The disk became full while the weights were written.', {
    expected: 'room for them',
    received: 'no space left',
    help: 'Free some space, then try again.',
    cause: error,
  });
}

function convert(message: unknown): Promise<Report> {
  const parsed = commandSchema.safeParse(message);
  if (parsed.success && parsed.data.type === 'importWeights') return importWeights(parsed.data);
  if (parsed.success && parsed.data.type === 'exportWeights') return exportWeights(parsed.data);
  throw new LabError('internal', 'The converter was given a command that it does not know.', {
    expected: 'importWeights or exportWeights',
    received: parsed.success ? parsed.data.type : parsed.error.message.slice(0, 300),
  });
}

serveOneCommand(serve);
