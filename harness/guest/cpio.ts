/** Writes the "newc" cpio format, the one the kernel unpacks an initramfs from. */

export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  /** File type and permission bits, as in `st_mode`. */
  readonly mode: number;
  readonly content?: Buffer;
  readonly device?: { readonly major: number; readonly minor: number };
}

const trailer: CpioEntry = { path: 'TRAILER!!!', mode: 0 };

export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const chunks: Buffer[] = [];
  let length = 0;
  const append = (chunk: Buffer): void => {
    const padding = (4 - ((length + chunk.length) % 4)) % 4;
    chunks.push(chunk, Buffer.alloc(padding));
    length += chunk.length + padding;
  };
  [...entries, trailer].forEach((entry, index) => {
    const name = Buffer.from(`${entry.path}\0`);
    const content = entry.content ?? Buffer.alloc(0);
    const fields = [
      index + 1, // inode
      entry.mode,
      0, // uid
      0, // gid
      1, // links
      0, // mtime
      content.length,
      0, // major and minor of the device it came from
      0,
      entry.device?.major ?? 0,
      entry.device?.minor ?? 0,
      name.length,
      0, // checksum, unused in this variant
    ];
    const header = fields.map((field) => field.toString(16).padStart(8, '0')).join('');
    append(Buffer.concat([Buffer.from(`070701${header}`), name]));
    append(content);
  });
  return Buffer.concat(chunks);
}
