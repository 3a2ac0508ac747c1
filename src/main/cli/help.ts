import { globalOptions, type CommandDefinition, type OptionDefinition } from './command.ts';

/** How people type the program: through npm in a checkout. */
const program = 'npm run -s lab --';

export function describeProgram(commands: readonly CommandDefinition[]): string[] {
  return [
    'Transfer Lab: image-classification and transfer-learning experiments on your own machine.',
    '',
    `Usage: ${program} COMMAND [ARGUMENTS] [OPTIONS]`,
    '',
    'Commands:',
    ...describeList(commands),
    '',
    'Options of every command:',
    ...describeOptions(globalOptions),
    '',
    'Exit codes: 0 done, 2 wrong use or input, 3 the run failed, 4 workspace or disk problem, 130 interrupted with the work saved.',
    '',
    'Examples:',
    ...['doctor', 'run fashion-transfer-5to9', 'run mnist-test-1 --set phases.0.epochs=2 --seeds 1,2,3', 'runs list --json'].map(
      (example) => `  ${program} ${example}`,
    ),
    '',
    `\`${program} COMMAND --help\` explains a command.`,
  ];
}

export function describeGroup(group: string, commands: readonly CommandDefinition[]): string[] {
  const members = commands.filter(({ words }) => words.length > 1 && words[0] === group);
  return [
    `Usage: ${program} ${group} COMMAND`,
    '',
    'Commands:',
    ...describeList(members),
    '',
    'Examples:',
    ...members.flatMap(({ examples }) => examples.slice(0, 1)).map((example) => `  ${program} ${example}`),
  ];
}

export function describeCommand({ words, usage, summary, details, options, examples }: CommandDefinition): string[] {
  const own = options === undefined ? [] : ['', 'Options:', ...describeOptions(options)];
  return [
    `Usage: ${[program, ...words, usage, '[OPTIONS]'].filter((part) => part !== '').join(' ')}`,
    '',
    summary,
    ...(details === undefined ? [] : ['', ...details]),
    ...own,
    '',
    'Options of every command:',
    ...describeOptions(globalOptions),
    '',
    'Examples:',
    ...examples.map((example) => `  ${program} ${example}`),
  ];
}

function describeList(commands: readonly CommandDefinition[]): string[] {
  const names = commands.map(({ words, usage }) => [...words, usage].join(' ').trim());
  const width = Math.max(...names.map((name) => name.length));
  return commands.map(({ summary }, index) => `  ${(names[index] ?? '').padEnd(width)}  ${summary}`);
}

function describeOptions(options: Readonly<Record<string, OptionDefinition>>): string[] {
  const entries = Object.entries(options).map(([name, { value, help }]) => ({
    name: value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  }));
  const width = Math.max(...entries.map(({ name }) => name.length));
  return entries.map(({ name, help }) => `  ${name.padEnd(width)}  ${help}`);
}
