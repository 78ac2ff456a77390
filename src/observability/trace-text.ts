/** How values are shown in a trace: as strace(1) does. */

/** More bytes of a string than these are not shown. */
export const SHOWN_BYTES = 256;

export type Flags = readonly (readonly [name: string, bits: number])[];

/** The names of the bits that are set, and the rest as a number. Those that have the bits of others come first. */
export function flagNames(flags: number, table: Flags): string[] {
  let rest = flags;
  const found = table.filter(([, bits]) => {
    const isSet = (rest & bits) >>> 0 === bits;
    if (isSet) rest &= ~bits;
    return isSet;
  });
  return [...found.map(([name]) => name), ...(rest === 0 ? [] : [`0x${(rest >>> 0).toString(16)}`])];
}

export const octal = (value: number): string => `0${value.toString(8)}`;

const escapes: Readonly<Record<string, string>> = { '"': '\\"', '\\': '\\\\', '\n': '\\n', '\t': '\\t' };

/** Bytes as a string of C. */
export function quoted(bytes: Uint8Array, shown = SHOWN_BYTES): string {
  let text = '';
  for (const byte of bytes.subarray(0, shown)) {
    const character = String.fromCharCode(byte);
    const printable = byte >= 0x20 && byte < 0x7f ? character : `\\${byte.toString(8).padStart(3, '0')}`;
    text += escapes[character] ?? printable;
  }
  return `"${text}"${bytes.length > shown ? '...' : ''}`;
}
