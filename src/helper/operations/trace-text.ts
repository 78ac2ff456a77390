import { ByteSpan } from '../../proxy-protocol/frame.js';
import type { ReplyKind, RequestLayout } from '../../proxy-protocol/requests.js';
import { errnoName, errnoText } from '../../abi/errno-text.js';
import * as files from '../../syscalls/files.js';

/** One request on one line, as strace(1) would show a system call. */

type FieldValue = number | bigint | ByteSpan;

/** More bytes of a string than these are not shown. */
const SHOWN_BYTES = 256;
/** utimensat(2) */
const UTIME_NOW = 2 ** 30 - 1;
const UTIME_OMIT = 2 ** 30 - 2;
const NO_ID = 0xffff_ffff;

type Flags = readonly (readonly [name: string, bits: number])[];

/** Those that have the bits of others come first. */
const openFlags: Flags = Object.entries({
  O_SYNC: files.O_SYNC,
  O_DSYNC: files.O_DSYNC,
  O_CREAT: files.O_CREAT,
  O_EXCL: files.O_EXCL,
  O_NOCTTY: files.O_NOCTTY,
  O_TRUNC: files.O_TRUNC,
  O_APPEND: files.O_APPEND,
  O_NONBLOCK: files.O_NONBLOCK,
  O_DIRECT: files.O_DIRECT,
  O_LARGEFILE: files.O_LARGEFILE,
  O_DIRECTORY: files.O_DIRECTORY,
  O_NOFOLLOW: files.O_NOFOLLOW,
  O_NOATIME: files.O_NOATIME,
  O_CLOEXEC: files.O_CLOEXEC,
  O_PATH: files.O_PATH,
});
const accessModes = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'];

/** setxattr(2) */
const xattrFlags: Flags = [
  ['XATTR_CREATE', 1],
  ['XATTR_REPLACE', 2],
];

/** The names of the bits that are set, and the rest as a number. */
function names(flags: number, table: Flags): string[] {
  let rest = flags;
  const found = table.filter(([, bits]) => {
    const isSet = (rest & bits) === bits;
    if (isSet) rest &= ~bits;
    return isSet;
  });
  return [...found.map(([name]) => name), ...(rest === 0 ? [] : [`0x${(rest >>> 0).toString(16)}`])];
}

function openFlagsText(flags: number): string {
  const access = accessModes[flags & files.O_ACCMODE] ?? '';
  return [access, ...names(flags & ~files.O_ACCMODE, openFlags)].join('|');
}

const octal = (value: number): string => `0${value.toString(8)}`;
const id = (value: number): string => (value === NO_ID ? '-1' : String(value));
const nanoseconds = (value: number): string =>
  value === UTIME_NOW ? 'UTIME_NOW' : value === UTIME_OMIT ? 'UTIME_OMIT' : String(value);

/** How fields are shown whose name says more than their kind. */
const formats: Readonly<Record<string, (value: number, reply: ReplyKind) => string>> = {
  // the flags of what is answered with a descriptor are those of open(2), and otherwise those of setxattr(2)
  flags: (value, reply) =>
    reply === 'descriptor' ? openFlagsText(value) : names(value, xattrFlags).join('|') || '0',
  mode: octal,
  uid: id,
  gid: id,
  atimeNanoseconds: nanoseconds,
  mtimeNanoseconds: nanoseconds,
};

const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t' };

/** Bytes as a string of C. */
function quote({ frame, start, length }: ByteSpan): string {
  let text = '';
  for (const byte of frame.subarray(start, start + Math.min(length, SHOWN_BYTES))) {
    const character = String.fromCharCode(byte);
    const printable = byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, '0')}`;
    text += escapes[character] ?? printable;
  }
  return `"${text}"${length > SHOWN_BYTES ? '...' : ''}`;
}

function field(name: string, value: FieldValue | undefined, reply: ReplyKind): string {
  if (value instanceof ByteSpan) return quote(value);
  const format = formats[name];
  return format !== undefined && typeof value === 'number' ? format(value, reply) : String(value);
}

/** The name and the fields in wire order. */
export function requestText(
  name: string,
  { fields, reply }: RequestLayout,
  request: Readonly<Record<string, FieldValue>>,
): string {
  return [name, ...Object.keys(fields).map((key) => field(key, request[key], reply))].join(' ');
}

/** What came of it. `result` is as a handler of `helper/operations/table.ts` returns it. */
export function resultText(reply: ReplyKind, result: number): string {
  if (result < 0) return `-1 ${errnoName(result)} (${errnoText(result)})`;
  return reply === 'descriptor' ? 'fd' : '0';
}
