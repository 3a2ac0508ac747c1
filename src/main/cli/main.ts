// Runs one command: parse, open the workspace, act, tidy up, answer the exit code. Errors become the grammar of contract/errors here and
// nowhere else; no stack trace reaches a person.
import { setTimeout } from 'node:timers/promises';
import { LabError, toWire, type ErrorCode } from '../../shared/contract/errors.ts';
import { parseLine, type ParsedLine } from './arguments.ts';
import { exitStatus, type ClientCommand, type CommandDefinition } from './command.ts';
import { comparisonCommands } from './comparisonCommands.ts';
import { datasetCommands } from './datasetCommands.ts';
import { doctorCommands } from './doctorCommands.ts';
import { describeCommand, describeGroup, describeProgram } from './help.ts';
import { historyCommands } from './historyCommands.ts';
import { createInterrupts, type Interrupts } from './interrupts.ts';
import { ladderCommands } from './ladderCommands.ts';
import { recipeCommands } from './recipeCommands.ts';
import { createScreen, type Screen, type Streams } from './screen.ts';
import { serveCommand } from './serveCommand.ts';
import { trainingCommands } from './trainingCommands.ts';
import { weightsCommands } from './weightsCommands.ts';
import { chooseWorkspace, openWorkplace, type CoreSurroundings, type Workplace } from './workplace.ts';

export const commands: readonly CommandDefinition[] = [
  ...doctorCommands,
  ...datasetCommands,
  ...weightsCommands,
  ...recipeCommands,
  ...ladderCommands,
  ...trainingCommands,
  ...historyCommands,
  ...comparisonCommands,
  serveCommand,
];

const mostTries = 20;

/** Resolves with the exit code when everything the command began has ended. */
export async function runCommandLine(line: readonly string[], surroundings: CoreSurroundings, streams: Streams): Promise<number> {
  const screen = createScreen(streams, line.includes('--json'));
  const interrupts = createInterrupts();
  try {
    const parsed = parseLine(line, commands);
    if (parsed.command === undefined || parsed.options.isSet('help')) {
      screen.print(describe(parsed));
      return exitStatus.done;
    }
    if ('act' in parsed.command) return await act(parsed.command, parsed, screen, surroundings, interrupts);
    return await parsed.command.host({
      positionals: parsed.positionals,
      options: parsed.options,
      screen,
      signal: interrupts.signal,
      folder: chooseWorkspace(parsed.options.text['workspace']),
      surroundings,
      onSecondInterrupt: (abandon) => (interrupts.onSecond = abandon),
    });
  } catch (error) {
    screen.fail(error);
    return exitCodeOf(error);
  } finally {
    interrupts.end();
  }
}

function describe({ command, words }: ParsedLine): string[] {
  if (command !== undefined) return describeCommand(command);
  return words[0] === undefined ? describeProgram(commands) : describeGroup(words[0], commands);
}

/** An owner that is just leaving is waited for; a call that changes nothing is asked again when its connection breaks. */
async function act(
  command: ClientCommand,
  { positionals, options }: ParsedLine,
  screen: Screen,
  surroundings: CoreSurroundings,
  interrupts: Interrupts,
): Promise<number> {
  const folder = chooseWorkspace(options.text['workspace']);
  for (let attempt = 1; ; attempt += 1) {
    const workplace = await openWorkplace(folder, surroundings);
    interrupts.onSecond = () => workplace.core?.abandon();
    try {
      return await command.act({ positionals, options, screen, client: workplace.client, signal: interrupts.signal });
    } catch (error) {
      const code = error instanceof LabError ? error.code : 'internal';
      const isLeaving = code === 'workspace_busy' || (code === 'connection_lost' && command.isRepeatable === true);
      if (!isLeaving || workplace.core !== undefined || attempt >= mostTries) {
        screen.fail(error);
        return exitCodeOf(error);
      }
      await setTimeout(250);
    } finally {
      await leave(workplace, screen, interrupts);
    }
  }
}

const ownTrainerMs = 400;

/** An owner that still trains for other commands stays until they are done. */
async function leave({ client, core }: Workplace, screen: Screen, interrupts: Interrupts): Promise<void> {
  if (core === undefined) {
    client.close();
    return;
  }
  // The command's own trainer needs a moment to end after its last report; only what goes on longer is somebody else's.
  const interrupted = interrupts.next();
  await Promise.race([core.whenIdle(), setTimeout(ownTrainerMs, undefined, { ref: false }), interrupted]);
  const { running, queued } = core.activity();
  const count = running.length + queued.length;
  if (count > 0) {
    screen.note(`This process owns the workspace and stays until ${count === 1 ? 'the run' : `${count} runs`} of other commands ended.`);
    screen.note('Ctrl-C stops them with their work saved.');
    interrupts.rearm();
  }
  await Promise.race([core.whenIdle(), interrupted]);
  await core.close();
}

const wrongUse: readonly ErrorCode[] = [
  'bad_usage',
  'bad_input',
  'bad_recipe',
  'not_found',
  'conflict',
  'dataset_missing',
  'weights_missing',
  'dataset_changed',
  'unsupported',
  'limit_exceeded',
];
const workspaceTrouble: readonly ErrorCode[] = [
  'workspace_busy',
  'workspace_damaged',
  'workspace_newer',
  'disk_full',
  'disk_error',
  'connection_lost',
];
const interruptions: readonly ErrorCode[] = ['cancelled', 'stopped', 'interrupted'];

export function exitCodeOf(error: unknown): number {
  const { code } = toWire(error);
  if (wrongUse.includes(code)) return exitStatus.wrongUse;
  if (workspaceTrouble.includes(code)) return exitStatus.workspace;
  return interruptions.includes(code) ? exitStatus.interrupted : exitStatus.failed;
}
