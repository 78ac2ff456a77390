import * as errno from '../../abi/errno.js';
import { F_RDLCK, F_UNLCK, F_WRLCK, syncData } from '../../syscalls/file-data.js';
import type { AttributeTransfer, Fid } from '../fids/fid-table.js';
import type { LockOwner } from '../fids/locks.js';
import type { OpenFile } from '../fids/open-file.js';
import { LOCK_BLOCKED, LOCK_SUCCESS, LOCK_UNLOCK, READ_HEADER_BYTES } from '../p9/numbers.js';
import type { RequestOf } from '../p9/messages.js';
import { type Context, type DataReply, fidOf, type Handler, type Outcome, reply } from './context.js';
import { listStats } from './directories.js';

/** Keeps a file open while something is done with it, which may wait. @returns its result, or -errno */
function withDescriptor(
  file: OpenFile,
  { files }: Context,
  work: (descriptor: number) => number | Promise<number>,
): number | Promise<number> {
  const begin = (descriptor: number): number | Promise<number> =>
    descriptor < 0 ? descriptor : work(descriptor);
  file.use();
  const found = files.descriptorOf(file);
  const result = typeof found === 'number' ? begin(found) : found.then(begin);
  if (typeof result !== 'number')
    return result.finally(() => {
      file.done();
    });
  file.done();
  return result;
}

/** The part of an attribute that is asked for. */
function readTransfer(
  { value }: AttributeTransfer,
  offset: number | bigint,
  count: number,
  { buffers }: Context,
): DataReply {
  const part =
    offset < value.length ? value.subarray(Number(offset), Number(offset) + count) : new Uint8Array();
  const buffer = buffers.take(READ_HEADER_BYTES + part.length);
  buffer.bytes.set(part, READ_HEADER_BYTES);
  return { type: 'Rread', buffer, count: part.length };
}

export const read: Handler<'Tread'> = async ({ fid: number, offset, count: wanted }, context, message) => {
  const fid = context.fids.get(number);
  const count = Math.min(wanted, Math.max(0, Math.min(context.msize, message.room) - READ_HEADER_BYTES));
  if (fid?.transfer?.kind === 'read') return readTransfer(fid.transfer, offset, count, context);
  if (fid?.file === undefined || fid.transfer !== undefined) return -errno.EBADF;
  const { file } = fid;
  if (file.directory !== undefined) {
    return context.dialect === '9P2000.L' ? -errno.EISDIR : listStats(fid, offset, count, context);
  }
  const placed = await withDescriptor(file, context, (descriptor) =>
    message.readData(descriptor, count, offset),
  );
  if (placed < 0) return placed;
  context.fileBytes.read += placed;
  return { type: 'Rread', placed };
};

export const write: Handler<'Twrite'> = async ({ fid: number, offset, data }, context, message) => {
  const fid = context.fids.get(number);
  if (fid?.transfer?.kind === 'write') return writeTransfer(fid.transfer, offset, message.data(data));
  if (fid?.file === undefined || fid.transfer !== undefined) return -errno.EBADF;
  const { file } = fid;
  if (file.directory !== undefined) return -errno.EISDIR;
  context.changes++;
  const bytes = await withDescriptor(file, context, (descriptor) =>
    message.writeData(descriptor, data, offset),
  );
  if (bytes < 0) return bytes;
  context.fileBytes.written += bytes;
  return reply('Rwrite', { count: bytes });
};

/** The value comes in order, and no more of it than was announced. */
function writeTransfer(
  transfer: AttributeTransfer & { kind: 'write' },
  offset: number | bigint,
  data: Uint8Array,
): Outcome {
  const at = transfer.filled;
  if (offset !== at || at + data.length > transfer.value.length) return -errno.EINVAL;
  transfer.value.set(data, at);
  transfer.filled += data.length;
  return reply('Rwrite', { count: data.length });
}

export const fsync: Handler<'Tfsync'> = async ({ fid: number, datasync }, context) => {
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  const failed = await syncFid(fid, datasync !== 0, context);
  return failed < 0 ? failed : reply('Rfsync', {});
};

/** @returns 0, or -errno */
export async function syncFid({ file }: Fid, dataOnly: boolean, context: Context): Promise<number> {
  if (file === undefined) return -errno.EBADF;
  return withDescriptor(file, context, (descriptor) => syncData(descriptor, dataOnly));
}

/** The client's types of locks in the numbers of fcntl(2), with which they agree. */
const lockTypes: readonly number[] = [F_RDLCK, F_WRLCK, F_UNLCK];

function ownerOf(fid: Fid, { procId, clientId }: RequestOf<'Tlock' | 'Tgetlock'>): LockOwner {
  return { inode: fid.node.identity.inode, process: procId, client: clientId };
}

export const lock: Handler<'Tlock'> = async (request, context) => {
  const fid = fidOf(context, request.fid);
  if (typeof fid === 'number') return fid;
  if (fid.file === undefined) return -errno.EBADF;
  const type = lockTypes[request.lockType];
  if (type === undefined) return -errno.EINVAL;
  const { start, length } = request;
  const descriptor = await context.files.descriptorOf(fid.file);
  if (descriptor < 0) return descriptor;
  const failed = await context.locks.lock(fid.file, ownerOf(fid, request), { type, start, length });
  // a client that would wait asks again
  if (failed === -errno.EAGAIN || failed === -errno.EACCES) return reply('Rlock', { status: LOCK_BLOCKED });
  return failed < 0 ? failed : reply('Rlock', { status: LOCK_SUCCESS });
};

export const getlock: Handler<'Tgetlock'> = async (request, context) => {
  const fid = fidOf(context, request.fid);
  if (typeof fid === 'number') return fid;
  if (fid.file === undefined) return -errno.EBADF;
  // Linux' client asks with the type of an unlock, whatever its process wants: every lock of others is told
  const type = request.lockType === LOCK_UNLOCK ? F_WRLCK : lockTypes[request.lockType];
  if (type === undefined) return -errno.EINVAL;
  const { start, length, procId, clientId } = request;
  const descriptor = await context.files.descriptorOf(fid.file);
  if (descriptor < 0) return descriptor;
  const conflict = context.locks.conflict(fid.file, ownerOf(fid, request), { type, start, length });
  if (typeof conflict === 'number') return conflict;
  if (conflict === undefined) {
    return reply('Rgetlock', { lockType: LOCK_UNLOCK, start, length, procId, clientId });
  }
  // whose it is the kernel does not tell
  const holder = { procId: 0, clientId: new Uint8Array() };
  return reply('Rgetlock', {
    lockType: conflict.type,
    start: conflict.start,
    length: conflict.length,
    ...holder,
  });
};
