import { colour, drawing, legend, line, type Point, type Series, short, text, ticks } from './svg.js';

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 60;
const RIGHT = 30;
const TOP = 60;
const BOTTOM = 45;

/** Lines over steps of equal width, since what is measured grows by factors. */
export function lineChart(
  title: string,
  steps: readonly number[],
  stepName: string,
  series: readonly Series[],
): string {
  const axis = ticks(Math.max(...series.flatMap(({ values }) => values)));
  const end = axis.at(-1) ?? 1;
  const width = WIDTH - LEFT - RIGHT;
  const xOf = (index: number): number => LEFT + (width * index) / Math.max(steps.length - 1, 1);
  const yOf = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / end;
  const grid = axis.flatMap((value) => [
    line({ x: LEFT, y: yOf(value) }, { x: WIDTH - RIGHT, y: yOf(value) }),
    text({ x: LEFT - 8, y: yOf(value) + 4 }, short(value), 'end'),
  ]);
  const names = steps.map((step, index) =>
    text({ x: xOf(index), y: HEIGHT - BOTTOM + 18 }, short(step), 'middle'),
  );
  const lines = series.map((one) => {
    const points = one.values.map((value, index) => ({ x: xOf(index), y: yOf(value) }));
    return curve(points, colour(one));
  });
  const under = text({ x: LEFT + width / 2, y: HEIGHT - 8 }, stepName, 'middle');
  return drawing(WIDTH, HEIGHT, title, [
    legend({ x: LEFT, y: 44 }, series),
    ...grid,
    ...names,
    ...lines,
    under,
  ]);
}

function curve(points: readonly Point[], stroke: string): string {
  const path = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const dots = points
    .map(({ x, y }) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3" fill="${stroke}"/>`)
    .join('');
  return `<polyline points="${path}" fill="none" stroke="${stroke}" stroke-width="2"/>${dots}`;
}
