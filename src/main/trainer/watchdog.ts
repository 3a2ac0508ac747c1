// A thread that ends the process when its parent is gone: a trainer that is busy in native code cannot notice it in its event loop.
import { Worker } from 'node:worker_threads';

const source = `
const { workerData } = require('node:worker_threads');
setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL');
}, workerData.intervalMs);
`;

/** Starts the thread; it keeps nothing alive and needs no end. */
export function startWatchdog(intervalMs = 500): void {
  const worker = new Worker(source, { eval: true, workerData: { parent: process.ppid, intervalMs } });
  worker.unref();
}
