// A page without a browser: the real connection and stores over a memory port of the real core.
import { createPinia, type Pinia } from 'pinia';
import { onTestFinished } from 'vitest';
import { createApp } from 'vue';
import type { Core } from '../../src/main/core.ts';
import { connectLab, type LabConnection } from '../../src/renderer/connection.ts';
import { labKey } from '../../src/renderer/injection.ts';
import { createMemoryPair, type Port } from '../../src/shared/rpc.ts';

export interface TestPage {
  readonly connection: LabConnection;
  /** The store as a component of the page would get it. */
  use<Store>(useStore: (pinia: Pinia) => Store): Store;
  /** Ends the connection as a lost network would; the page connects again by itself. */
  cut(): void;
}

export function openPage(core: () => Core): TestPage {
  let current: Port | undefined;
  const openPort = (): Promise<Port> => {
    const [page, server] = createMemoryPair();
    core().servePage(server);
    current = page;
    return Promise.resolve(page);
  };
  const connection = connectLab({ openPort, retryMs: 20 });
  onTestFinished(() => connection.close());
  const app = createApp({ render: () => null });
  const pinia = createPinia();
  app.provide(labKey, connection);
  app.use(pinia);
  return { connection, use: (useStore) => useStore(pinia), cut: () => current?.close() };
}
