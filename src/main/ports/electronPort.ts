import { createMessagePort, type ChannelEnd } from '../../shared/messagePort.ts';
import type { Port } from '../../shared/rpc.ts';

/** The part of Electron's MessagePortMain that is used: it emits events as Node does and wraps the data as browsers do. */
export interface EmittingEnd {
  postMessage(frame: unknown): void;
  on(event: 'message', listener: (event: { readonly data: unknown }) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  start(): void;
  close(): void;
}

/** The host's end of a channel whose other end was given to a page; see createMessagePort. */
export function createElectronPort(port: EmittingEnd): Port {
  return createMessagePort(asChannelEnd(port));
}

function asChannelEnd(port: EmittingEnd): ChannelEnd {
  return {
    postMessage: (frame) => port.postMessage(frame),
    addEventListener: (type: 'message' | 'close', listener: (event: { readonly data: unknown }) => void) => {
      if (type === 'message') port.on('message', listener);
      else port.on('close', () => listener({ data: undefined }));
    },
    start: () => port.start(),
    close: () => port.close(),
  };
}
