// What is compared: one row per recipe, phase and precision. The figures that rows must reach are in claims.ts.

export interface Row {
  readonly name: string;
  readonly recipe: string;
  /** Position in the recipe's phases. */
  readonly phase: number;
  readonly precision: 'float32' | 'mixed_bfloat16';
  /** The frozen phase with cached features is compared with Keras's frozen epoch and with an epoch of everything trained. */
  readonly kind: 'training' | 'frozen';
}

const training = [
  { recipe: 'fashion-transfer-5to9', label: 'transfer-5to9 full', phase: 0, kind: 'training' },
  { recipe: 'fashion-transfer-5to9', label: 'transfer-5to9 tuned', phase: 1, kind: 'frozen' },
  { recipe: 'fashion-test-7', label: 'test-7', phase: 0, kind: 'training' },
  { recipe: 'fashion-test-8', label: 'test-8', phase: 0, kind: 'training' },
  { recipe: 'fashion-test-9', label: 'test-9', phase: 0, kind: 'training' },
] as const;

/** Name of the row that is not a training: pictures per second of the augmentation. */
export const augmentationName = 'augmentation';

/** All rows, in the order in which they are measured. */
export const rows: readonly Row[] = (['float32', 'mixed_bfloat16'] as const).flatMap((precision) =>
  training.map(({ recipe, label, phase, kind }) => ({ name: `${label} ${nameOf(precision)}`, recipe, phase, precision, kind })),
);

function nameOf(precision: Row['precision']): string {
  return precision === 'float32' ? 'float32' : 'bfloat16';
}
