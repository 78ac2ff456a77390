import { type Owner, requests } from '../../harness/requests.js';
import { memory } from '../libc.js';
import type { Step } from './blocking-client.js';

/** Requests that leave the export as they found it, so that they can be repeated. */
export interface Cycle {
  readonly name: string;
  readonly steps: readonly Step[];
}

const root: Owner = { uid: 0, gid: 0 };
const user: Owner = { uid: 1000, gid: 1000 };
const O_RDONLY = 0;
const O_RDWR = 2;
const O_CREAT_EXCL = 0o300;
const O_DIRECTORY = 0o200000;
const S_IFIFO = 0o010000;
const OPEN = 2;
const CREATE = 3;
const UTIME_NOW = 0x3fffffffn;

function step(name: string, frame: Buffer, fails = false): Step {
  const bytes = memory(frame.length);
  bytes.set(frame);
  const type = frame.readUInt32LE(0);
  return { name, frame: bytes, bytes: frame.length, isDescriptor: type === OPEN || type === CREATE, fails };
}

/** A path as QEMU sends it: its length counts a NUL at the end. */
const path = (name: string): string => `${name}\0`;

const file = path('/work/file');
const fresh = path('/work/fresh');
const other = path('/work/other');
const directory = path('/work');
const link = path('/work/link');
const attribute = 'user.bench';
const value = Buffer.alloc(32, 'v');

const removeFile = step('remove (file)', requests.remove(fresh));
const removeDirectory = step('remove (directory)', requests.remove(fresh));

/** What `Export` of `contestants.ts` lays out is what these work on. All 20 requests are here. */
export const cycles: readonly Cycle[] = [
  { name: 'lstat', steps: [step('lstat', requests.lstat(file))] },
  { name: 'lstat, no such file', steps: [step('lstat, no such file', requests.lstat(fresh), true)] },
  { name: 'getversion', steps: [step('getversion', requests.getversion(file))] },
  { name: 'statfs', steps: [step('statfs', requests.statfs(directory))] },
  { name: 'readlink', steps: [step('readlink', requests.readlink(link, 4096))] },
  { name: 'open', steps: [step('open', requests.open(file, O_RDONLY))] },
  {
    name: 'open (directory)',
    steps: [step('open (directory)', requests.open(directory, O_DIRECTORY))],
  },
  {
    name: 'xattrs',
    steps: [
      step('lsetxattr', requests.lsetxattr(file, attribute, value)),
      step('lgetxattr', requests.lgetxattr(64, file, attribute)),
      step('llistxattr', requests.llistxattr(256, file)),
      step('lremovexattr', requests.lremovexattr(file, attribute)),
    ],
  },
  { name: 'chmod', steps: [step('chmod', requests.chmod(file, 0o640))] },
  { name: 'chown', steps: [step('chown', requests.chown(file, user))] },
  { name: 'truncate', steps: [step('truncate', requests.truncate(file, 4096))] },
  { name: 'utime', steps: [step('utime', requests.utime(file, [0n, UTIME_NOW], [0n, UTIME_NOW]))] },
  {
    name: 'rename',
    steps: [step('rename', requests.rename(file, other)), step('rename', requests.rename(other, file))],
  },
  {
    name: 'create',
    steps: [
      step('create', requests.create(fresh, O_RDWR | O_CREAT_EXCL, 0o644, root)),
      removeFile,
      step('create as a user', requests.create(fresh, O_RDWR | O_CREAT_EXCL, 0o644, user)),
      removeFile,
    ],
  },
  {
    name: 'mkdir',
    steps: [
      step('mkdir', requests.mkdir(root, fresh, 0o755)),
      removeDirectory,
      step('mkdir as a user', requests.mkdir(user, fresh, 0o755)),
      removeDirectory,
    ],
  },
  { name: 'mknod', steps: [step('mknod', requests.mknod(root, fresh, S_IFIFO | 0o644, 0)), removeFile] },
  { name: 'symlink', steps: [step('symlink', requests.symlink(root, 'file', fresh)), removeFile] },
  { name: 'link', steps: [step('link', requests.link(file, fresh)), removeFile] },
];

/** A file's life as a guest asks for it: QEMU makes most of a guest's calls into several requests. */
export const mix: Cycle = {
  name: 'mix',
  steps: [
    requests.lstat(directory),
    requests.getversion(directory),
    { frame: requests.lstat(fresh), fails: true },
    requests.create(fresh, O_RDWR | O_CREAT_EXCL, 0o644, user),
    requests.lstat(fresh),
    requests.getversion(fresh),
    { frame: requests.lgetxattr(0, fresh, 'security.capability'), fails: true },
    requests.chmod(fresh, 0o600),
    requests.utime(fresh, [0n, UTIME_NOW], [0n, UTIME_NOW]),
    requests.lstat(fresh),
    requests.getversion(fresh),
    requests.open(fresh, O_RDONLY),
    requests.open(directory, O_DIRECTORY),
    requests.lstat(link),
    requests.readlink(link, 4096),
    requests.rename(fresh, other),
    requests.lstat(other),
    requests.getversion(other),
    requests.statfs(directory),
    requests.remove(other),
  ].map((request) => ('frame' in request ? step('mix', request.frame, request.fails) : step('mix', request))),
};

/** Only looks, so that any number of clients can do it in the same directory. */
export const lookingMix: Cycle = {
  name: 'looking',
  steps: [
    requests.lstat(directory),
    requests.getversion(directory),
    requests.lstat(file),
    requests.getversion(file),
    requests.open(file, O_RDONLY),
    requests.lstat(link),
    requests.readlink(link, 4096),
    requests.statfs(directory),
  ].map((request) => step('looking', request)),
};

/** One request for the object at any path. */
export function lstatOf(name: string): Step {
  return step('lstat', requests.lstat(path(name)));
}

/** A file made and removed in any directory. */
export function createAndRemove(name: string): readonly [Step, Step] {
  return [
    step('create', requests.create(path(name), O_RDWR | O_CREAT_EXCL, 0o644, root)),
    step('remove', requests.remove(path(name))),
  ];
}

/** Requests whose reply does not depend on a change; the others change the export. */
export const lookingSteps: ReadonlySet<string> = new Set([
  'lstat',
  'lstat, no such file',
  'getversion',
  'statfs',
  'readlink',
  'open',
  'open (directory)',
  'lgetxattr',
  'llistxattr',
]);
