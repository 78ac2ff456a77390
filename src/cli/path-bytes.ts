import { readlinkSync } from 'node:fs';
import { resolve } from 'node:path';
import { StartError } from '../startup/start-errors.js';

/** UTF-8 as runs of whole characters, and what is none byte by byte; on text with one character for each byte. */
const UTF8_OR_BYTE =
  /(?:[\x20-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})+|[^]/g;
/** What a byte that is no UTF-8 becomes: a lone surrogate, which no text has. */
const ESCAPE = 0xdc00;
const NO_TEXT = /\p{Cs}/u;
/** What Node makes of bytes that are no UTF-8. */
const LOST = '\u{fffd}';

/**
 * Bytes as text that loses none of them: those that are no UTF-8 become the lone surrogates U+DC80 to U+DCFF, of which
 * `cString` makes the same bytes again.
 */
export function textOfBytes(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(UTF8_OR_BYTE, (run) =>
      run.length === 1 && run >= '\x80'
        ? String.fromCharCode(ESCAPE + run.charCodeAt(0))
        : Buffer.from(run, 'latin1').toString(),
    );
}

/** Whether a text stands for bytes that are UTF-8. */
export function isUtf8(text: string): boolean {
  return !NO_TEXT.test(text);
}

/** Whether Node lost bytes when it made a text of them. */
export function hasLostBytes(text: string): boolean {
  return text.includes(LOST);
}

/** A path as an absolute one. Throws a StartError. */
export function absolutePath(path: string): string {
  return path.startsWith('/') ? resolve(path) : resolve(workingDirectory(path), path);
}

function workingDirectory(path: string): string {
  try {
    const directory = process.cwd();
    return hasLostBytes(directory) ? textOfBytes(readlinkSync('/proc/self/cwd', 'buffer')) : directory;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'was removed'
        : code === 'ERANGE'
          ? 'has too long a path'
          : `cannot be found (${code})`;
    throw new StartError(
      'working-directory-lost',
      `${path}: the working directory ${why}; give an absolute path`,
    );
  }
}
