// The colours of runs in every chart, table and report: Okabe and Ito's set for all kinds of colour vision, in their order. On dark ground it
// is theirs; on white the pale ones are darkened, each to a contrast of 3 to 1, as far as all eight stay apart for protanopes, deuteranopes
// and tritanopes (a distance of 10 in CIELAB, Machado 2009).

export type ColorScheme = 'light' | 'dark';

interface Shades {
  readonly name: string;
  readonly light: string;
  readonly dark: string;
}

const shades: readonly Shades[] = [
  { name: 'orange', light: '#c48700', dark: '#e69f00' },
  { name: 'sky blue', light: '#4999c6', dark: '#56b4e9' },
  { name: 'bluish green', light: '#008662', dark: '#009e73' },
  { name: 'yellow', light: '#847d24', dark: '#f0e442' },
  { name: 'blue', light: '#0067a0', dark: '#0072b2' },
  { name: 'vermillion', light: '#b55000', dark: '#d55e00' },
  { name: 'reddish purple', light: '#cc79a7', dark: '#cc79a7' },
  { name: 'black', light: '#000000', dark: '#f2f2f2' },
];

export const paletteSize = shades.length;

/** The colour of the run at a position among those shown; colours return after eight. */
export function colorOf(position: number, scheme: ColorScheme): string {
  const index = ((position % shades.length) + shades.length) % shades.length;
  return shades[index]?.[scheme] ?? '#000000';
}

/** Right and wrong; always doubled by a symbol or word. */
export const outcomeColors: Readonly<Record<ColorScheme, { readonly right: string; readonly wrong: string }>> = {
  light: { right: '#00704f', wrong: '#b23a00' },
  dark: { right: '#3fc79b', wrong: '#ff8f4d' },
};
