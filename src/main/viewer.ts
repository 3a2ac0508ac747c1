/**
 * Entry of the viewer child: answers requests of the core about stored pictures until the channel is closed.
 *
 * Owns the life of the process and the order of messages. What can be asked is contract/viewer.ts, how it is answered
 * viewer/requests.ts. It keeps nothing on disk, so it may be ended at any moment.
 */
import { LabError, toWire } from '../shared/contract/errors.ts';
import { validate } from '../shared/contract/validation.ts';
import { viewerCalls, viewerMessageSchema, type ViewerCall, type ViewerReply } from '../shared/contract/viewer.ts';
import { configureDecoder } from './data/images.ts';
import { startWatchdog } from './trainer/watchdog.ts';
import { createViewerHandlers, type ViewerHandlers } from './viewer/requests.ts';

type AnyHandler = (request: unknown, signal: AbortSignal) => Promise<unknown>;

async function answer(handlers: ViewerHandlers, name: string, request: unknown, signal: AbortSignal): Promise<unknown> {
  if (!Object.hasOwn(viewerCalls, name)) throw new LabError('internal', `The viewer does not answer ${JSON.stringify(name)}.`);
  const call = name as ViewerCall;
  const valid = validate(viewerCalls[call].request, request, `The request ${call} to the viewer`, { code: 'internal' });
  return (handlers[call] as AnyHandler)(valid, signal);
}

function reply(message: ViewerReply): void {
  if (process.connected) process.send?.(message, () => undefined);
}

function main(): void {
  configureDecoder();
  const handlers = createViewerHandlers();
  const open = new Map<number, AbortController>();
  process.on('message', (received: unknown) => {
    const message = viewerMessageSchema.parse(received);
    const { id } = message;
    if (message.type === 'cancel') {
      open.get(id)?.abort(new LabError('cancelled', 'The request was cancelled.'));
      return;
    }
    const controller = new AbortController();
    open.set(id, controller);
    answer(handlers, message.call, message.request, controller.signal)
      .then(
        (found) => reply({ type: 'answer', id, answer: found }),
        (error: unknown) => reply({ type: 'failed', id, error: toWire(error) }),
      )
      .finally(() => open.delete(id));
  });
  process.on('disconnect', () => process.exit(0));
  // Ctrl-C reaches the whole group; the parent decides what it means.
  process.on('SIGINT', () => undefined);
  startWatchdog();
}

main();
