import { ByteSpan } from '../../proxy-protocol/frame.js';
import type { ReplyKind, RequestLayout } from '../../proxy-protocol/requests.js';
import { errnoName, errnoText } from '../../abi/errno-text.js';
import { type Flags, flagNames, octal, quoted } from '../../observability/trace-text.js';
import * as files from '../../syscalls/files.js';

/** One request on one line, as strace(1) would show a system call. */

type FieldValue = number | bigint | ByteSpan;

/** utimensat(2) */
const UTIME_NOW = 2 ** 30 - 1;
const UTIME_OMIT = 2 ** 30 - 2;
const NO_ID = 0xffff_ffff;

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

function openFlagsText(flags: number): string {
  const access = accessModes[flags & files.O_ACCMODE] ?? '';
  return [access, ...flagNames(flags & ~files.O_ACCMODE, openFlags)].join('|');
}

const id = (value: number): string => (value === NO_ID ? '-1' : String(value));
const nanoseconds = (value: number): string =>
  value === UTIME_NOW ? 'UTIME_NOW' : value === UTIME_OMIT ? 'UTIME_OMIT' : String(value);

/** How fields are shown whose name says more than their kind. */
const formats: Readonly<Record<string, (value: number, reply: ReplyKind) => string>> = {
  // the flags of what is answered with a descriptor are those of open(2), and otherwise those of setxattr(2)
  flags: (value, reply) =>
    reply === 'descriptor' ? openFlagsText(value) : flagNames(value, xattrFlags).join('|') || '0',
  mode: octal,
  uid: id,
  gid: id,
  atimeNanoseconds: nanoseconds,
  mtimeNanoseconds: nanoseconds,
};

function field(name: string, value: FieldValue | undefined, reply: ReplyKind): string {
  if (value instanceof ByteSpan) return quoted(value.frame.subarray(value.start, value.start + value.length));
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
