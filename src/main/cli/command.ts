// What a command of the command line is: its words, arguments, options, help, and the function that does it. The parser and the help
// text are derived from these definitions.
import type { Client } from '../../shared/rpcClient.ts';
import type { Screen } from './screen.ts';
import type { CoreSurroundings } from './workplace.ts';

export interface OptionDefinition {
  /** The word for the value in help; an option without one is a switch. */
  readonly value?: string;
  readonly isMultiple?: boolean;
  readonly help: string;
}

export interface Options {
  readonly text: Readonly<Record<string, string | undefined>>;
  readonly list: Readonly<Record<string, readonly string[] | undefined>>;
  readonly isSet: (name: string) => boolean;
}

export interface Invocation {
  readonly positionals: readonly string[];
  readonly options: Options;
  readonly screen: Screen;
  readonly client: Client;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** What a command that is a host itself gets: no client, it opens the workspace as its owner. */
export interface HostInvocation extends Omit<Invocation, 'client'> {
  /** Absolute folder of the workspace. */
  readonly folder: string;
  readonly surroundings: CoreSurroundings;
  /** What must be noted before a second Ctrl-C ends the process. */
  readonly onSecondInterrupt: (act: () => void) => void;
}

interface CommandWords {
  readonly words: readonly string[];
  /** The arguments as help shows them, such as `RUN...`. */
  readonly usage: string;
  readonly summary: string;
  readonly details?: readonly string[];
  readonly positionals: { readonly least: number; readonly most: number };
  readonly options?: Readonly<Record<string, OptionDefinition>>;
  readonly examples: readonly string[];
  /** Asking twice changes nothing, so a lost connection is tried again. */
  readonly isRepeatable?: boolean;
}

/** Both answer the exit code. */
export interface ClientCommand extends CommandWords {
  readonly act: (invocation: Invocation) => Promise<number>;
}
export interface HostCommand extends CommandWords {
  readonly host: (invocation: HostInvocation) => Promise<number>;
}
export type CommandDefinition = ClientCommand | HostCommand;

export const exitStatus = { done: 0, wrongUse: 2, failed: 3, workspace: 4, interrupted: 130 } as const;

export const globalOptions: Readonly<Record<string, OptionDefinition>> = {
  workspace: { value: 'DIR', help: 'the workspace; otherwise $LAB_WORKSPACE, otherwise ~/TransferLab' },
  json: { help: 'answer for programs: one JSON document, or JSON lines for run and resume' },
  help: { help: 'explain the command and show examples' },
};
