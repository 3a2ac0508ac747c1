import { readFileSync } from 'node:fs';

/** When a process began, as text that no other process with this number shares; null when there is none or the system does not tell. */
export function readProcessStart(pid: number): string | null {
  if (process.platform !== 'linux') return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold spaces; the start time is field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return null;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${fields[19] ?? ''}`;
  } catch {
    return null;
  }
}

/** Whether some process has this number now. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Ends a trainer that outlived its core, so that two never write into one run; resolves when it is gone. */
export async function endOrphan(orphan: { readonly pid: number; readonly started: string }): Promise<void> {
  const isAlive = (): boolean => orphan.started !== '' && readProcessStart(orphan.pid) === orphan.started;
  // The orphan ends itself when it notices that its parent is gone; that takes a moment.
  for (let waited = 0; waited < 2000 && isAlive(); waited += 50) await pause(50);
  if (isAlive()) process.kill(orphan.pid, 'SIGKILL');
  for (let waited = 0; waited < 2000 && isAlive(); waited += 20) await pause(20);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
