import type { Prediction, Result } from '../../../shared/contract/methods/results.ts';
import { formatPercent } from '../../../shared/domain/numbers.ts';
import { pictureUrl } from '../../../shared/domain/pictures.ts';
import type { PredictionTile } from '../../components/PredictionGrid.vue';

/** A prediction in words, with the address of its picture where the dataset is still there. */
export function describePrediction(result: Result, { index, label, predicted, confidence }: Prediction): PredictionTile {
  return {
    url: result.isDatasetPresent ? pictureUrl(result.fingerprint, index) : null,
    isRight: label === predicted,
    predicted: result.classes[predicted] ?? `class ${predicted}`,
    confidence: formatPercent(confidence),
    truth: result.classes[label] ?? `class ${label}`,
  };
}
