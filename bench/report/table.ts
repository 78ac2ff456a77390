/** A Markdown table as prettier would write it: the first column to the left, the others to the right. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns = 1,
): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => (row[column] ?? '').length)));
  const cell = (row: readonly string[], column: number): string => {
    const content = row[column] ?? '';
    const width = widths[column] ?? 0;
    return column < textColumns ? content.padEnd(width) : content.padStart(width);
  };
  const write = (row: readonly string[]): string =>
    `| ${widths.map((_, column) => cell(row, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [write(head), `| ${rule.join(' | ')} |`, ...rows.map(write)].join('\n');
}

/** Nanoseconds in microseconds. */
export function microseconds(nanoseconds: number | undefined): string {
  return nanoseconds === undefined ? '' : (nanoseconds / 1000).toFixed(1);
}

export function ratio(one: number | undefined, other: number | undefined): string {
  return twoDigits(one === undefined || other === undefined ? undefined : one / other);
}

export function twoDigits(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}
