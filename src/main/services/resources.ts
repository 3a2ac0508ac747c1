// What a training process uses, sampled once a second from /proc; other systems do not tell, and nothing is shown there.
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { readAvailableMemory } from './machine.ts';

export interface ResourceSample {
  /** Share of all cores since the sample before, 0..1. */
  readonly processor: number;
  readonly residentBytes: number;
  readonly availableBytes: number;
}

const sampleMs = 1000;
/** USER_HZ, which Linux keeps at 100 on every architecture (man 5 proc). */
const ticksPerSecond = 100;

interface Usage {
  readonly seconds: number;
  readonly residentBytes: number;
  readonly at: number;
}

/** Shows a sample every second, the first after one second, until the function returned is called or the process is gone. */
export function sampleResources(pid: number, show: (sample: ResourceSample) => void): () => void {
  if (process.platform !== 'linux' || pid === 0) return () => undefined;
  let isStopped = false;
  let before: Usage | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const sample = async (): Promise<void> => {
    const now = await readUsage(pid);
    if (isStopped || now === undefined) return;
    if (before !== undefined) show(compare(before, now));
    before = now;
    timer = setTimeout(() => void sample(), sampleMs);
  };
  void sample();
  return () => {
    isStopped = true;
    clearTimeout(timer);
  };
}

function compare(before: Usage, now: Usage): ResourceSample {
  const coreSeconds = ((now.at - before.at) / 1000) * availableParallelism();
  const processor = Math.min(1, Math.max(0, (now.seconds - before.seconds) / coreSeconds));
  return { processor, residentBytes: now.residentBytes, availableBytes: readAvailableMemory() };
}

/** Undefined when the process is gone. */
async function readUsage(pid: number): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')]);
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    if (resident === undefined) return undefined;
    // The second field is the program's name in parentheses and may hold spaces; the times of user and system are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { seconds: ticks / ticksPerSecond, residentBytes: Number(resident) * 1024, at: performance.now() };
  } catch {
    return undefined;
  }
}
