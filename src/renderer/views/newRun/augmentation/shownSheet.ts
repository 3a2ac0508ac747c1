// The preview that is drawn: it changes only when the sheet of the next one has arrived and was decoded, so that nothing flickers.
import { onBeforeUnmount, shallowRef, watch, type ShallowRef } from 'vue';
import type { PreviewAnswer } from '../../../../shared/contract/preview.ts';

/** `onLost` is told when a sheet can no longer be fetched. */
export function useShownSheet(answer: () => PreviewAnswer | null, onLost: () => void): ShallowRef<PreviewAnswer | null> {
  const shown = shallowRef<PreviewAnswer | null>(null);
  let image: HTMLImageElement | undefined;
  let lostUrl = '';

  watch(
    answer,
    async (next) => {
      if (image !== undefined && !image.complete) image.src = '';
      if (next === null) {
        shown.value = null;
        return;
      }
      const mine = new Image();
      image = mine;
      mine.src = next.sheetUrl;
      try {
        await mine.decode();
        if (image === mine) shown.value = next;
      } catch {
        // Asked once more for each address, so that a sheet that can never be read ends here.
        if (image !== mine || lostUrl === next.sheetUrl) return;
        lostUrl = next.sheetUrl;
        onLost();
      }
    },
    { immediate: true },
  );
  onBeforeUnmount(() => {
    image = undefined;
  });
  return shown;
}
