// Pictures as a phase's augmentation changes them, for people: what a page asks for and what it is told about every tile. The pixels come
// as one sheet under an address of their own, never in a message.
import { z } from 'zod';

const index = z.int().nonnegative();
const variants = z.int().nonnegative().max(50).default(5);

/** Which pictures, and which of their many forms. */
export const previewPicturesSchema = z.discriminatedUnion('kind', [
  /** Each picture as it is, then as the first `variants` passes of the training show it. `indices` count the dataset's pictures. */
  z.strictObject({ kind: z.literal('chosen'), indices: z.array(index).min(1).max(100), variants }),
  /** The same of the first pictures that the phase trains on. */
  z.strictObject({ kind: z.literal('training'), count: z.int().positive().max(100).default(1), variants }),
  /** Rows of one training batch exactly as the training sees them; epoch and step count from 0. */
  z.strictObject({
    kind: z.literal('batch'),
    epoch: index.max(1_000_000),
    step: index.max(10_000_000),
    offset: index.default(0),
    limit: z.int().positive().max(200).default(40),
  }),
]);
export type PreviewPictures = z.infer<typeof previewPicturesSchema>;

/** What is asked besides a recipe and a dataset. */
export const previewWishSchema = z.strictObject({
  /** Counted from 0; its augmentation is shown. */
  phase: z.int().nonnegative().max(19).default(0),
  /** Null: the recipe's own. */
  seed: z.int().min(0).max(0x7fffffff).nullable().default(null),
  pictures: previewPicturesSchema,
  /** Instead of variants, each transform alone at either end of its range; not with a batch. */
  extremes: z.boolean().default(false),
});

export const previewTileSchema = z.strictObject({
  /** Position among all pictures of the dataset. */
  index,
  /** Class of the dataset. */
  label: index,
  /** Position among the pictures that the phase trains on; null for others, which are drawn as if they stood in the first batch. */
  sample: index.nullable(),
  /** The pass over the data that shows it so, from 0; null for the picture as it is and for extremes. */
  variant: index.nullable(),
  /** What an extreme shows, for example `rotationRange 45°`; null otherwise. */
  extreme: z.string().nullable(),
  /** What was drawn: a field of the augmentation and its value in words. Empty for the picture as it is. */
  parameters: z.array(z.strictObject({ name: z.string(), text: z.string() })),
  /** The other picture in it; `share` is the part of the label that stays the picture's own. */
  mix: z.strictObject({ kind: z.enum(['mixup', 'cutmix']), share: z.number(), index, label: index }).nullable(),
});
export type PreviewTile = z.infer<typeof previewTileSchema>;

/** What the viewer child and the core agree on; tile `n` lies in column n % columns and row floor(n / columns) of the sheet. */
export const previewContentSchema = z.strictObject({
  tiles: z.array(previewTileSchema),
  columns: z.int().positive(),
  /** Height and width in pixels: the pictures' own size in the training. */
  tileSize: z.tuple([z.int().positive(), z.int().positive()]),
  /** Pictures that the phase trains on, steps of an epoch, and pictures in the batch that was asked for. */
  trainImages: index,
  stepsPerEpoch: index,
  batchImages: index.nullable(),
  /** Of one thread, measured now; null without augmentation. Steps x batch x this / threads is the cost of an epoch. */
  microsecondsPerPicture: z.number().nullable(),
});

export const previewAnswerSchema = previewContentSchema.extend({
  /** Address of the PNG; the same address is the same picture for ever, but only the latest sheets can be fetched. */
  sheetUrl: z.string(),
});
export type PreviewAnswer = z.infer<typeof previewAnswerSchema>;
