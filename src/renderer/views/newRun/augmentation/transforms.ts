// The transforms as the part shows them: what switches one on and off, and which numbers it has with the range of their sliders. Numbers
// beyond a slider can be typed; what may be typed is decided by the schema.
import { augmentationSchema, type Augmentation } from '../../../../shared/contract/augmentation.ts';
import { describeFields, type Field } from '../../../../shared/domain/draft/fields.ts';
import { readAt, type Place } from '../../../../shared/domain/draft/place.ts';

export interface Knob {
  /** Within the augmentation. */
  readonly place: Place;
  readonly label: string;
  readonly unit: string;
  /** Of the slider. */
  readonly least: number;
  readonly most: number;
  readonly step: number;
  /** Two numbers, from and to. */
  readonly isPair: boolean;
  /** Checks what is typed; of a pair, one of the two numbers. */
  readonly field: Field;
}

export interface Transform {
  readonly name: TransformName;
  readonly label: string;
  /** A few words, shown while it is off. */
  readonly help: string;
  /** What surprises about it. */
  readonly note: string | null;
  /** What it has when it is switched on, as document 001 where that has the transform. */
  readonly start: Partial<Augmentation>;
  readonly knobs: readonly Knob[];
}

export type TransformName =
  | 'rotationRange'
  | 'widthShiftRange'
  | 'heightShiftRange'
  | 'shearRange'
  | 'zoomRange'
  | 'horizontalFlip'
  | 'verticalFlip'
  | 'randomCrop'
  | 'brightnessRange'
  | 'channelShiftRange'
  | 'cutout'
  | 'mixup'
  | 'cutmix';

/** The generator of document 001. */
export const document001: Augmentation = augmentationSchema.parse({
  rotationRange: 45,
  widthShiftRange: 0.3,
  heightShiftRange: 0.25,
  shearRange: 0.25,
  zoomRange: 0.25,
  fillMode: 'nearest',
  horizontalFlip: true,
});

/** Every transform off. */
export const neutral: Augmentation = augmentationSchema.parse({});

const fields = describeFields(augmentationSchema);

/** The field at a place of the augmentation; of a pair, that of its numbers. */
function fieldAt([name, inner]: Place): Field {
  const found = fields.find((field) => field.name === name);
  if (found === undefined) throw new RangeError(`The augmentation has no field ${String(name)}.`);
  const { shape } = found.shape.kind === 'perhaps' ? found.shape.inner : found;
  if (shape.kind === 'tuple') return { ...(shape.items[0] ?? found), name: found.name };
  return shape.kind === 'group' ? (shape.fields.find((field) => field.name === inner) ?? found) : found;
}

type Range = readonly [least: number, most: number, step: number];

function knob(place: Place, label: string, unit: string, [least, most, step]: Range, isPair = false): Knob {
  return { place, label, unit, least, most, step, isPair, field: fieldAt(place) };
}

/** In the order of the list; `side` is the shorter side of the pictures in pixels. */
export function listTransforms(side: number): readonly Transform[] {
  return [...geometry(side), ...light(), ...covering(side), ...mixing()];
}

const exchanged = (direction: string): string =>
  `Moves ${direction}: Keras 3 exchanges the axes of its two shifts, and the lab does as Keras does.`;

function geometry(side: number): Transform[] {
  const { rotationRange, widthShiftRange, heightShiftRange, shearRange, zoomRange } = document001;
  const shiftHelp = 'a share of the side; from 1 on, pixels';
  return [
    single('rotationRange', 'Rotation', 'turned by up to this much either way', rotationRange, '°', [0, 180, 1]),
    single('widthShiftRange', 'Width shift', shiftHelp, widthShiftRange, 'share', [0, 0.95, 0.05], exchanged('up and down')),
    single('heightShiftRange', 'Height shift', shiftHelp, heightShiftRange, 'share', [0, 0.95, 0.05], exchanged('left and right')),
    single('shearRange', 'Shear', 'degrees, as in Keras: 0.25 is hardly seen', shearRange, '°', [0, 45, 0.25]),
    {
      name: 'zoomRange',
      label: 'Zoom',
      help: 'below 1 magnifies, above 1 shrinks',
      note: null,
      start: { zoomRange },
      knobs: [knob(['zoomRange'], 'Zoom', '×', [0.1, 2, 0.05], true)],
    },
    flip('horizontalFlip', 'Horizontal flip', 'half of the images, left to right'),
    flip('verticalFlip', 'Vertical flip', 'half of the images, upside down'),
    {
      name: 'randomCrop',
      label: 'Random crop',
      help: 'padded, then cut out at random',
      note: null,
      start: { randomCrop: { padding: Math.max(1, Math.round(side / 8)) } },
      knobs: [knob(['randomCrop', 'padding'], 'Random crop, padding', 'px', [1, Math.max(4, side >> 1), 1])],
    },
  ];
}

