import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { cpus, freemem, hostname, release, totalmem } from 'node:os';
import type { Machine } from '../../shared/contract/answers.ts';

/** Instruction sets that decide how fast TensorFlow computes. */
const decisiveFeatures = ['sse4_2', 'avx', 'avx2', 'fma', 'f16c', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_bf16', 'amx_int8'];

export function describeMachine(): Machine {
  const all = cpus();
  return {
    host: hostname(),
    platform: `${process.platform}-${process.arch} ${release()}`,
    cpu: { model: all[0]?.model.trim() ?? 'unknown', cores: all.length, features: readFeatures() },
    memoryBytes: totalmem(),
  };
}

/** Memory that programs can have without swapping, in bytes. */
export function readAvailableMemory(): number {
  try {
    const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    return line?.[1] === undefined ? freemem() : Number(line[1]) * 1024;
  } catch {
    return freemem();
  }
}

const largestFeatureCacheBytes = 128 * 1024 ** 2;

/** How many bytes of features a trainer may hold in memory now. */
export function chooseFeatureCacheBytes(): number {
  return Math.max(2 ** 20, Math.min(largestFeatureCacheBytes, Math.floor(readAvailableMemory() / 4)));
}

export async function measureDisk(folder: string): Promise<{ folder: string; totalBytes: number; freeBytes: number }> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return { folder, totalBytes: bsize * blocks, freeBytes: bsize * bavail };
}

function readFeatures(): string[] {
  try {
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
    return decisiveFeatures.filter((feature) => flags.includes(feature));
  } catch {
    return [];
  }
}
