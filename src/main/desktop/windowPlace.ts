// Where the window was, kept beside Electron's own data: a place that no screen shows any more is forgotten.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Rectangle } from 'electron';
import { z } from 'zod';

const edge = z.int().min(-100_000).max(100_000);
const placeSchema = z.strictObject({
  x: edge,
  y: edge,
  width: z.int().positive().max(100_000),
  height: z.int().positive().max(100_000),
  isMaximized: z.boolean(),
});
export type WindowPlace = z.infer<typeof placeSchema>;

/** So much of the title bar must be on a screen that a person can drag the window. */
const reachablePixels = 100;

/** Undefined when there is none, or it would be out of sight. */
export function readWindowPlace(file: string, screens: readonly Rectangle[]): WindowPlace | undefined {
  try {
    const place = placeSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return screens.some((area) => isReachable(place, area)) ? place : undefined;
  } catch {
    return undefined;
  }
}

/** A place that cannot be written is not worth a word: the window opens in the middle next time. */
export function writeWindowPlace(file: string, place: WindowPlace): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(place)}\n`);
  } catch {
    return;
  }
}

function isReachable(place: WindowPlace, area: Rectangle): boolean {
  const shared = Math.min(place.x + place.width, area.x + area.width) - Math.max(place.x, area.x);
  return shared >= reachablePixels && place.y >= area.y && place.y <= area.y + area.height - reachablePixels;
}
