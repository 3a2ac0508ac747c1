// Colours of a confusion matrix that is drawn as a table: the same ramp as the chart, with the text that reads best on each shade.
import { confusionRamps } from './confusion.ts';
import { fade, type ChartTheme } from './theme.ts';

export interface Shade {
  /** Both as #rrggbb. */
  readonly ground: string;
  readonly text: string;
}

/** For a share 0..1 of a class; contrast of the text is at least 4.5 to 1. */
export function confusionShade(share: number, theme: ChartTheme): Shade {
  const ramp = confusionRamps[theme];
  const place = Math.min(1, Math.max(0, share)) * (ramp.length - 1);
  const low = Math.min(ramp.length - 2, Math.floor(place));
  const ground = fade(ramp[low + 1] ?? '#000000', ramp[low] ?? '#000000', place - low);
  return { ground, text: luminance(ground) > evenLuminance ? '#000000' : '#ffffff' };
}

/** Where black and white text are equally easy to read. */
const evenLuminance = 0.179;

/** Relative luminance as WCAG defines it. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const value = Number.parseInt(color.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
