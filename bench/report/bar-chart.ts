import { colour, drawing, legend, line, rectangle, type Series, short, text, ticks } from './svg.js';

const WIDTH = 760;
const LABELS = 150;
const RIGHT = 60;
const TOP = 60;
const BAR = 9;
const GAP = 10;

/**
 * Lying bars, a group for each label.
 *
 * @param largest where the axis ends, when a few long bars would make all others too short to compare; those are cut
 */
export function barChart(
  title: string,
  labels: readonly string[],
  series: readonly Series[],
  largest = Math.max(...series.flatMap(({ values }) => values)),
): string {
  const group = series.length * BAR + GAP;
  const bottom = TOP + labels.length * group;
  const axis = ticks(largest);
  const end = axis.at(-1) ?? 1;
  const xOf = (value: number): number => LABELS + ((WIDTH - LABELS - RIGHT) * Math.min(value, end)) / end;
  const grid = axis.flatMap((value) => [
    line({ x: xOf(value), y: TOP - 6 }, { x: xOf(value), y: bottom }),
    text({ x: xOf(value), y: bottom + 16 }, short(value), 'middle'),
  ]);
  const groups = labels.flatMap((label, index) => {
    const y = TOP + index * group;
    const middle = y + (series.length * BAR) / 2 + 4;
    const bars = series.flatMap((one, which) => {
      const value = one.values[index] ?? 0;
      const at = { x: LABELS, y: y + which * BAR };
      const bar = rectangle(at, xOf(value) - LABELS, BAR - 1, colour(one));
      const cut = text({ x: xOf(value) + 4, y: at.y + BAR - 1 }, short(value), 'start', 'small');
      return value > end ? [bar, cut] : [bar];
    });
    return [text({ x: LABELS - 8, y: middle }, label, 'end'), ...bars];
  });
  return drawing(WIDTH, bottom + 28, title, [legend({ x: LABELS, y: 44 }, series), ...grid, ...groups]);
}
