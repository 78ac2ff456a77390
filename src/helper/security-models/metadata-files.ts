import * as errno from '../../abi/errno.js';
import * as files from '../../syscalls/files.js';
import { stableMemory } from '../../syscalls/memory.js';
import { FileStatus, fileType } from '../../syscalls/status.js';
import { MAX_TEXT_BYTES } from './metadata-text.js';

const { close, openat, pwrite, unlinkat } = files;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDWR, S_IFMT, S_IFREG } = files;
const FILE_MODE = 0o600;
const LINE_FEED = 0x0a;

/** What it means that a metadata file cannot be opened: not there, or something that is none. */
export const unrecorded: ReadonlySet<number> = new Set(
  [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EACCES].map((code) => -code),
);

/** Metadata files by the descriptor of their directory. */
export class MetadataFiles {
  /** What was read last. */
  readonly text = stableMemory(MAX_TEXT_BYTES);
  readonly #status = new FileStatus();

  /** Reads a file to `text`. @returns the length, 0 for what is no regular file and says nothing, or -errno */
  read(directory: number, name: Uint8Array): number {
    const located = openat(directory, name, O_PATH | O_NOFOLLOW, 0);
    if (located < 0) return located;
    const failed = fileType(located, this.#status);
    close(located);
    if (failed < 0 || (this.#status.mode & S_IFMT) !== S_IFREG) return failed;
    const descriptor = openat(directory, name, O_NOFOLLOW | O_NONBLOCK, 0);
    if (descriptor < 0) return descriptor;
    const length = files.read(descriptor, this.text, MAX_TEXT_BYTES);
    close(descriptor);
    return length;
  }

  /** Makes a file with so many bytes of a text in it, or none. @returns a descriptor or -errno */
  create(directory: number, name: Uint8Array, text: Uint8Array, length: number): number {
    const created = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
    if (created < 0) return created;
    const written = pwrite(created, text, length, 0);
    if (written === length) return created;
    close(created);
    unlinkat(directory, name, 0);
    return written < 0 ? written : -errno.ENOSPC;
  }

  /** Gives a file a second name. */
  link(from: number, oldName: Uint8Array, to: number, newName: Uint8Array): number {
    const linked = files.linkat(from, oldName, newName, to);
    if (linked !== -errno.EPERM && linked !== -errno.EOPNOTSUPP) return linked;
    // no hard links on this file system: then no two objects can share a file either
    const length = this.read(from, oldName);
    const created = length < 0 ? length : this.create(to, newName, this.text, length);
    if (created < 0) return created;
    close(created);
    return 0;
  }
}

/**
 * Writes over so many bytes of old text, with empty lines to its end: neither a part of the new text nor of the old one
 * is ever seen, even when this process ends directly afterwards.
 *
 * @param text with room for the old one
 * @returns 0 or -errno
 */
export function overwrite(descriptor: number, text: Uint8Array, length: number, oldLength: number): number {
  const padded = Math.max(length, oldLength);
  text.fill(LINE_FEED, length, padded);
  const written = pwrite(descriptor, text, padded, 0);
  if (written === padded) return 0;
  return written < 0 ? written : -errno.ENOSPC;
}
