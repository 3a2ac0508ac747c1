// What all charts have in common: grounds, greys, type, grid and tooltips of the screen (light, dark) and of paper (print).
import type { EChartsOption } from 'echarts';
import type { ColorScheme } from '../palette.ts';

export type ChartTheme = 'light' | 'dark' | 'print';

export interface ChartLook {
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly ground: string;
  readonly font: string;
  readonly fontSize: number;
}

const looks: Readonly<Record<ChartTheme, ChartLook>> = {
  light: { text: '#27272a', faint: '#52525b', grid: '#e4e4e7', ground: '#ffffff', font: 'Inter Variable, Inter, sans-serif', fontSize: 12 },
  dark: { text: '#e4e4e7', faint: '#a1a1aa', grid: '#3f3f46', ground: '#18181b', font: 'Inter Variable, Inter, sans-serif', fontSize: 12 },
  print: { text: '#1f1f23', faint: '#52525b', grid: '#dedee2', ground: '#ffffff', font: 'Roboto', fontSize: 11 },
};

/** More than this many lines are named by a legend instead of a label at their end. */
export const mostDirectLabels = 5;

export function lookOf(theme: ChartTheme): ChartLook {
  return looks[theme];
}

export function schemeOf(theme: ChartTheme): ColorScheme {
  return theme === 'dark' ? 'dark' : 'light';
}

/**
 * Title, type and ground; nothing moves on paper, and tooltips are drawn as text so that names are never read as HTML. Line heights are said,
 * because ECharts measures them by a Chinese character, which few machines' fonts have.
 */
export function baseOption(theme: ChartTheme, title: string, subtitle = ''): EChartsOption {
  const look = lookOf(theme);
  return {
    animation: theme !== 'print',
    animationDuration: 200,
    backgroundColor: theme === 'print' ? look.ground : 'transparent',
    textStyle: { fontFamily: look.font, fontSize: look.fontSize, color: look.text },
    title: {
      text: title,
      subtext: subtitle,
      left: 0,
      top: 0,
      padding: 0,
      itemGap: 3,
      textStyle: {
        fontFamily: look.font,
        fontSize: look.fontSize + 1,
        lineHeight: look.fontSize + 1,
        fontWeight: theme === 'print' ? 'bold' : 500,
        color: look.text,
      },
      subtextStyle: { fontFamily: look.font, fontSize: look.fontSize - 1, lineHeight: look.fontSize - 1, color: look.faint },
    },
    tooltip: tooltipOf(theme),
  };
}

export function tooltipOf(theme: ChartTheme) {
  const look = lookOf(theme);
  return {
    show: theme !== 'print',
    renderMode: 'richText' as const,
    confine: true,
    backgroundColor: look.ground,
    borderColor: look.grid,
    textStyle: { fontFamily: look.font, fontSize: look.fontSize, color: look.text },
  };
}

/** A numeric axis with its name along it. */
export function valueAxis(theme: ChartTheme, name: string, gap: number) {
  const look = lookOf(theme);
  return {
    type: 'value' as const,
    name,
    nameLocation: 'middle' as const,
    nameGap: gap,
    nameTextStyle: { color: look.faint, fontSize: look.fontSize, fontFamily: look.font },
    axisLabel: { color: look.faint, fontSize: look.fontSize - 1, fontFamily: look.font, hideOverlap: true },
    axisLine: { show: false, lineStyle: { color: look.grid } },
    axisTick: { show: false },
    splitLine: { show: true, lineStyle: { color: look.grid, width: 1 } },
  };
}

export function categoryAxis(theme: ChartTheme, name: string, gap: number, categories: readonly string[]) {
  const look = lookOf(theme);
  return {
    type: 'category' as const,
    name,
    nameLocation: 'middle' as const,
    nameGap: gap,
    nameTextStyle: { color: look.faint, fontSize: look.fontSize, fontFamily: look.font },
    data: [...categories],
    axisLabel: { color: look.text, fontSize: look.fontSize - 1, fontFamily: look.font },
    axisLine: { show: true, lineStyle: { color: look.grid } },
    axisTick: { show: false },
    splitLine: { show: false },
  };
}

/**
 * A name as a chart shows it: one line, without direction marks or other controls, at most `most` characters. Braces become parentheses,
 * because ECharts reads `{style|text}` in its tooltips.
 */
export function shortName(name: string, most = 28): string {
  const plain = name
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll('{', '(')
    .replaceAll('}', ')')
    .trim();
  const characters = splitCharacters(plain);
  return characters.length <= most ? plain : `${characters.slice(0, most - 1).join('')}…`;
}

/** The most characters any of the names has, at least four: what axes leave room for. */
export function longestName(names: readonly string[]): number {
  return Math.max(4, ...names.map((name) => splitCharacters(name).length));
}

/** The colour as seen through to the ground, opaque: `strength` 1 is the colour itself. Both as #rrggbb. */
export function fade(color: string, ground: string, strength: number): string {
  const channel = (hex: string, place: number): number => Number.parseInt(hex.slice(1 + place * 2, 3 + place * 2), 16);
  const mixed = [0, 1, 2].map((place) => Math.round(channel(color, place) * strength + channel(ground, place) * (1 - strength)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}

function splitCharacters(text: string): string[] {
  return Array.from(new Intl.Segmenter('en').segment(text), ({ segment }) => segment);
}
