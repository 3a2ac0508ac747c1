// Mixing the finished pictures of one batch: mixup blends, cutmix pastes. Both use the partner as it was before the partner itself was
// mixed, so the order of rows has no influence.
import type { PictureShape } from '../../shared/domain/augment.ts';
import type { RowMix } from '../../shared/domain/augmentMix.ts';
import type { BatchMix } from './batches.ts';

/** Mixes the packed float pictures in place; `rows` has one entry per picture and `copy` is memory of one picture. */
export function mixPictures(pixels: Float32Array, shape: PictureShape, rows: readonly RowMix[], copy: Float32Array): void {
  const size = shape[0] * shape[1] * shape[2];
  const isMixed = new Uint8Array(rows.length);
  const pictureAt = (row: number): Float32Array => pixels.subarray(row * size, (row + 1) * size);
  for (let start = 0; start < rows.length; start++) {
    if (isMixed[start] === 1) continue;
    // Along a cycle of partners each picture is needed once more after its own turn is over only if it is the first.
    copy.set(pictureAt(start));
    let row = start;
    for (;;) {
      const mix = rows[row];
      isMixed[row] = 1;
      if (mix === undefined) break;
      const isLast = mix.partner === start;
      mixPicture(pictureAt(row), isLast ? copy : pictureAt(mix.partner), shape, mix);
      if (isLast) break;
      row = mix.partner;
    }
  }
}

/** One picture with its partner's pixels, in place. */
export function mixPicture(picture: Float32Array, partner: Float32Array, [, width, channels]: PictureShape, mix: RowMix): void {
  const { pasted, share } = mix;
  if (pasted === null) {
    const rest = 1 - share;
    for (let index = 0; index < picture.length; index++) picture[index] = share * (picture[index] ?? 0) + rest * (partner[index] ?? 0);
    return;
  }
  for (let row = pasted.top; row < pasted.bottom; row++) {
    const start = (row * width + pasted.left) * channels;
    picture.set(partner.subarray(start, (row * width + pasted.right) * channels), start);
  }
}

/** What the mixing means for the labels of a batch. */
export function mixLabels(labels: Int32Array, rows: readonly RowMix[]): BatchMix {
  return {
    labels: Int32Array.from(rows, ({ partner }) => labels[partner] ?? 0),
    shares: Float32Array.from(rows, ({ share }) => share),
  };
}
