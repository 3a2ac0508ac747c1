// From words to a command: node:util parses, the definitions decide what is allowed, and a word that is not known is answered with the
// nearest one that is.
import { parseArgs } from 'node:util';
import { LabError } from '../../shared/contract/errors.ts';
import { findNearest } from '../../shared/domain/nearest.ts';
import { globalOptions, type CommandDefinition, type OptionDefinition, type Options } from './command.ts';

export interface ParsedLine {
  /** The command, or the words of a group (or nothing) whose help was asked for. */
  readonly command: CommandDefinition | undefined;
  readonly words: readonly string[];
  readonly positionals: readonly string[];
  readonly options: Options;
}

/** Throws `bad_usage`; the order of options and words is free. */
export function parseLine(line: readonly string[], commands: readonly CommandDefinition[]): ParsedLine {
  const known: Record<string, OptionDefinition> = { ...globalOptions };
  for (const command of commands) Object.assign(known, command.options);
  const { tokens } = parseArgs({
    args: [...line],
    options: Object.fromEntries(
      Object.entries(known).map(([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' } as const]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const positionals = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.flatMap((token) =>
    token.kind === 'option' ? [{ name: token.name, rawName: token.rawName, value: token.value }] : [],
  );
  const command = commands.find(({ words }) => words.every((word, index) => positionals[index] === word));
  const allowed = command === undefined ? known : { ...globalOptions, ...command.options };
  const options = collectOptions(given, allowed);
  if (command === undefined) {
    const groups = new Set(commands.filter(({ words }) => words.length > 1).map(({ words }) => words[0]));
    const isGroupHelp = options.isSet('help') && positionals.length === 1 && groups.has(positionals[0]);
    if (positionals.length > 0 && !isGroupHelp) throw unknownCommand(positionals, commands);
    return { command, words: positionals, positionals: [], options };
  }
  const rest = positionals.slice(command.words.length);
  if (!options.isSet('help')) checkCount(command, rest);
  return { command, words: command.words, positionals: rest, options };
}

/** A whole number of an option, or undefined when it is not given. */
export function readInteger(options: Options, name: string, least: number, most: number): number | undefined {
  const text = options.text[name];
  return text === undefined ? undefined : parseInteger(text, `--${name}`, least, most);
}

export function parseInteger(text: string, subject: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new LabError('bad_usage', `The value of ${subject} is not valid.`, {
    expected: `a whole number from ${least} to ${most}`,
    received: text,
    help: 'Correct the number and try again.',
  });
}

/** One of a few words, or undefined when the option is not given. */
export function readChoice<Choice extends string>(options: Options, name: string, choices: readonly Choice[]): Choice | undefined {
  const text = options.text[name];
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  const near = findNearest(text, choices)[0];
  throw new LabError('bad_usage', `The value of --${name} is not valid.`, {
    expected: `one of ${choices.join(', ')}`,
    received: text,
    help: near === undefined ? 'Choose one of these.' : `Did you mean ${near}?`,
  });
}

interface GivenOption {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
}

function collectOptions(given: readonly GivenOption[], allowed: Readonly<Record<string, OptionDefinition>>): Options {
  const list: Record<string, string[]> = {};
  for (const { name, rawName, value } of given) {
    const definition = Object.hasOwn(allowed, name) ? allowed[name] : undefined;
    if (definition === undefined || rawName !== `--${name}`) throw unknownOption(rawName, Object.keys(allowed));
    if (definition.value === undefined && value !== undefined) {
      throw new LabError('bad_usage', `The option --${name} takes no value.`, { received: value, help: `Write --${name} alone.` });
    }
    if (definition.value !== undefined && (value === undefined || value.startsWith('--'))) {
      throw new LabError('bad_usage', `The option --${name} needs a value.`, {
        expected: `--${name} ${definition.value}`,
        help: 'Add the value.',
      });
    }
    const values = (list[name] ??= []);
    if (values.length > 0 && definition.isMultiple !== true) {
      throw new LabError('bad_usage', `The option --${name} is given twice.`, { help: 'Give it once.' });
    }
    values.push(value ?? 'true');
  }
  const text = Object.fromEntries(Object.entries(list).map(([name, values]) => [name, values[0]]));
  return { text, list, isSet: (name) => Object.hasOwn(list, name) };
}

function checkCount({ words, usage, positionals }: CommandDefinition, rest: readonly string[]): void {
  const { least, most } = positionals;
  if (rest.length >= least && rest.length <= most) return;
  const expected = least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`;
  const name = words.join(' ');
  throw new LabError('bad_usage', `The command ${name} has the wrong number of arguments.`, {
    expected: `${expected}: lab ${[name, usage].join(' ').trim()}`,
    received: rest.length === 0 ? 'none' : rest.join(' '),
    help: `\`lab ${name} --help\` explains it.`,
  });
}

function unknownOption(rawName: string, names: readonly string[]): LabError {
  const near = findNearest(rawName.replace(/^-+/, ''), names)[0];
  return new LabError('bad_usage', `There is no option ${rawName} here.`, {
    expected: names.map((name) => `--${name}`).join(', '),
    received: rawName,
    help: near === undefined ? 'See --help.' : `Did you mean --${near}?`,
  });
}

function unknownCommand(positionals: readonly string[], commands: readonly CommandDefinition[]): LabError {
  const group = commands.filter(({ words }) => words.length > 1 && words[0] === positionals[0]);
  const names = (group.length > 0 ? group : commands).map(({ words }) => words.join(' '));
  const expected = names.join(', ');
  if (group.length > 0 && positionals.length === 1) {
    const help = `\`lab ${positionals[0] ?? ''} --help\` explains them.`;
    return new LabError('bad_usage', `The command ${positionals[0] ?? ''} needs a second word.`, { expected, help });
  }
  const typed = positionals.slice(0, group.length > 0 ? 2 : 1).join(' ');
  const near = findNearest(typed, names)[0] ?? findNearest(positionals[0] ?? '', names)[0];
  const help = near === undefined ? '`lab --help` lists all commands.' : `Did you mean \`lab ${near}\`?`;
  return new LabError('bad_usage', `There is no command ${JSON.stringify(typed)}.`, { expected, received: typed, help });
}
