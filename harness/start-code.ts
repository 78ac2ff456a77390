/** The code of a start that failed: what its line ends with, in brackets. Undefined where no line has one. */
export function startCode(...texts: readonly string[]): string | undefined {
  return [...texts.join('\n').matchAll(/ \[([a-z-]+)\]$/gm)].at(-1)?.[1];
}
