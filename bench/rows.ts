// What is compared: one row per recipe, phase and precision. The figures that rows must reach are in claims.ts.

export interface Row {
  readonly name: string;
  readonly recipe: string;
  /** Position in the recipe's phases. */
  readonly phase: number;
  readonly precision: 'float32' | 'mixed_bfloat16';
  /** The frozen phase with cached features is compared with Keras's frozen epoch and with an epoch of everything trained. */
  readonly kind: 'training' | 'frozen';
  /** Null times a whole epoch. */
  readonly timedSteps: number | null;
}

const measured = [
  { label: 'transfer-5to9 full', recipe: 'fashion-transfer-5to9', phase: 0, kind: 'training', timedSteps: null },
  { label: 'transfer-5to9 tuned', recipe: 'fashion-transfer-5to9', phase: 1, kind: 'frozen', timedSteps: null },
  { label: 'test-7', recipe: 'fashion-test-7', phase: 0, kind: 'training', timedSteps: null },
  // An epoch of 860 steps takes minutes here and says no more than these.
  { label: 'test-8', recipe: 'fashion-test-8', phase: 0, kind: 'training', timedSteps: 240 },
  { label: 'test-9', recipe: 'fashion-test-9', phase: 0, kind: 'training', timedSteps: null },
] as const;

/** Name of the row that is not a training: pictures per second of the augmentation. */
export const augmentationName = 'augmentation';

/** All rows, in the order in which they are measured. */
export const rows: readonly Row[] = (['float32', 'mixed_bfloat16'] as const).flatMap((precision) =>
  measured.map(({ label, ...row }) => ({ ...row, name: `${label} ${nameOf(precision)}`, precision })),
);

function nameOf(precision: Row['precision']): string {
  return precision === 'float32' ? 'float32' : 'bfloat16';
}
