// Addresses of a dataset's pictures, and how sprite sheets are laid out. Pages build the addresses, the core takes them apart, and the
// viewer child draws by the same layout. An address means the same bytes for ever, because pages keep what they fetched: to change the
// layout, change the first word of the address too.

/** Pictures whose longer side is at most this are shown at their own size. */
const naturalSide = 64;
/** The longer side of the tile of a bigger picture. */
const tileSide = 96;
const mostColumns = 20;
const mostTiles = 500;
const sheetBytes = 2 ** 20;

export type PictureSplit = 'all' | 'train' | 'test';

export interface PictureFilter {
  readonly split: PictureSplit;
  /** Class indices; null means every class. */
  readonly classes: readonly number[] | null;
}

export interface SheetLayout {
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly columns: number;
  readonly rows: number;
  readonly perSheet: number;
}

/** For pictures of [height, width, channels]. Every sheet has all its columns and rows, also the last; tiles go row by row. */
export function sheetLayout(shape: readonly number[]): SheetLayout {
  const [height = 1, width = 1, channels = 1] = shape;
  const longer = Math.max(height, width);
  const scale = longer <= naturalSide ? 1 : tileSide / longer;
  const tileHeight = Math.max(1, Math.round(height * scale));
  const tileWidth = Math.max(1, Math.round(width * scale));
  const count = Math.min(mostTiles, Math.max(1, Math.floor(sheetBytes / (tileHeight * tileWidth * channels))));
  const columns = Math.min(mostColumns, Math.floor(Math.sqrt(count)));
  const rows = Math.floor(count / columns);
  return { tileWidth, tileHeight, columns, rows, perSheet: columns * rows };
}

export interface TilePlace {
  readonly page: number;
  /** Pixels from the left and top edge of the sheet. */
  readonly x: number;
  readonly y: number;
}

/** Where the picture at a position of the filtered list is drawn. */
export function tilePlace(layout: SheetLayout, position: number): TilePlace {
  const tile = position % layout.perSheet;
  return {
    page: Math.floor(position / layout.perSheet),
    x: (tile % layout.columns) * layout.tileWidth,
    y: Math.floor(tile / layout.columns) * layout.tileHeight,
  };
}

export interface SheetAddress extends PictureFilter {
  readonly fingerprint: string;
  readonly page: number;
}

/** Sheet `page` holds the pictures page * perSheet and following of the filtered list, in the order of the dataset. */
export function sheetUrl({ fingerprint, split, classes, page }: SheetAddress): string {
  const sorted = classes === null ? 'all' : [...new Set(classes)].sort((a, b) => a - b).join('.');
  return `/sheet/${fingerprint}/${split}/${sorted}/${page}.png`;
}

/** One picture at its full size; `index` counts all pictures of the dataset. */
export function pictureUrl(fingerprint: string, index: number): string {
  return `/picture/${fingerprint}/${index}.png`;
}

/** The mean of a class, or of all pictures. */
export function meanUrl(fingerprint: string, split: PictureSplit, classIndex: number | 'all'): string {
  return `/mean/${fingerprint}/${split}/${classIndex}.png`;
}

/** A sheet of augmented pictures, named by the SHA-256 of its PNG. */
export function augmentedUrl(sha256: string): string {
  return `/augmented/${sha256}.png`;
}

export type PictureAddress =
  | { readonly type: 'augmented'; readonly sha256: string }
  | ({ readonly type: 'sheet' } & SheetAddress)
  | { readonly type: 'picture'; readonly fingerprint: string; readonly index: number }
  | ({ readonly type: 'mean'; readonly fingerprint: string } & PictureFilter);

const number = '0|[1-9][0-9]{0,8}';
const fingerprintForm = '([0-9a-f]{64})';
const splitForm = '(all|train|test)';
const sheetForm = new RegExp(`^/sheet/${fingerprintForm}/${splitForm}/(all|(?:${number})(?:\\.(?:${number})){0,999})/(${number})\\.png$`);
const pictureForm = new RegExp(`^/picture/${fingerprintForm}/(${number})\\.png$`);
const augmentedForm = new RegExp(`^/augmented/${fingerprintForm}\\.png$`);
const meanForm = new RegExp(`^/mean/${fingerprintForm}/${splitForm}/(all|${number})\\.png$`);

/** Takes exactly what the builders above make; anything else, however similar, is undefined. */
export function parsePicturePath(path: string): PictureAddress | undefined {
  const [, sha256] = augmentedForm.exec(path) ?? [];
  if (sha256 !== undefined) return { type: 'augmented', sha256 };
  const [, fingerprint = '', ...parts] = sheetForm.exec(path) ?? pictureForm.exec(path) ?? meanForm.exec(path) ?? [];
  const [first = '', second = '', third = ''] = parts;
  if (path.startsWith('/picture/') && fingerprint !== '') return { type: 'picture', fingerprint, index: Number(first) };
  const classes = second === 'all' ? null : second.split('.').map(Number);
  if (fingerprint === '' || !isRising(classes ?? [])) return undefined;
  const filter = { fingerprint, split: first as PictureSplit, classes };
  return path.startsWith('/sheet/') ? { type: 'sheet', ...filter, page: Number(third) } : { type: 'mean', ...filter };
}

function isRising(numbers: readonly number[]): boolean {
  return numbers.every((value, index) => index === 0 || value > (numbers[index - 1] ?? 0));
}
