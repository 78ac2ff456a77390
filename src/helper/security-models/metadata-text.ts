import { isCapability } from './file-capability.js';
import { type GuestAttributes, NOT_RECORDED } from './guest-attributes.js';

/**
 * The text in which QEMU's `local` driver keeps the guest's attributes of one object, a line for each that is
 * recorded, decimal: signed numbers of 32 bits, the device number, too.
 */
const UID = Buffer.from('virtfs.uid=');
const GID = Buffer.from('virtfs.gid=');
const MODE = Buffer.from('virtfs.mode=');
const DEVICE = Buffer.from('virtfs.rdev=');
/** Ours: 24 bytes at most, in hexadecimal. QEMU passes over it, and leaves it out of what it writes. */
const CAPABILITY = Buffer.from('virtfs.capability=');

const LINE_FEED = 0x0a;
const MINUS = 0x2d;
const ZERO = 0x30;

/** More than the five lines can have. */
export const MAX_TEXT_BYTES = 256;

/** Reads what the lines say; lines that say nothing are passed over. */
export function parse(text: Uint8Array, length: number, attributes: GuestAttributes): void {
  let start = 0;
  while (start < length) {
    const lineFeed = text.indexOf(LINE_FEED, start);
    const end = lineFeed < 0 || lineFeed > length ? length : lineFeed;
    if (begins(text, start, UID)) attributes.uid = id(text, start + UID.length, end);
    else if (begins(text, start, GID)) attributes.gid = id(text, start + GID.length, end);
    else if (begins(text, start, MODE)) attributes.mode = id(text, start + MODE.length, end);
    else if (begins(text, start, DEVICE)) attributes.device = integer(text, start + DEVICE.length, end);
    else if (begins(text, start, CAPABILITY))
      attributes.capability = hexadecimal(text, start + CAPABILITY.length, end);
    start = end + 1;
  }
}

/** @returns the length of the text, of at most MAX_TEXT_BYTES */
export function format({ uid, gid, mode, device, capability }: GuestAttributes, text: Uint8Array): number {
  let end = 0;
  const line = (name: Uint8Array, value: string): void => {
    text.set(name, end);
    end += name.length;
    for (let at = 0; at < value.length; at++) text[end++] = value.charCodeAt(at);
    text[end++] = LINE_FEED;
  };
  if (uid !== NOT_RECORDED) line(UID, String(uid | 0));
  if (gid !== NOT_RECORDED) line(GID, String(gid | 0));
  if (mode !== NOT_RECORDED) line(MODE, String(mode | 0));
  if (device !== undefined) line(DEVICE, String(BigInt.asIntN(32, BigInt(device))));
  if (capability !== undefined && capability.length > 0)
    line(CAPABILITY, Buffer.from(capability).toString('hex'));
  return end;
}

function begins(text: Uint8Array, start: number, name: Uint8Array): boolean {
  for (let at = 0; at < name.length; at++) if (text[start + at] !== name[at]) return false;
  return true;
}

/** @returns undefined for what is no file capability */
function hexadecimal(text: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const bytes = Buffer.from(Buffer.from(text.subarray(start, end)).toString('latin1'), 'hex');
  return isCapability(bytes) ? bytes : undefined;
}

function id(text: Uint8Array, start: number, end: number): number {
  return Number(BigInt.asUintN(32, integer(text, start, end)));
}

/** As strtol(3): what follows the digits is passed over. */
function integer(text: Uint8Array, start: number, end: number): bigint {
  const negative = text[start] === MINUS;
  let value = 0n;
  for (let at = negative ? start + 1 : start; at < end; at++) {
    const digit = (text[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10n + BigInt(digit);
  }
  return negative ? -value : value;
}
