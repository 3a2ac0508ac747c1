// How numbers are written for people, on the screen, in reports and by the command line: accuracies in percent with two decimals, losses
// with four, times as `2 min 31 s`, counts with thousands separators. Files for programs hold the numbers themselves.
const absent = '-';

type Perhaps = number | null | undefined;

export function formatCount(value: Perhaps): string {
  return isNumber(value) ? value.toLocaleString('en-US', { maximumFractionDigits: 0 }) : absent;
}

/** A fraction 0..1 in percent. */
export function formatPercent(fraction: Perhaps): string {
  return isNumber(fraction) ? `${(fraction * 100).toFixed(2)} %` : absent;
}

export function formatLoss(loss: Perhaps): string {
  return isNumber(loss) ? loss.toFixed(4) : absent;
}

/** Seconds as people say them; under a minute with one decimal. */
export function formatDuration(seconds: Perhaps): string {
  if (!isNumber(seconds)) return absent;
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function formatBytes(bytes: Perhaps): string {
  if (!isNumber(bytes)) return absent;
  if (bytes < 1024) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? 'TB'}`;
}

/** At most six significant digits, without a needless exponent: 0.001, 1e-7. */
export function formatLearningRate(rate: Perhaps): string {
  return isNumber(rate) ? String(Number(rate.toPrecision(6))) : absent;
}

/** The difference of two fractions in percentage points, with its sign: `+1.20 points`. */
export function formatPercentDifference(difference: Perhaps): string {
  if (!isNumber(difference)) return absent;
  const text = (Math.abs(difference) * 100).toFixed(2);
  const sign = Number(text) === 0 ? '±' : difference > 0 ? '+' : '−';
  return `${sign}${text} points`;
}

function isNumber(value: Perhaps): value is number {
  return value !== null && value !== undefined && Number.isFinite(value);
}
