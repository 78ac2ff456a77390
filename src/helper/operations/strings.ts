import type { Request } from '../../proxy-protocol/decoder.js';
import type { Frame } from '../../proxy-protocol/frame.js';
import { MAX_STRING_BYTES, PAYLOAD } from '../../proxy-protocol/replies.js';
import * as errno from '../../abi/errno.js';
import type { Handler, OperationContext } from './context.js';

/** Operations whose reply is a string, written by the kernel directly to its place in the reply. */

/** @returns the length of the payload */
function stringReply(reply: Frame, length: number): number {
  reply.setUint16(PAYLOAD, length);
  return 2 + length;
}

/** The whole target or an error: the client copies what comes into a buffer of `size` bytes and appends a NUL. */
export function readlink({ model, reply, replyString }: OperationContext): Handler<'readlink'> {
  return (request) => {
    if (request.size <= 0) return -errno.EINVAL;
    const size = Math.min(request.size, MAX_STRING_BYTES);
    const length = model.readlink(request, replyString, size);
    if (length < 0) return length;
    return length === size ? -errno.ENAMETOOLONG : stringReply(reply, length);
  };
}

/**
 * The answer to a question for a value of at most `size` bytes: with size 0 its length as four bytes, else the value.
 * A value that the wire cannot carry whole is ENOBUFS, never a part of it.
 */
function xattrReply<Name extends 'lgetxattr' | 'llistxattr'>(
  reply: Frame,
  call: (request: Request<Name>, size: number) => number,
): Handler<Name> {
  return (request) => {
    const asked = request.size;
    if (asked < 0) return -errno.EINVAL;
    let length = call(request, Math.min(asked, MAX_STRING_BYTES));
    if (length === -errno.ERANGE && asked > MAX_STRING_BYTES) {
      length = call(request, 0);
      if (length >= 0) return length > asked ? -errno.ERANGE : -errno.ENOBUFS;
    }
    if (length < 0) return length;
    if (asked > 0) return stringReply(reply, length);
    reply.words[2] = length;
    return 4;
  };
}

export function lgetxattr({ xattrs, reply, replyString }: OperationContext): Handler<'lgetxattr'> {
  return xattrReply(reply, (request, size) => xattrs.getxattr(request, replyString, size));
}

export function llistxattr({ xattrs, reply, replyString }: OperationContext): Handler<'llistxattr'> {
  return xattrReply(reply, (request, size) => xattrs.listxattr(request, replyString, size));
}
