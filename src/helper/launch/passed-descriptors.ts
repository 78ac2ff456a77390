import type { Configuration } from '../cli/configuration.js';
import { usageError } from '../../startup/start-errors.js';
import { S_IFMT, S_IFSOCK } from '../../syscalls/files.js';
import { FileStatus, fstat, referToSameFile } from '../../syscalls/status.js';

const STDERR = 2;

/** Refuses a socket for the client that is the log's or the report's as well, under another number. Throws a StartError. */
export function checkSocketIsApart({ endpoint, readyDescriptor }: Configuration): void {
  if (endpoint.kind !== 'descriptor') return;
  const { descriptor, origin } = endpoint;
  // two may be one /dev/null, which Node 22 and later has open itself; what is no socket is refused for that
  if (!isSocket(descriptor)) return;
  const wrong = (other: string): Error => usageError(`${origin} and ${other} are the same socket; pass two`);
  if (referToSameFile(descriptor, STDERR)) throw wrong('stderr, where the log goes,');
  if (readyDescriptor !== undefined && referToSameFile(descriptor, readyDescriptor)) {
    throw wrong(`--ready-fd ${readyDescriptor}`);
  }
}

function isSocket(descriptor: number): boolean {
  const status = new FileStatus();
  return fstat(descriptor, status) >= 0 && (status.mode & S_IFMT) === S_IFSOCK;
}
