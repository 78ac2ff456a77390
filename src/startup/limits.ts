import { usageError } from './exit-status.js';

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
    );
  }
  posix.setrlimit('nofile', { soft: limit, hard: limit });
}
