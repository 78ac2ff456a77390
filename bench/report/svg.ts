/** What both kinds of plots share: colours and text that can be read on a light and on a dark page. */

export interface Series {
  readonly title: string;
  readonly values: readonly number[];
}

/** The same in every plot; different in brightness, too, for who sees colours otherwise. */
const colours: Readonly<Record<string, string>> = {
  ours: '#2f7fd6',
  'ours, --poll-us 0': '#8fc0f0',
  'ours, vhost-user': '#2f7fd6',
  'ours, TCP': '#8fc0f0',
  'ours, cache=loose': '#2f7fd6',
  'C helper': '#e08a1e',
  'minimal C loop': '#8a8f98',
  local: '#8a8f98',
  'local, cache=loose': '#8a8f98',
  virtiofsd: '#3aa17e',
  'virtiofsd, cache=auto': '#3aa17e',
  diod: '#9a6fc4',
};

const style = `<style>
  text { font: 12px system-ui, sans-serif; fill: #6b7280; }
  .small { font-size: 9px; }
  .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #9ca3af; stroke-opacity: 0.35; }
  @media (prefers-color-scheme: dark) { text { fill: #9ca3af; } }
</style>`;

export function colour({ title }: Series): string {
  return colours[title] ?? '#888888';
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export function text(at: Point, content: string, anchor: 'start' | 'middle' | 'end', kind = ''): string {
  const name = kind === '' ? '' : ` class="${kind}"`;
  return `<text x="${round(at.x)}" y="${round(at.y)}" text-anchor="${anchor}"${name}>${escaped(content)}</text>`;
}

export function line(from: Point, to: Point): string {
  return `<line class="grid" x1="${round(from.x)}" y1="${round(from.y)}" x2="${round(to.x)}" y2="${round(to.y)}"/>`;
}

export function rectangle(at: Point, width: number, height: number, fill: string): string {
  return `<rect x="${round(at.x)}" y="${round(at.y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`;
}

/** A row of coloured squares with the names of the series. */
export function legend(at: Point, series: readonly Series[]): string {
  let { x } = at;
  return series
    .map((one) => {
      const { title } = one;
      const square = rectangle({ x, y: at.y - 10 }, 12, 12, colour(one));
      const name = text({ x: x + 17, y: at.y }, title, 'start');
      x += 40 + title.length * 7;
      return square + name;
    })
    .join('\n');
}

export function drawing(width: number, height: number, title: string, parts: readonly string[]): string {
  const heading = text({ x: 10, y: 20 }, title, 'start', 'title');
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const label = `role="img" aria-label="${escaped(title)}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${label}>`,
    style,
    heading,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Round numbers for an axis from 0 to at least `largest`. */
export function ticks(largest: number): number[] {
  const rough = largest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(largest / step) + 1 }, (_, index) => index * step);
}

/** As short as an axis wants it. */
export function short(value: number): string {
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))}k` : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
