/** A share whose ids are mapped, and how to see whose everything is on either side. */
import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { type Session, sessionForTest } from './helper-process.js';
import { errnoName } from './libc.js';
import { type Owner, requests } from './requests.js';
import { exportForTest } from './tree.js';

/** The host's id for the root of the guest, where `mapped` says so. */
export const FIRST = 100_000;
export const MAP = `0:${FIRST}:65536`;
export const mapped = ['--map-uid', MAP, '--map-gid', MAP];
export const O_CREATE = 0x42;
export const OVERFLOW = 65_534;
export const NO_ID = 0xffff_ffff;
export const root = { uid: 0, gid: 0 };
export const ACL = 'system.posix_acl_access';
export const DEFAULT_ACL = 'system.posix_acl_default';

export interface Share extends Session {
  readonly directory: string;
  /** The result of one request by its name. */
  readonly ask: (bytes: Buffer) => string;
}

export function start(args: readonly string[] = mapped, wrapper: readonly string[] = []): Share {
  const directory = exportForTest();
  const session = sessionForTest(directory, { args, wrapper });
  return { directory, ...session, ask: (bytes) => asked(session, bytes) };
}

function asked({ client }: Session, bytes: Buffer): string {
  const { errno, descriptor } = client.request(bytes);
  if (descriptor !== undefined) closeSync(descriptor);
  return errnoName(errno);
}

/** One of each thing that is made for an owner. */
export const creations = (owner: Owner, name = ''): Readonly<Record<string, Buffer>> => ({
  file: requests.create(`/${name}file`, O_CREATE, 0o644, owner),
  directory: requests.mkdir(owner, `/${name}directory`, 0o755),
  link: requests.symlink(owner, 'target', `/${name}link`),
  fifo: requests.mknod(owner, `/${name}fifo`, 0o10644, 0),
});

export function ownerOnHost(directory: string, name: string): Owner {
  const { uid, gid } = lstatSync(join(directory, name));
  return { uid, gid };
}

export function ownerInGuest({ client }: Session, path: string): Owner {
  const { payload } = client.request(requests.lstat(path));
  return { uid: payload.readUInt32LE(28), gid: payload.readUInt32LE(32) };
}

export const onHost = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8' }).trim();

export function acl(directory: string, name: string): string[] {
  return onHost('getfacl', '--numeric', '--omit-header', '--absolute-names', join(directory, name)).split(
    '\n',
  );
}

/** The value of an ACL: its entries are tag, permissions and id. */
function aclValue(...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): Buffer {
  const value = Buffer.alloc(4 + 8 * entries.length);
  value.writeUInt32LE(2);
  for (const [index, [tag, permissions, id = NO_ID]] of entries.entries()) {
    value.writeUInt16LE(tag, 4 + 8 * index);
    value.writeUInt16LE(permissions, 6 + 8 * index);
    value.writeUInt32LE(id, 8 + 8 * index);
  }
  return value;
}

/** An ACL with one named user and one named group. */
export const aclFor = (uid: number, gid: number): Buffer =>
  aclValue([1, 6], [2, 6, uid], [4, 4], [8, 4, gid], [0x10, 6], [0x20, 0]);
