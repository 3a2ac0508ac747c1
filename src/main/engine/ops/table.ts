// The op table: every TensorFlow op the engine may put into a graph, each with its shape rule and, where it has one, its gradient rule.
// Graph asks it while building, gradients.ts while differentiating. Families own the rules; this file only joins them.
import type { OpTable } from '../graph.ts';
import { activationOps } from './activation.ts';
import { arrayOps } from './array.ts';
import { convolutionOps } from './convolution.ts';
import { mergeFamilies } from './definition.ts';
import { imageOps } from './image.ts';
import { lossOps } from './loss.ts';
import { mathOps } from './math.ts';
import { matrixOps } from './matrix.ts';
import { normalizationOps } from './normalization.ts';
import { poolingOps } from './pooling.ts';
import { randomOps } from './random.ts';
import { reductionOps } from './reduction.ts';
import { slicingOps } from './slicing.ts';
import { sourceOps } from './source.ts';
import { trainingOps } from './training.ts';
import { unaryOps } from './unary.ts';
import { variableOps } from './variable.ts';

export const opTable: OpTable = mergeFamilies([
  sourceOps,
  arrayOps,
  slicingOps,
  mathOps,
  unaryOps,
  reductionOps,
  matrixOps,
  activationOps,
  convolutionOps,
  poolingOps,
  normalizationOps,
  lossOps,
  randomOps,
  variableOps,
  trainingOps,
  imageOps,
]);
