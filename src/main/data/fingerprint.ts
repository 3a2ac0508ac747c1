import { createHash } from 'node:crypto';

export interface FingerprintParts {
  readonly shape: readonly [number, number, number];
  readonly classes: readonly string[];
  readonly trainCount: number;
  readonly testCount: number;
}

/**
 * SHA-256 over one line of JSON with, in this order, shape, classes, trainCount, testCount, and the SHA-256 of images.bin and of
 * labels.bin. Name, origin and date do not enter: two imports of the same pictures have the same fingerprint.
 */
export function fingerprintOf(parts: FingerprintParts, picturesSha256: string, labelsSha256: string): string {
  const line = JSON.stringify({
    shape: parts.shape,
    classes: parts.classes,
    trainCount: parts.trainCount,
    testCount: parts.testCount,
    pictures: picturesSha256,
    labels: labelsSha256,
  });
  return createHash('sha256').update(line).digest('hex');
}
