// Sprite sheets a grid shows: those in view are fetched at once, their neighbours afterwards, and what scrolled past is given up.
import { onBeforeUnmount, shallowReactive } from 'vue';

/** Decoded sheets take a few megabytes each. */
const mostKept = 24;
const retryMs = 1500;

export interface Sheets {
  /** Addresses that can be drawn. */
  readonly ready: ReadonlySet<string>;
  /** Neighbours are fetched when everything in view is there. */
  want(inView: readonly string[], neighbours: readonly string[]): void;
}

export function useSheets(): Sheets {
  const ready = shallowReactive(new Set<string>());
  /** Fetched or being fetched, last wanted last. */
  const images = new Map<string, HTMLImageElement>();
  let wanted: { readonly inView: readonly string[]; readonly neighbours: readonly string[] } = { inView: [], neighbours: [] };
  let retry: ReturnType<typeof setTimeout> | undefined;

  const drop = (address: string): void => {
    const image = images.get(address);
    images.delete(address);
    ready.delete(address);
    // An image without an address gives up its request.
    if (image !== undefined && !image.complete) image.src = '';
  };
  const fetchSheet = (address: string): void => {
    const image = images.get(address) ?? new Image();
    const isKnown = images.delete(address);
    images.set(address, image);
    if (isKnown) return;
    image.src = address;
    image.decode().then(
      () => {
        if (images.get(address) !== image) return;
        ready.add(address);
        advance();
      },
      () => {
        if (images.get(address) !== image) return;
        images.delete(address);
        clearTimeout(retry);
        retry = setTimeout(advance, retryMs);
      },
    );
  };
  const advance = (): void => {
    for (const address of wanted.inView) fetchSheet(address);
    if (wanted.inView.every((address) => ready.has(address))) for (const address of wanted.neighbours) fetchSheet(address);
    for (const address of images.keys()) {
      if (images.size <= mostKept) break;
      if (!wanted.inView.includes(address)) drop(address);
    }
  };
  onBeforeUnmount(() => {
    clearTimeout(retry);
    for (const address of [...images.keys()]) drop(address);
  });
  return {
    ready,
    want: (inView, neighbours) => {
      wanted = { inView, neighbours };
      const kept = new Set([...inView, ...neighbours]);
      for (const address of [...images.keys()]) if (!kept.has(address) && !ready.has(address)) drop(address);
      advance();
    },
  };
}
