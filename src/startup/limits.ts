import { StartError, usageError } from './start-errors.js';

/**
 * Sets the limit on open descriptors, the hard one with it: Node raises the soft one to that whenever it starts. Throws
 * a usage error.
 */
export async function limitOpenFiles(limit: number): Promise<void> {
  // compiled code, loaded only where there is something to set
  const { posix } = await import('../native/posix.js');
  const { hard } = posix.getrlimit('nofile');
  if (hard !== null && limit > hard) {
    throw usageError(
      `--rlimit-nofile ${limit}: above the hard limit of ${hard}; raise that first (ulimit -Hn, LimitNOFILE=)`,
      undefined,
      'open-files-above-limit',
    );
  }
  posix.setrlimit('nofile', { soft: limit, hard: limit });
}

/**
 * Sees to it that so many descriptors may be open. Throws a StartError.
 *
 * @param option what needs them
 */
export async function requireOpenFiles(option: string, least: number): Promise<void> {
  const { posix } = await import('../native/posix.js');
  const { hard } = posix.getrlimit('nofile');
  if (hard !== null && hard < least) {
    throw new StartError(
      'open-files-too-few',
      `${option} needs a limit of at least ${least} open files, not ${hard}; raise that (ulimit -Hn, LimitNOFILE=)`,
    );
  }
}
