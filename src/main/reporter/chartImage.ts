import { init, type EChartsOption } from 'echarts';
import type { Content } from 'pdfmake/interfaces.js';

/** Chart pixels per point of paper: labels of 11 pixels come out at 8 points. */
const pixelsPerPoint = 11 / 8;

/** The chart as vectors with its text as text; width and height in points. */
export function drawChart(option: EChartsOption, width: number, height: number): Content {
  const chart = init(null, null, {
    renderer: 'svg',
    ssr: true,
    width: Math.round(width * pixelsPerPoint),
    height: Math.round(height * pixelsPerPoint),
  });
  try {
    chart.setOption(option);
    return { svg: chart.renderToSVGString(), width, height, font: 'Roboto' };
  } finally {
    chart.dispose();
  }
}
