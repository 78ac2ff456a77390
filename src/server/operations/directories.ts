import * as errno from '../../abi/errno.js';
import type { Attributes } from '../fids/attributes.js';
import { type DirectoryEntry as Entry, isDots } from '../../syscalls/directories.js';
import type { DirectoryStream } from '../fids/directory-stream.js';
import type { Fid } from '../fids/fid-table.js';
import { DirectoryWriter } from '../p9/directory-writer.js';
import type { Qid } from '../p9/fields.js';
import { entryType, qidType } from '../p9/modes.js';
import { QTDIR, QTFILE, QTSYMLINK, READ_HEADER_BYTES } from '../p9/numbers.js';
import { type Context, type DataReply, fidOf, type Handler } from './context.js';
import { statOf } from './stat-records.js';

/** DT_* of readdir(3). */
const DT_UNKNOWN = 0;
const DT_DIR = 4;
const DT_LNK = 10;
/** How many entries are asked about in one trip. */
const BATCH = 64;

const textOf = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/** An entry as the guest is to see it; `undefined` for one that it is not to see. */
interface Shown {
  readonly qid: Qid;
  readonly type: number;
  readonly attributes: Attributes | undefined;
}

const qidTypes = new Map([
  [DT_DIR, QTDIR],
  [DT_LNK, QTSYMLINK],
]);

/** The directory itself and the one above, which the guest must not be told more of than it knows. */
function showDots({ node }: Fid, { name }: Entry): Shown {
  const { identity } = name.length === 1 ? node : node.parent;
  return { qid: { type: QTDIR, version: 0, path: identity.inode }, type: DT_DIR, attributes: undefined };
}

function showAttributes(attributes: Attributes): Shown {
  const { mode, inode } = attributes;
  return { qid: { type: qidType(mode), version: 0, path: inode }, type: entryType(mode), attributes };
}

/**
 * What is shown of entries. The kernel's own words are enough, unless the guest is to see other types than the host has,
 * or the file system tells none.
 *
 * @param needed whether the attributes are needed in any case
 */
function show(
  fid: Fid,
  entries: readonly Entry[],
  needed: boolean,
  context: Context,
): Promise<readonly (Shown | undefined)[]> {
  const { helper, settings } = context;
  const shown = entries.map(async (entry): Promise<Shown | undefined> => {
    const { name, type, inode } = entry;
    if (isDots(name)) return showDots(fid, entry);
    if (settings.hiddenNames.size > 0 && settings.hiddenNames.has(textOf(name))) return undefined;
    if (!needed && settings.entryTypes === 'kernel' && type !== DT_UNKNOWN) {
      const qid = { type: qidTypes.get(type) ?? QTFILE, version: 0, path: inode };
      return { qid, type, attributes: undefined };
    }
    const path = fid.node.pathOf(name);
    if (typeof path === 'number') return undefined;
    const attributes = await helper.request('lstat', { path });
    // it has gone since the kernel listed it
    return typeof attributes === 'number' ? undefined : showAttributes(attributes);
  });
  return Promise.all(shown);
}

/** What is listed, and whether attributes are needed or the kind of an entry is enough. */
interface Listing {
  readonly fid: Fid;
  readonly stream: DirectoryStream;
  readonly needed: boolean;
}

/**
 * Fills a reply with entries from where the stream is.
 *
 * @param append writes one entry, if it fits
 */
async function list(
  { fid, stream, needed }: Listing,
  context: Context,
  append: (entry: Entry, shown: Shown) => boolean | Promise<boolean>,
): Promise<number> {
  for (let isFirst = true; ;) {
    const entries = stream.peek();
    if (typeof entries === 'number') return entries;
    if (entries.length === 0) return 0;
    const batch = entries.slice(0, BATCH);
    for (const [index, shown] of (await show(fid, batch, needed, context)).entries()) {
      const entry = batch[index];
      if (entry === undefined) break;
      if (shown !== undefined) {
        // a reply that has no room for one entry would look like the end
        // in 9P2000.L; Linux asks in the others again for what its buffer has left, and takes an error for one of all
        if (!(await append(entry, shown))) return isFirst && !needed ? -errno.EINVAL : 0;
        isFirst = false;
      }
      stream.skip(1);
    }
  }
}

export const readdir: Handler<'Treaddir'> = async ({ fid: number, offset, count: wanted }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const stream = fid.file?.directory;
  if (stream === undefined) return fid.file === undefined ? -errno.EBADF : -errno.ENOTDIR;
  const failed = stream.seek(offset);
  if (failed < 0) return failed;
  return fill(context, wanted, (writer) =>
    list({ fid, stream, needed: false }, context, ({ name, offset: next }, { qid, type }) =>
      writer.append({ qid, type, name, offset: next }),
    ),
  );
};

/** Has a reply of the client's size filled. */
async function fill(
  { buffers, msize }: Context,
  wanted: number,
  write: (writer: DirectoryWriter) => Promise<number>,
): Promise<DataReply | number> {
  const count = Math.min(wanted, msize - READ_HEADER_BYTES);
  const buffer = buffers.take(READ_HEADER_BYTES + count);
  const writer = new DirectoryWriter(buffer.bytes.subarray(READ_HEADER_BYTES, READ_HEADER_BYTES + count));
  const failed = await write(writer);
  if (failed >= 0) return { type: 'Rreaddir', buffer, count: writer.length };
  buffers.give(buffer);
  return failed;
}

/**
 * Reads a directory in 9P2000 and 9P2000.u: records of what is in it, without the directory itself and the one above.
 * Reading goes on where it ended, or begins again at 0: read(5).
 */
export async function listStats(
  fid: Fid,
  offset: number | bigint,
  count: number,
  context: Context,
): Promise<DataReply | number> {
  const stream = fid.file?.directory;
  if (stream === undefined) return -errno.EBADF;
  if (offset === 0) {
    const failed = stream.seek(0);
    if (failed < 0) return failed;
    stream.told = 0;
  } else if (offset !== stream.told) return -errno.EINVAL;
  const filled = await fill(context, count, (writer) =>
    list({ fid, stream, needed: true }, context, async ({ name }, { attributes }) => {
      if (attributes === undefined) return true;
      const record = await statOf({ node: fid.node, name, attributes }, context);
      return writer.appendStat(record);
    }),
  );
  if (typeof filled === 'number') return filled;
  stream.told += filled.count;
  return { ...filled, type: 'Rread' };
}
