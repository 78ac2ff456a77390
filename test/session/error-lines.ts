/** What stderr holds besides the ordinary notices: warnings, errors, and whatever was not written by our logger. */
export const errorLines = (stderr: string): string[] =>
  stderr.split('\n').filter((line) => line !== '' && !line.startsWith('info: '));
