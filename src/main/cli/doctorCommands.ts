import type { DoctorAnswer } from '../../shared/contract/answers.ts';
import { exitStatus, type CommandDefinition } from './command.ts';
import { formatBytes, formatDuration } from './format.ts';

export const doctorCommands: readonly CommandDefinition[] = [
  {
    words: ['doctor'],
    usage: '',
    summary: 'Check this machine: library, self-test, memory and disk.',
    details: ['Exit code 0 also with problems that have a way out; 4 when training is impossible.'],
    positionals: { least: 0, most: 0 },
    options: { deep: { help: 'also check the content of the native library' } },
    examples: ['doctor', 'doctor --deep --json'],
    isRepeatable: true,
    act: async ({ client, options, screen, signal }) => {
      const answer = await client.call('doctor.check', { deep: options.isSet('deep') }, { signal });
      screen.answer(answer, () => describeHealth(answer));
      return answer.ok ? exitStatus.done : exitStatus.workspace;
    },
  },
];

function describeHealth(answer: DoctorAnswer): string[] {
  const { versions, native, cpu, devices, memory, disk, selfTest, problems } = answer;
  const facts: [string, string][] = [
    ['Versions', `app ${versions.app}, Node ${versions.node}, TensorFlow ${versions.tensorflow}, SQLite ${versions.sqlite}`],
    ['Library', `${native.library}, ${native.build} build, ${native.verified ? 'verified' : 'not usable'}: ${native.path}`],
    ['Processor', `${cpu.model}, ${cpu.cores} cores, ${cpu.features.join(' ')}`],
    ['Devices', devices.join(', ')],
    ['Memory', `${formatBytes(memory.availableBytes)} of ${formatBytes(memory.totalBytes)} available`],
    ['Disk', `${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free in ${disk.folder}`],
    ['Self-test', `${selfTest.ok ? 'passed' : 'failed'} in ${formatDuration(selfTest.seconds)}: ${selfTest.message}`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    ...(problems.length === 0 ? ['No problems found.'] : problems.flatMap(({ what, help }) => [`Problem: ${what}`, `  ${help}`])),
    answer.ok ? 'Training is possible.' : 'Training is not possible.',
  ];
}
