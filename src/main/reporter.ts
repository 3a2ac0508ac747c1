/**
 * Entry of the report child: takes one layOut command over the IPC channel, writes the files, says which, ends with an exit code.
 *
 * The life of the process is trainer/commandChild.ts. What a report says is decided by the core; how it looks is reporter/*.ts. Its folders
 * are temporary ones of the core, which removes what a stopped child leaves.
 */
import { LabError, toWire } from '../shared/contract/errors.ts';
import { commandSchema, exitCodes } from '../shared/contract/worker.ts';
import { layOut } from './reporter/layOut.ts';
import { report, serveOneCommand } from './trainer/commandChild.ts';

async function serve(message: unknown): Promise<number> {
  try {
    const parsed = commandSchema.safeParse(message);
    if (!parsed.success || parsed.data.type !== 'layOut') {
      throw new LabError('internal', 'The report program was given a command that it does not know.', {
        expected: 'layOut',
        received: parsed.success ? parsed.data.type : parsed.error.message.slice(0, 300),
      });
    }
    await report({ type: 'laidOut', files: await layOut(parsed.data) });
    return exitCodes.done;
  } catch (error) {
    const wire = toWire(error);
    await report({ type: 'failed', error: wire });
    return wire.code === 'disk_full' ? exitCodes.diskFull : exitCodes.failed;
  }
}

serveOneCommand(serve);
