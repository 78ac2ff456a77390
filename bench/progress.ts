const started = Date.now();

/** Tells on stderr what is going on and when it began: a whole run takes minutes. */
export function progress(text: string): void {
  const seconds = ((Date.now() - started) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${text}\n`);
}
