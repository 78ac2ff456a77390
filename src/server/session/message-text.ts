import { type Flags, flagNames, octal, quoted, SHOWN_BYTES } from '../../observability/trace-text.js';
import type { Message } from '../operations/message.js';
import { decodeRequest, tagOf } from '../p9/decode.js';
import type { Field, Time } from '../p9/fields.js';
import { type Dialect, type MessageLayout, messages } from '../p9/messages.js';
import * as modes from '../p9/modes.js';
import * as numbers from '../p9/numbers.js';

/** More bytes of data than these are not shown, nor more characters of one message. */
const SHOWN_DATA_BYTES = 32;
const SHOWN_CHARACTERS = 2048;
const ALL_ONES = 0xffff_ffff;

/** 9P2000.L has the numbers of Linux on x86, whatever the machine. */
const openFlags: Flags = Object.entries({
  O_SYNC: 0o4010000,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_DSYNC: 0o10000,
  FASYNC: 0o20000,
  O_DIRECT: 0o40000,
  O_LARGEFILE: 0o100000,
  O_DIRECTORY: 0o200000,
  O_NOFOLLOW: 0o400000,
  O_NOATIME: 0o1000000,
  O_CLOEXEC: 0o2000000,
});
const accessModes = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'];

/** open(5) of Plan 9, and OAPPEND of 9P2000.u. */
const openModes = ['OREAD', 'OWRITE', 'ORDWR', 'OEXEC'];
const modeBits: Flags = Object.entries({ OTRUNC: 0x10, OCEXEC: 0x20, ORCLOSE: 0x40, OAPPEND: 0x80 });

/** Those of a module whose names have a beginning, without it where that says nothing. */
function named(module: Readonly<Record<string, unknown>>, beginning: string, cut = 0): Flags {
  return Object.entries(module).flatMap(([name, bits]) =>
    name.startsWith(beginning) && typeof bits === 'number' ? [[name.slice(cut), bits] as const] : [],
  );
}

const permissionBits = named(modes, 'DM');
const valid = named(numbers, 'SETATTR_', 'SETATTR_'.length);
const attributes: Flags = [
  ['BASIC', numbers.GETATTR_BASIC],
  ...named(numbers, 'GETATTR_', 'GETATTR_'.length).filter(([name]) => name !== 'BASIC'),
];

const names =
  (table: Flags) =>
  (value: number): string =>
    flagNames(value, table).join('|') || '0';

const openText = (flags: number): string =>
  [accessModes[flags & 3], ...flagNames(flags & ~3, openFlags)].join('|');
const modeText = (mode: number): string => [openModes[mode & 3], ...flagNames(mode & ~3, modeBits)].join('|');
const permissionsText = (value: number): string =>
  [...flagNames(value & ~0o777, permissionBits), octal(value & 0o777)].join('|');
const idText = (value: number): string => (value === ALL_ONES ? '-1' : String(value));
const fidText = (value: number): string => (value === numbers.NOFID ? 'NOFID' : String(value));
const tagText = (value: number): string => (value === numbers.NOTAG ? 'NOTAG' : String(value));

/** How numbers are shown whose name says more than their kind; first of one message, then of any. */
const formats: Readonly<Record<string, (value: number) => string>> = {
  'Tlopen.flags': openText,
  'Tlcreate.flags': openText,
  'Txattrcreate.flags': names([
    ['XATTR_CREATE', numbers.XATTR_CREATE],
    ['XATTR_REPLACE', numbers.XATTR_REPLACE],
  ]),
  'Tunlinkat.flags': names([['AT_REMOVEDIR', numbers.UNLINKAT_REMOVEDIR]]),
  'Tlock.flags': names([
    ['LOCK_BLOCK', numbers.LOCK_BLOCK],
    ['LOCK_RECLAIM', numbers.LOCK_RECLAIM],
  ]),
  'Topen.mode': modeText,
  'Tcreate.mode': modeText,
  'Twstat.mode': permissionsText,
  tag: tagText,
  oldtag: tagText,
  fid: fidText,
  afid: fidText,
  mode: octal,
  permissions: permissionsText,
  mask: names(attributes),
  valid: names(valid),
  lockType: (type) => ['F_RDLCK', 'F_WRLCK', 'F_UNLCK'][type] ?? String(type),
  uid: idText,
  gid: idText,
  muid: idText,
  nUname: idText,
};

/** A field, or what is in one. */
function valueText(message: string, name: string, value: unknown, shown = SHOWN_BYTES): string {
  if (typeof value === 'number') {
    const format = formats[`${message}.${name}`] ?? formats[name];
    return format === undefined ? String(value) : format(value);
  }
  if (value instanceof Uint8Array) return quoted(value, shown);
  if (Array.isArray(value)) return `[${value.map((one) => valueText(message, name, one)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  return `{${fieldsText(message, Object.entries(value))}}`;
}

function fieldsText(message: string, fields: readonly (readonly [string, unknown])[]): string {
  return fields.map(([name, value]) => `${wireName(name)}=${valueText(message, name, value)}`).join(', ');
}

/** `proc_id` for `procId`. */
const wireName = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function timeText({ seconds, nanoseconds }: Time): string {
  return `${seconds}.${String(nanoseconds).padStart(9, '0')}`;
}

const kindOf = (field: Field): string => (typeof field === 'string' ? field : field.kind);

/** All requests by their number. */
const layouts = new Map(
  Object.entries<MessageLayout>(messages).flatMap(([name, { number, request }]) =>
    request === undefined ? [] : [[number, { type: `T${name}`, fields: request }] as const],
  ),
);

/** A request with its fields in the order of the wire: `Tlopen(tag=1, fid=3, flags=O_RDWR)`. */
export function messageText({ frame, absent }: Pick<Message, 'frame' | 'absent'>, dialect: Dialect): string {
  const number = frame[numbers.TYPE_OFFSET] ?? 0;
  const layout = layouts.get(number);
  const type = layout?.type ?? `message ${number}`;
  const begin = `${type}(tag=${tagText(tagOf(frame))}`;
  const request = decodeRequest(frame, dialect, absent);
  if (layout === undefined || 'malformed' in request) return `${begin}, malformed)`;
  if (request.type === 'refused') return `${begin}, refused)`;
  const values = request as unknown as Readonly<Record<string, unknown>>;
  const fields = Object.entries(layout.fields).map(([name, field]) => {
    const value = values[name];
    const kind = kindOf(field);
    if (kind === 'time') return `${wireName(name)}=${timeText(value as Time)}`;
    if (kind === 'data') return dataText(value as Uint8Array, absent);
    return `${wireName(name)}=${valueText(type, name, value)}`;
  });
  const text = [begin, ...fields].join(', ');
  return `${text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text})`;
}

/** The beginning of data, and how many there are. @param absent of those that are in the guest's memory */
function dataText(data: Uint8Array, absent: number): string {
  return absent > 0
    ? `data=..., count=${absent}`
    : `data=${quoted(data, SHOWN_DATA_BYTES)}, count=${data.length}`;
}
