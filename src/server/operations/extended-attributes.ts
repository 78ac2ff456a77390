import * as errno from '../../abi/errno.js';
import type { Fid } from '../fids/fid-table.js';
import { XATTR_REPLACE } from '../p9/numbers.js';
import { type Context, fidOf, type Handler, ownTargetOf, reply, type Target, targetOf } from './context.js';

/** The longest value that a reply of the helper can carry: a 16-bit length within its frame. */
const MAX_VALUE_BYTES = 65_534;

/** Makes a fid from which an attribute, or the list of all names, can be read. */
export const xattrwalk: Handler<'Txattrwalk'> = async ({ fid: number, newfid, name }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const taken = newfid === number ? -errno.EBADF : context.fids.check(newfid);
  if (taken < 0) return taken;
  const target = await targetOf(fid, context);
  if (typeof target === 'number') return target;
  const value = await readValue(target, name, context);
  if (typeof value === 'number') return value;
  if (context.attributeBytes + value.length > context.settings.maxAttributeBytes) return -errno.ENOSPC;
  context.attributeBytes += value.length;
  context.fids.add(newfid, fid.node, fid.uid).transfer = { kind: 'read', value };
  return reply('Rxattrwalk', { size: value.length });
};

function readValue(
  { path, descriptor }: Target,
  name: Uint8Array,
  { helper }: Context,
): Promise<Uint8Array | number> {
  const size = MAX_VALUE_BYTES;
  return name.length === 0
    ? helper.request('llistxattr', { size, path }, descriptor)
    : helper.request('lgetxattr', { size, path, name }, descriptor);
}

/** Makes the fid one that takes the value of an attribute, which is set when the fid is clunked. */
export const xattrcreate: Handler<'Txattrcreate'> = ({ fid: number, name, size, flags }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  if (name.length === 0) return -errno.EINVAL;
  if (size > MAX_VALUE_BYTES) return -errno.E2BIG;
  const bytes = Number(size);
  if (context.attributeBytes + bytes > context.settings.maxAttributeBytes) return -errno.ENOSPC;
  context.attributeBytes += bytes;
  fid.transfer = {
    kind: 'write',
    // of the message, whose memory is used again
    name: Uint8Array.from(name),
    value: new Uint8Array(bytes),
    flags,
    filled: 0,
  };
  return reply('Rxattrcreate', {});
};

/** Does what a fid of an attribute is for. @returns 0, or -errno */
export async function finishTransfer(fid: Fid, context: Context): Promise<number> {
  const { transfer } = fid;
  if (transfer === undefined) return 0;
  context.attributeBytes -= transfer.value.length;
  if (transfer.kind === 'read') return 0;
  fid.transfer = undefined;
  const target = await ownTargetOf(fid, context);
  if (typeof target === 'number') return target;
  const { path, descriptor } = target;
  const { name, value, flags, filled } = transfer;
  // a client that left in the middle of a value has set none
  if (filled < value.length) return -errno.EINVAL;
  context.changes++;
  // Linux asks for a removal in this way: an empty value that replaces the one there is
  if (value.length === 0 && (flags & XATTR_REPLACE) !== 0)
    return context.helper.request('lremovexattr', { path, name }, descriptor);
  return context.helper.request('lsetxattr', { path, name, value, size: value.length, flags }, descriptor);
}
