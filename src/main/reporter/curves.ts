import type { Content } from 'pdfmake/interfaces.js';
import type { ReportContent, ReportEntry } from '../../shared/contract/reportContent.ts';
import { curvesOption, epochSecondsOption, learningRateOption, type CurveRun, type ValueRun } from '../../shared/domain/charts/curves.ts';
import { colorOf, paletteSize } from '../../shared/domain/palette.ts';
import { drawChart } from './chartImage.ts';
import { chunk, contentWidth, heading } from './look.ts';
import { pair } from './summary.ts';

interface Placed {
  readonly entry: ReportEntry;
  readonly index: number;
  readonly phase: string;
  readonly epoch: number | null;
}

/** Accuracy, loss, learning rate and epoch times over epochs, at most as many entries in one chart as there are colours. */
export function curvesSection({ comparison, entries }: ReportContent): Content[] {
  const placed = entries.map((entry, index): Placed => {
    const { phase = '', epoch = null } = comparison.entries[index] ?? {};
    return { entry, index, phase, epoch };
  });
  const drawn = placed.filter(({ entry }) => entry.series.epoch.length > 0);
  if (drawn.length === 0) return [];
  return [
    heading('Curves', 33),
    ...chunk(drawn, paletteSize).flatMap((group): Content[] => [
      wide(curvesOption({ metric: 'accuracy', runs: group.map((one) => toCurve(one, 'accuracy')), theme: 'print', markName })),
      wide(curvesOption({ metric: 'loss', runs: group.map((one) => toCurve(one, 'loss')), theme: 'print', markName })),
      pair(
        half(
          learningRateOption({
            runs: group.map((one) => toValues(one, one.entry.series.learningRate)),
            isLogarithmic: spansDecades(group),
            ...small,
          }),
        ),
        half(epochSecondsOption({ runs: group.map((one) => toValues(one, one.entry.series.seconds)), ...small })),
      ),
    ]),
  ];
}

const markName = 'epoch that speaks for the entry';
const small = { theme: 'print', labels: 'legend' } as const;

/** True when rates are so different that the small ones would lie on the axis. */
function spansDecades(group: readonly Placed[]): boolean {
  const rates = group.flatMap(({ entry }) => entry.series.learningRate);
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  return least > 0 && most / least > 20;
}

function wide(option: Parameters<typeof drawChart>[0]): Content {
  return { stack: [drawChart(option, contentWidth, 190)], margin: [0, 2, 0, 8], unbreakable: true };
}

function half(option: Parameters<typeof drawChart>[0]): Content {
  return drawChart(option, (contentWidth - 15) / 2, 150);
}

/** The marked epoch is the one that speaks for the entry. */
function toCurve({ entry, index, phase, epoch }: Placed, metric: 'accuracy' | 'loss'): CurveRun {
  const { series } = entry;
  const train = metric === 'accuracy' ? series.trainAccuracy : series.trainLoss;
  const validation = metric === 'accuracy' ? series.validationAccuracy : series.validationLoss;
  return {
    name: entry.label,
    color: colorOf(index, 'light'),
    phases: [{ name: phase, epoch: series.epoch, train, validation, bestEpoch: epoch }],
  };
}

function toValues({ entry, index, phase }: Placed, values: readonly number[]): ValueRun {
  return { name: entry.label, color: colorOf(index, 'light'), phases: [{ name: phase, epoch: entry.series.epoch, values }] };
}
