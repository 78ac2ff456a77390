import { isDirectory, isSymbolicLink } from '../../abi/file-modes.js';
import { type Attributes, qidOf } from '../fids/attributes.js';
import type { Node } from '../fids/node.js';
import { deviceExtension } from '../p9/creation.js';
import type { StatRecord } from '../p9/fields.js';
import { permissionsOf } from '../p9/modes.js';
import { linkTarget } from './attributes.js';
import type { Context } from './context.js';

const EMPTY = new Uint8Array();
const ROOT_NAME = Buffer.from('/');
const MAX_UINT32 = 0xffff_ffff;

/** A file whose record is wanted: one in a directory, or the directory itself where there is no name. */
export interface Described {
  readonly node: Node;
  readonly name: Uint8Array | undefined;
  readonly attributes: Attributes;
}

/** Seconds in the 32 bits that there are. */
const seconds = (time: number | bigint): number => Math.min(Math.max(Number(time), 0), MAX_UINT32);

/** `dev_t` of glibc in two parts, gnu_dev_major and gnu_dev_minor; what fits Linux' own. */
function partsOf(device: number | bigint): readonly [major: number, minor: number] {
  const number = Number(device);
  return [(number >>> 8) & 0xfff, (number & 0xff) | (Math.floor(number / 0x10_0000) << 8)];
}

/** What 9P2000 and 9P2000.u say of a file. Users and groups are numbers, as text too: the guest's names are its own. */
export async function statOf({ node, name, attributes }: Described, context: Context): Promise<StatRecord> {
  const { dialect, settings } = context;
  const { mode, uid, gid, size } = attributes;
  const record = {
    type: 0,
    dev: 0,
    qid: qidOf(attributes, settings.versions),
    mode: permissionsOf(mode, dialect),
    atime: seconds(attributes.atime.seconds),
    mtime: seconds(attributes.mtime.seconds),
    // stat(5): that of a directory is 0 by convention
    length: isDirectory(mode) ? 0 : size,
    name: name ?? (node.isRoot ? ROOT_NAME : node.name),
    uid: Buffer.from(String(uid)),
    gid: Buffer.from(String(gid)),
    muid: EMPTY,
  };
  if (dialect === '9P2000') return record;
  const extension = await extensionOf({ node, name, attributes }, context);
  return { ...record, extended: { extension, uid, gid, muid: MAX_UINT32 } };
}

/** The target of a symbolic link, or which device it is. */
async function extensionOf({ node, name, attributes }: Described, { helper }: Context): Promise<Uint8Array> {
  const { mode, rdev } = attributes;
  if (!isSymbolicLink(mode)) return deviceExtension(mode, ...partsOf(rdev));
  const path = name === undefined ? node.path() : node.pathOf(name);
  if (typeof path === 'number') return EMPTY;
  const target = await linkTarget(path, helper);
  return typeof target === 'number' ? EMPTY : target;
}