function light(): Transform[] {
  return [
    {
      name: 'brightnessRange',
      label: 'Brightness',
      help: 'all values times a random factor',
      note: null,
      start: { brightnessRange: [0.7, 1.3] },
      knobs: [knob(['brightnessRange'], 'Brightness', '×', [0, 2, 0.05], true)],
    },
    single('channelShiftRange', 'Channel shift', 'grey levels added to every value', 30, 'grey', [0, 255, 1]),
  ];
}

function covering(side: number): Transform[] {
  const size = knob(['cutout', 'size'], 'Cutout, side', 'px', [1, side, 1]);
  return [
    {
      name: 'cutout',
      label: 'Cutout',
      help: 'a square covers a random place',
      note: null,
      start: { cutout: { size: Math.max(1, side >> 2), value: 0 } },
      knobs: [size, knob(['cutout', 'value'], 'Cutout, grey level', 'grey', [0, 255, 1])],
    },
  ];
}

function mixing(): Transform[] {
  const range: Range = [0.05, 2, 0.05];
  return [
    {
      name: 'mixup',
      label: 'Mixup',
      help: 'blended with another image and label',
      note: null,
      start: { mixup: { alpha: 0.2 } },
      knobs: [knob(['mixup', 'alpha'], 'Mixup, alpha', 'alpha', range)],
    },
    {
      name: 'cutmix',
      label: 'Cutmix',
      help: 'a piece of another image and label',
      note: null,
      start: { cutmix: { alpha: 1 } },
      knobs: [knob(['cutmix', 'alpha'], 'Cutmix, alpha', 'alpha', range)],
    },
  ];
}

type SingleName = 'rotationRange' | 'widthShiftRange' | 'heightShiftRange' | 'shearRange' | 'channelShiftRange';

function single(
  name: SingleName,
  label: string,
  help: string,
  start: number,
  unit: string,
  range: Range,
  note: string | null = null,
): Transform {
  return { name, label, help, note, start: { [name]: start }, knobs: [knob([name], label, unit, range)] };
}

function flip(name: 'horizontalFlip' | 'verticalFlip', label: string, help: string): Transform {
  return { name, label, help, note: null, start: { [name]: true }, knobs: [] };
}

/** A transform is on when its value is not the one that changes nothing. */
export function isOn(augmentation: Augmentation | null, name: TransformName): boolean {
  return augmentation !== null && JSON.stringify(augmentation[name]) !== JSON.stringify(neutral[name]);
}

/** Those that are switched on, in the schema's order. */
export function transformsOn(augmentation: Augmentation | null): TransformName[] {
  return listTransforms(1)
    .map(({ name }) => name)
    .filter((name) => isOn(augmentation, name));
}

/** The number or numbers of a knob; those of the start while the transform is off. */
export function readKnob(transform: Transform, { place }: Knob, augmentation: Augmentation | null): number | readonly [number, number] {
  const source = isOn(augmentation, transform.name) ? augmentation : transform.start;
  return readAt(source, place) as number | readonly [number, number];
}

/** With one transform switched on or off; null when none is left on. */
export function switchTransform(
  augmentation: Augmentation | null,
  { name, start }: Pick<Transform, 'name' | 'start'>,
  isWanted: boolean,
  border: Pick<Augmentation, 'fillMode' | 'cval'> = neutral,
): Augmentation | null {
  const before = augmentation ?? { ...neutral, fillMode: border.fillMode, cval: border.cval };
  const next = { ...before, ...(isWanted ? start : { [name]: neutral[name] }) };
  return transformsOn(next).length === 0 ? null : next;
}
