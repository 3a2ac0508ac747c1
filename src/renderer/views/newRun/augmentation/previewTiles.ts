// The sheet of a preview as rows of tiles with words: how tiles are grouped, how large they are drawn, and what is said about each.
import type { PreviewAnswer, PreviewTile } from '../../../../shared/contract/preview.ts';
import { wordsOf } from '../../../../shared/domain/draft/words.ts';
import { formatCount, formatDuration, formatPercent } from '../../../../shared/domain/numbers.ts';

export interface PlacedTile extends PreviewTile {
  /** Position on the sheet. */
  readonly at: number;
}

export interface TileRow {
  /** Null where tiles of different pictures stand together. */
  readonly label: number | null;
  readonly tiles: readonly PlacedTile[];
}

/** A row for each picture: the picture as it is, then its variants. A batch is one row. */
export function groupTiles(tiles: readonly PreviewTile[], isBatch: boolean): readonly TileRow[] {
  const placed = tiles.map((tile, at) => ({ ...tile, at }));
  if (isBatch) return placed.length === 0 ? [] : [{ label: null, tiles: placed }];
  const rows: { label: number; tiles: PlacedTile[] }[] = [];
  for (const tile of placed) {
    const row = rows.at(-1);
    if (row === undefined || isOriginal(tile)) rows.push({ label: tile.label, tiles: [tile] });
    else row.tiles.push(tile);
  }
  return rows;
}

export function isOriginal({ variant, extreme }: PreviewTile): boolean {
  return variant === null && extreme === null;
}

interface Room {
  readonly width: number;
  readonly height: number;
  /** Tiles side by side and rows that should be in view. */
  readonly across: number;
  readonly down: number;
  /** Of a tile beside and below the picture. */
  readonly gap: number;
  readonly captionHeight: number;
}

const smallest = 40;

/** Width and height of a drawn tile: as large as fits, small pictures by whole factors so that their pixels stay squares. */
export function sizeTiles([height, width]: readonly [number, number], room: Room): { readonly width: number; readonly height: number } {
  const byWidth = room.width / room.across - room.gap;
  const byHeight = ((room.height / room.down - room.gap - room.captionHeight) / height) * width;
  const wanted = Math.max(smallest, Math.min(byWidth, byHeight));
  const factor = wanted / width;
  const drawn = factor >= 1 ? Math.floor(factor) : factor;
  return { width: Math.floor(width * drawn), height: Math.floor(height * drawn) };
}

/** What a tile shows, in one sentence without its dot. */
export function describeTile(tile: PreviewTile, classNames: readonly string[], row: number | null = null): string {
  const name = classNames[tile.label] ?? `class ${tile.label}`;
  const how = describeChange(tile, classNames);
  if (row !== null) return `${name}, image ${formatCount(row + 1)} of the batch${how === '' ? ', as it is' : `: ${how}`}`;
  if (isOriginal(tile)) return `${name}, as it is`;
  if (tile.extreme !== null) return `${name}: ${describeExtreme(tile.extreme)}`;
  return `${name}, pass ${formatCount((tile.variant ?? 0) + 1)}: ${how === '' ? 'nothing changed' : how}`;
}

function describeChange({ parameters, mix, label }: PreviewTile, classNames: readonly string[]): string {
  const drawn = parameters.map(({ name, text }) => `${wordsOf(name).label} ${text}`);
  if (mix !== null) {
    const [own, other] = [classNames[label] ?? String(label), classNames[mix.label] ?? String(mix.label)];
    drawn.push(
      `${mix.kind} with image ${formatCount(mix.index)}, label ${formatPercent(mix.share)} ${own}, ${formatPercent(1 - mix.share)} ${other}`,
    );
  }
  return drawn.join(', ');
}

/** `rotationRange 45°` becomes `Rotation 45°`. */
export function describeExtreme(extreme: string): string {
  return extreme.replace(/^[a-z]+[A-Za-z]*/, (name) => wordsOf(name).label);
}

/** What augmenting costs per epoch, in words; null when nothing is augmented. */
export function describeCost(
  { microsecondsPerPicture, stepsPerEpoch }: PreviewAnswer,
  batchSize: number,
  secondsPerEpoch: number | null,
): string | null {
  if (microsecondsPerPicture === null) return null;
  const seconds = (microsecondsPerPicture * stepsPerEpoch * batchSize) / 1e6;
  const work = `${formatCount(stepsPerEpoch)} steps × ${formatCount(batchSize)} images`;
  const cost = `Augmenting an epoch (${work}) is about ${formatDuration(seconds)} of work for one thread`;
  if (secondsPerEpoch === null) return `${cost}; it goes on beside the training steps and costs no time while those take longer.`;
  if (seconds <= secondsPerEpoch) return `${cost} and hidden behind the training steps, which take ${formatDuration(secondsPerEpoch)}.`;
  return `${cost}; the training steps take ${formatDuration(secondsPerEpoch)}, so more than one thread is needed to hide it.`;
}
