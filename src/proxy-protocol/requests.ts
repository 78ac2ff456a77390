/**
 * Every request of the proxy protocol, declared once: its number, what it is answered with, and its payload in wire
 * order. Source: QEMU, hw/9pfs/9p-proxy.h (numbers) and the marshalling formats of hw/9pfs/9p-proxy.c.
 *
 * Field kinds: `uint32`, `int32` and `int64` in host byte order; `string` is a 16-bit length and that many bytes, in
 * which a NUL is an error but at the end; `data` is the same with any bytes.
 * Reply kinds: `descriptor` (four bytes, an open file over SCM_RIGHTS), `status`, `payload`.
 */
export type FieldKind = 'uint32' | 'int32' | 'int64' | 'string' | 'data';
export type ReplyKind = 'descriptor' | 'status' | 'payload';

export interface RequestLayout {
  readonly opcode: number;
  readonly reply: ReplyKind;
  readonly fields: Readonly<Record<string, FieldKind>>;
}

export const requests = {
  open: { opcode: 2, reply: 'descriptor', fields: { path: 'string', flags: 'int32' } },
  create: {
    opcode: 3,
    reply: 'descriptor',
    fields: { path: 'string', flags: 'int32', mode: 'uint32', uid: 'uint32', gid: 'uint32' },
  },
  mknod: {
    opcode: 4,
    reply: 'status',
    fields: { uid: 'uint32', gid: 'uint32', path: 'string', mode: 'uint32', device: 'int64' },
  },
  mkdir: {
    opcode: 5,
    reply: 'status',
    fields: { uid: 'uint32', gid: 'uint32', path: 'string', mode: 'uint32' },
  },
  symlink: {
    opcode: 6,
    reply: 'status',
    fields: { uid: 'uint32', gid: 'uint32', target: 'string', path: 'string' },
  },
  link: { opcode: 7, reply: 'status', fields: { existing: 'string', path: 'string' } },
  lstat: { opcode: 8, reply: 'payload', fields: { path: 'string' } },
  readlink: { opcode: 9, reply: 'payload', fields: { path: 'string', size: 'int32' } },
  statfs: { opcode: 10, reply: 'payload', fields: { path: 'string' } },
  chmod: { opcode: 11, reply: 'status', fields: { path: 'string', mode: 'uint32' } },
  chown: { opcode: 12, reply: 'status', fields: { path: 'string', uid: 'uint32', gid: 'uint32' } },
  truncate: { opcode: 13, reply: 'status', fields: { path: 'string', length: 'int64' } },
  utime: {
    opcode: 14,
    reply: 'status',
    fields: {
      path: 'string',
      atimeSeconds: 'int64',
      atimeNanoseconds: 'int64',
      mtimeSeconds: 'int64',
      mtimeNanoseconds: 'int64',
    },
  },
  rename: { opcode: 15, reply: 'status', fields: { existing: 'string', path: 'string' } },
  remove: { opcode: 16, reply: 'status', fields: { path: 'string' } },
  lgetxattr: { opcode: 17, reply: 'payload', fields: { size: 'int32', path: 'string', name: 'string' } },
  llistxattr: { opcode: 18, reply: 'payload', fields: { size: 'int32', path: 'string' } },
  lsetxattr: {
    opcode: 19,
    reply: 'status',
    fields: { path: 'string', name: 'string', value: 'data', size: 'int32', flags: 'int32' },
  },
  lremovexattr: { opcode: 20, reply: 'status', fields: { path: 'string', name: 'string' } },
  getversion: { opcode: 21, reply: 'payload', fields: { path: 'string' } },
} as const satisfies Record<string, RequestLayout>;

export type RequestName = keyof typeof requests;
