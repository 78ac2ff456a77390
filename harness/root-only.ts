/** Why the tests of a confined, privileged helper cannot run here; undefined if they can. Printed where they skip. */
export const whyNotRoot: string | undefined =
  process.getuid?.() === 0
    ? undefined
    : 'needs root: the helper changes its root directory and switches users, the attacks need mounts and devices';

/** Tells why a file of tests is skipped, so that a skip is never silent. @returns whether it is */
export function skipUnlessRoot(what: string): boolean {
  if (whyNotRoot !== undefined) console.warn(`${what} skipped: ${whyNotRoot}`);
  return whyNotRoot !== undefined;
}

/** A count from the environment: the short form runs by default, the full one on demand. */
export function countFrom(variable: string, normal: number): number {
  const text = process.env[variable];
  if (text === undefined || text === '') return normal;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0) throw new Error(`${variable}=${text}: must be a count`);
  return count;
}
