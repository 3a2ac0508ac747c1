// What a precision means for tensors; variables, loss and normalization statistics are float32 under each.
import type { DataType } from './graph.ts';

/**
 * mixed_bfloat16_wide rounds the same values to bfloat16, but computes convolutions and matrix products of them on float32 units and rounds
 * their results; bfloat16 kernels add up in float32 too. For devices whose bfloat16 kernels are slower than that.
 */
export type Precision = 'float32' | 'mixed_bfloat16' | 'mixed_bfloat16_wide';

export function computeTypes(precision: Precision): { readonly computeType: DataType; readonly productType: DataType } {
  switch (precision) {
    case 'float32':
      return { computeType: 'float32', productType: 'float32' };
    case 'mixed_bfloat16':
      return { computeType: 'bfloat16', productType: 'bfloat16' };
    case 'mixed_bfloat16_wide':
      return { computeType: 'bfloat16', productType: 'float32' };
  }
}
