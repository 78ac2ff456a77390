import type { Request } from '../protocol/decoder.js';
import { MAX_STRING_BYTES, PAYLOAD } from '../protocol/replies.js';
import { errno } from '../syscalls/errno.js';
import type { OperationContext } from './context.js';

/** Operations whose reply is a string, written by the kernel directly to its place in the reply. */

/** @returns the length of the payload */
function stringReply({ reply }: OperationContext, length: number): number {
  reply.setUint16(PAYLOAD, length);
  return 2 + length;
}

/**
 * The whole target or an error: the client copies what comes into a buffer of `size` bytes and appends a NUL.
 *
 * @returns the length of the payload, or -errno
 */
export function readlink(request: Request<'readlink'>, context: OperationContext): number {
  if (request.size <= 0) return -errno.EINVAL;
  const size = Math.min(request.size, MAX_STRING_BYTES);
  const length = context.model.readlink(request, context.replyString, size);
  if (length < 0) return length;
  return length === size ? -errno.ENAMETOOLONG : stringReply(context, length);
}

type XattrRequest = 'lgetxattr' | 'llistxattr';
type XattrCall<Name extends XattrRequest> = (
  request: Request<Name>,
  context: OperationContext,
  size: number,
) => number;

/**
 * The answer to a question for a value of at most `size` bytes: with size 0 its length as four bytes, else the value.
 * A value that the wire cannot carry whole is ENOBUFS, never a part of it.
 */
function xattrReply<Name extends XattrRequest>(
  request: Request<Name>,
  context: OperationContext,
  call: XattrCall<Name>,
): number {
  const asked = request.size;
  if (asked < 0) return -errno.EINVAL;
  let length = call(request, context, Math.min(asked, MAX_STRING_BYTES));
  if (length === -errno.ERANGE && asked > MAX_STRING_BYTES) {
    length = call(request, context, 0);
    if (length >= 0) return length > asked ? -errno.ERANGE : -errno.ENOBUFS;
  }
  if (length < 0) return length;
  if (asked > 0) return stringReply(context, length);
  context.reply.words[2] = length;
  return 4;
}

const getxattr: XattrCall<'lgetxattr'> = (request, { xattrs, replyString }, size) =>
  xattrs.getxattr(request, replyString, size);

const listxattr: XattrCall<'llistxattr'> = (request, { xattrs, replyString }, size) =>
  xattrs.listxattr(request, replyString, size);

/** @returns the length of the payload, or -errno */
export function lgetxattr(request: Request<'lgetxattr'>, context: OperationContext): number {
  return xattrReply(request, context, getxattr);
}

/** @returns the length of the payload, or -errno */
export function llistxattr(request: Request<'llistxattr'>, context: OperationContext): number {
  return xattrReply(request, context, listxattr);
}
