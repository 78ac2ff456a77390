import { drawing, line, type Point, short, text, ticks } from './svg.js';

/** The samples of a page by their names and labels, as they stand there. */
export type Page = ReadonlyMap<string, number>;

/** The part of Grafana's format that is drawn. */
export interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

interface Line {
  readonly title: string;
  readonly values: readonly number[];
}

const WIDTH = 480;
const HEIGHT = 210;
const colours = ['#2f7fd6', '#e08a1e', '#3aa17e', '#9a6fc4', '#d6573f', '#8a8f98', '#8fc0f0', '#b8a13a'];
/** A rate is that of so many steps. */
const WINDOW = 4;

/** The values of a metric, by a label perhaps, each over all pages. */
function select(pages: readonly Page[], metric: string, label: string | undefined): Map<string, number[]> {
  const found = new Map<string, number[]>();
  pages.forEach((page, index) => {
    for (const [name, value] of page) {
      if (!name.startsWith(`${metric}{`)) continue;
      const key = label === undefined ? '' : (new RegExp(`[{,]${label}="([^"]*)"`).exec(name)?.[1] ?? '');
      const values = found.get(key) ?? pages.map(() => 0);
      values[index] = (values[index] ?? 0) + value;
      found.set(key, values);
    }
  });
  return found;
}

/** What was added in a second, or in a step. */
function rate(values: readonly number[]): number[] {
  return values.map((value, index) => {
    const before = Math.max(0, index - WINDOW);
    return index === 0 ? 0 : (value - (values[before] ?? 0)) / (index - before);
  });
}

function quantile(share: number, buckets: Map<string, number[]>, index: number): number {
  const limits = [...buckets].map(
    ([le, values]) => [Number(le.replace('+Inf', 'Infinity')), values[index] ?? 0] as const,
  );
  const sorted = limits.sort(([one], [other]) => one - other);
  const rank = share * (sorted.at(-1)?.[1] ?? 0);
  let [below, seen] = [0, 0];
  for (const [limit, count] of sorted) {
    if (count >= rank && count > seen)
      return limit === Infinity ? below : below + ((limit - below) * (rank - seen)) / (count - seen);
    [below, seen] = [limit, count];
  }
  return 0;
}

function evaluate(expr: string, legend: string, pages: readonly Page[]): Line[] {
  const parts = expr.split(' + ').map((part) => {
    const metric = /virtfs_\w+/.exec(part)?.[0] ?? '';
    const label = /by \((\w+)\)/.exec(part)?.[1];
    const changes = /rate\(|increase\(/.test(part);
    const found = select(pages, metric, label);
    return new Map([...found].map(([key, values]) => [key, changes ? rate(values) : values] as const));
  });
  const [first = new Map<string, number[]>(), ...others] = parts;
  const share = /histogram_quantile\(([\d.]+)/.exec(expr)?.[1];
  if (share !== undefined)
    return [{ title: legend, values: pages.map((_, index) => quantile(Number(share), first, index)) }];
  return [...first].flatMap(([key, values]) => {
    const sums = values.map((value, index) =>
      others.reduce((sum, other) => sum + (other.get(key)?.[index] ?? 0), value),
    );
    const isShown = !expr.endsWith('> 0') || sums.some((value) => value > 0);
    return isShown ? [{ title: legend.startsWith('{{') ? key : legend, values: sums }] : [];
  });
}

function panel(title: string, lines: readonly Line[], at: Point): string[] {
  const axis = ticks(Math.max(1e-6, ...lines.flatMap(({ values }) => values)));
  const end = axis.at(-1) ?? 1;
  const [left, right, top, bottom] = [at.x + 60, at.x + WIDTH - 15, at.y + 28, at.y + HEIGHT - 48];
  const yOf = (value: number): number => bottom - ((bottom - top) * value) / end;
  let place = { x: at.x + 10, y: bottom + 18 };
  const drawn = lines.flatMap(({ title: name, values }, nth) => {
    const stroke = colours[nth % colours.length] ?? '';
    const points = values.map(
      (value, index) =>
        `${(left + ((right - left) * index) / Math.max(1, values.length - 1)).toFixed(1)},${yOf(value).toFixed(1)}`,
    );
    if (place.x + name.length * 7 + 20 > at.x + WIDTH) place = { x: at.x + 10, y: place.y + 15 };
    const key = `<rect x="${place.x}" y="${place.y - 9}" width="10" height="10" fill="${stroke}"/>`;
    const label = text({ x: place.x + 14, y: place.y }, name, 'start');
    place = { ...place, x: place.x + name.length * 7 + 26 };
    return [
      `<polyline points="${points.join(' ')}" fill="none" stroke="${stroke}" stroke-width="1.5"/>`,
      key,
      label,
    ];
  });
  const grid = axis.flatMap((value) => [
    line({ x: left, y: yOf(value) }, { x: right, y: yOf(value) }),
    text({ x: left - 6, y: yOf(value) + 4 }, value >= 1e6 ? `${value / 1e6}M` : short(value), 'end'),
  ]);
  return [text({ x: at.x + 10, y: at.y + 14 }, title, 'start', 'title'), ...grid, ...drawn];
}

/** All panels of a dashboard, two in a row. */
export function panelDrawing({ panels }: Dashboard, pages: readonly Page[]): string {
  const parts = panels.flatMap(({ title, targets }, nth) => {
    const lines = targets.flatMap(({ expr, legendFormat }) => evaluate(expr, legendFormat, pages));
    return panel(title, lines, { x: WIDTH * (nth % 2), y: 35 + HEIGHT * Math.trunc(nth / 2) });
  });
  const height = 40 + HEIGHT * Math.ceil(panels.length / 2);
  return drawing(2 * WIDTH, height, 'A share for 40 seconds', parts);
}
