// Transforms that make another class of a picture or lose what it shows: pure rules over ranges and class names. They warn and never
// refuse, because only the person knows what the pictures are.
import type { Augmentation } from '../contract/augmentation.ts';
import type { PictureShape } from './augment.ts';
import { reachOf } from './augmentExtremes.ts';

export interface AugmentationWarning {
  readonly field: keyof Augmentation;
  /** label: the picture may no longer show its class; lost: it may show nothing at all. */
  readonly kind: 'label' | 'lost';
  readonly message: string;
}

export interface WarnedPictures {
  /** Names of the classes that are trained on. */
  readonly classes: readonly string[];
  /** Height, width and channels in the training. */
  readonly shape: PictureShape;
}

type Rule = (augmentation: Augmentation, pictures: WarnedPictures) => readonly (AugmentationWarning | null)[];

/** In the order of the transforms; empty when nothing is wrong. */
export function findAugmentationWarnings(augmentation: Augmentation, pictures: WarnedPictures): AugmentationWarning[] {
  const rules: readonly Rule[] = [turning, flipping, shifting, zooming, brightening, covering];
  return rules.flatMap((rule) => rule(augmentation, pictures)).filter((warning) => warning !== null);
}

const digitWords = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const digitForm = /^(?:digit[ _-]?)?([0-9])$/;
const letterForm = /^(?:(?:letter|upper|lower)[ _-]?)*([a-z])$/;

type Writing = 'digits' | 'letters' | null;

/** At least two classes, and most of them, are called so. */
function findWriting(classes: readonly string[]): Writing {
  const names = classes.map((name) => name.trim().toLowerCase());
  const isMost = (count: number): boolean => count >= 2 && count * 2 > names.length;
  const digits = names.filter((name) => digitForm.test(name) || digitWords.includes(name)).length;
  const letters = names.filter((name) => letterForm.test(name)).length;
  if (!isMost(digits + letters)) return null;
  return letters > digits ? 'letters' : 'digits';
}

function hasPair(classes: readonly string[], first: RegExp, second: RegExp): boolean {
  return classes.some((name) => first.test(name)) && classes.some((name) => second.test(name));
}

const left = /(?:^|[^a-z])left(?:$|[^a-z])/i;
const right = /(?:^|[^a-z])right(?:$|[^a-z])/i;
const up = /(?:^|[^a-z])(?:up|top|above)(?:$|[^a-z])/i;
const down = /(?:^|[^a-z])(?:down|bottom|below)(?:$|[^a-z])/i;

function turning({ rotationRange }: Augmentation, { classes }: WarnedPictures): (AugmentationWarning | null)[] {
  const writing = findWriting(classes);
  const warn = (message: string): AugmentationWarning => ({ field: 'rotationRange', kind: 'label', message });
  if (writing === 'digits' && rotationRange > 90) return [warn('Turned by more than 90 degrees, a 6 is a 9 and a 9 is a 6.')];
  if (writing === 'digits' && rotationRange > 30)
    return [warn('Digits turned by more than 30 degrees begin to look like others: a 7 like a 1, and from 90 degrees a 6 is a 9.')];
  if (writing === 'letters' && rotationRange > 30)
    return [warn('Letters turned by more than 30 degrees begin to look like others: an N like a Z, an M like an E.')];
  if (rotationRange >= 90 && (hasPair(classes, left, right) || hasPair(classes, up, down)))
    return [warn('The classes name directions, and a quarter turn makes another direction.')];
  return [];
}

function flipping({ horizontalFlip, verticalFlip }: Augmentation, { classes }: WarnedPictures): (AugmentationWarning | null)[] {
  const writing = findWriting(classes);
  const warn = (field: 'horizontalFlip' | 'verticalFlip', message: string): AugmentationWarning => ({ field, kind: 'label', message });
  return [
    horizontalFlip && writing === 'digits'
      ? warn('horizontalFlip', 'Mirrored digits are not digits: a 2 resembles a 5, and a 3 or a 7 is nothing that anyone writes.')
      : null,
    horizontalFlip && writing === 'letters' ? warn('horizontalFlip', 'Mirrored letters change their meaning: b and d, p and q.') : null,
    horizontalFlip && hasPair(classes, left, right)
      ? warn('horizontalFlip', 'The classes tell left from right, and a horizontal flip exchanges them.')
      : null,
    verticalFlip && writing === 'digits'
      ? warn('verticalFlip', 'A vertical flip changes digits: a 6 resembles a 9 and a 2 a 5, but the label stays.')
      : null,
    verticalFlip && writing === 'letters'
      ? warn('verticalFlip', 'A vertical flip changes letters: b and p, d and q, M and W, but the label stays.')
      : null,
    verticalFlip && hasPair(classes, up, down)
      ? warn('verticalFlip', 'The classes tell up from down, and a vertical flip exchanges them.')
      : null,
  ];
}

function shifting(augmentation: Augmentation, { shape }: WarnedPictures): (AugmentationWarning | null)[] {
  return (['widthShiftRange', 'heightShiftRange'] as const).map((field) => {
    const { pixels, size } = reachOf(augmentation, field, shape);
    if (pixels * 2 < size) return null;
    const part = pixels >= size ? 'all' : 'half or more';
    return { field, kind: 'lost', message: `Shifts of up to ${Math.round(pixels)} of ${size} pixels move ${part} of the picture out.` };
  });
}

function zooming({ zoomRange: [low, high] }: Augmentation): (AugmentationWarning | null)[] {
  const warn = (message: string): AugmentationWarning => ({ field: 'zoomRange', kind: 'lost', message });
  return [
    low <= 0 ? warn(`A zoom of ${low} shows a single point or a mirror image: begin the range above 0.`) : null,
    low > 0 && low < 0.4 ? warn(`A zoom of ${low} shows only ${Math.round(low * 100)} % of each side; the object may lie outside.`) : null,
    high > 3 ? warn(`A zoom of ${high} shrinks the picture to ${Math.round(100 / high)} % of each side; the rest is fill.`) : null,
  ];
}

function brightening({ brightnessRange, channelShiftRange }: Augmentation): (AugmentationWarning | null)[] {
  const [low] = brightnessRange ?? [1];
  return [
    low < 0.1
      ? {
          field: 'brightnessRange',
          kind: 'lost',
          message: low === 0 ? 'The range contains 0, which makes a black picture.' : `A factor of ${low} makes a nearly black picture.`,
        }
      : null,
    channelShiftRange >= 128
      ? {
          field: 'channelShiftRange',
          kind: 'lost',
          message: `Shifts of up to ${channelShiftRange} grey levels take most pixels to black or white.`,
        }
      : null,
  ];
}

function covering({ randomCrop, cutout }: Augmentation, { shape: [height, width] }: WarnedPictures): (AugmentationWarning | null)[] {
  const side = Math.min(height, width);
  const covered = cutout === null ? 0 : (Math.min(cutout.size, height) * Math.min(cutout.size, width)) / (height * width);
  const hasLeft = randomCrop !== null && randomCrop.padding * 2 >= side;
  return [
    hasLeft
      ? {
          field: 'randomCrop',
          kind: 'lost',
          message: `A crop of up to ${randomCrop.padding} of ${side} pixels moves half the picture out.`,
        }
      : null,
    covered >= 0.5
      ? { field: 'cutout', kind: 'lost', message: `The square of cutout covers up to ${Math.round(covered * 100)} % of the picture.` }
      : null,
  ];
}
