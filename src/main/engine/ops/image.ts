import { bool, text } from '../attributes.ts';
import type { DataType, OpDefinition, Tensor, TensorSpec } from '../graph.ts';
import { define, inputAt, reject, requireRank, spec } from './definition.ts';
import type { Site } from './definition.ts';
import { describeShape, readConstant } from './shapes.ts';

/** Geometry of whole batches of images, [batch, height, width, channels]. */
export const imageOps: readonly OpDefinition[] = [
  define({
    op: 'ImageProjectiveTransformV3',
    inputs: ['dtype', 'float32', 'int32', 'float32'],
    defaults: { interpolation: text('BILINEAR'), fill_mode: text('CONSTANT') },
    infer: inferTransform,
  }),
  define({
    op: 'ResizeBilinear',
    inputs: ['T', 'int32'],
    defaults: { align_corners: bool(false), half_pixel_centers: bool(true) },
    infer: (site) => resized(site, 1, 'float32'),
  }),
  define({
    op: 'ResizeNearestNeighbor',
    inputs: ['T', 'int32'],
    defaults: { align_corners: bool(false), half_pixel_centers: bool(true) },
    infer: (site) => resized(site, 1, inputAt(site, 0).dtype),
  }),
];

function resized(site: Site, sizeInput: number, dtype: DataType): readonly TensorSpec[] {
  const images: Tensor = requireRank(site, 0, 4);
  const sizes = readConstant(inputAt(site, sizeInput));
  const [height, width] = sizes;
  if (height === undefined || width === undefined || sizes.length !== 2 || height < 1 || width < 1) {
    reject(site, 'its output size is not a height and a width', { expected: 'two positive sizes', received: `[${sizes.join(', ')}]` });
  }
  return spec(dtype, [images.shape[0] ?? null, height, width, images.shape[3] ?? null]);
}

/** Each row of transforms holds the eight numbers of a projective map from output to input; one row serves a whole batch. */
function inferTransform(site: Site): readonly TensorSpec[] {
  const images = requireRank(site, 0, 4);
  const transforms = requireRank(site, 1, 2);
  const [rows, numbers] = transforms.shape;
  if (numbers !== 8 || (rows !== 1 && rows !== images.shape[0])) {
    reject(site, 'its transforms do not fit its images', {
      expected: `[${images.shape[0] ?? 'batch'}, 8] or [1, 8]`,
      received: describeShape(transforms.shape),
    });
  }
  return resized(site, 2, images.dtype);
}
