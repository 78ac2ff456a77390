/** Requests of which each makes or changes one object of its own, and what must be true of it before and after. */
import { lstatSync, mkdirSync, readlinkSync, type Stats, writeFileSync } from 'node:fs';
import { constants } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../harness/random.js';
import { xattrs } from '../../harness/libc.js';
import { requests, requestTypes } from '../../harness/requests.js';

export interface Change {
  readonly bytes: Buffer;
  readonly type: number;
  /** Names of the export's root that may be there. */
  readonly names: readonly string[];
  /** What is there: untouched, done, or neither of the two, which must never be. */
  readonly look: () => 'untouched' | 'done' | 'half';
}

const owner = { uid: 1234, gid: 4321 };
const MODE = 0o640;

function stat(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Made whole, with its owner and mode from the first moment, or not there. */
function made(path: string, isRight: (found: Stats) => boolean): () => 'untouched' | 'done' | 'half' {
  return () => {
    const found = stat(path);
    if (found === undefined) return 'untouched';
    return found.uid === owner.uid && found.gid === owner.gid && isRight(found) ? 'done' : 'half';
  };
}

const permissions = (found: Stats): number => found.mode & 0o7777;

type Maker = (root: string, name: string) => Omit<Change, 'type'>;

const makers: readonly Maker[] = [
  (root, name) => ({
    bytes: requests.create(`/${name}`, constants.O_CREAT | constants.O_RDWR, MODE, owner),
    names: [name],
    look: made(join(root, name), (found) => found.isFile() && permissions(found) === MODE),
  }),
  (root, name) => ({
    bytes: requests.mkdir(owner, `/${name}`, MODE),
    names: [name],
    look: made(join(root, name), (found) => found.isDirectory() && permissions(found) === MODE),
  }),
  (root, name) => ({
    bytes: requests.mknod(owner, `/${name}`, constants.S_IFIFO | MODE, 0),
    names: [name],
    look: made(join(root, name), (found) => found.isFIFO() && permissions(found) === MODE),
  }),
  (root, name) => ({
    bytes: requests.symlink(owner, 'some/target', `/${name}`),
    names: [name],
    look: made(
      join(root, name),
      (found) => found.isSymbolicLink() && readlinkSync(join(root, name)) === 'some/target',
    ),
  }),
  (root, name) => {
    writeFileSync(join(root, name), 'content');
    return {
      bytes: requests.rename(`/${name}`, `/${name}-renamed`),
      names: [name, `${name}-renamed`],
      look: () => {
        const [old, renamed] = [stat(join(root, name)), stat(join(root, `${name}-renamed`))];
        if (old !== undefined) return renamed === undefined ? 'untouched' : 'half';
        return renamed?.size === 7 ? 'done' : 'half';
      },
    };
  },
  (root, name) => {
    writeFileSync(join(root, name), 'content');
    return {
      bytes: requests.link(`/${name}`, `/${name}-linked`),
      names: [name, `${name}-linked`],
      look: () => {
        const [old, linked] = [stat(join(root, name)), stat(join(root, `${name}-linked`))];
        if (old === undefined || (linked !== undefined && linked.ino !== old.ino)) return 'half';
        return linked === undefined ? 'untouched' : 'done';
      },
    };
  },
  (root, name) => {
    mkdirSync(join(root, name));
    return {
      bytes: requests.remove(`/${name}`),
      names: [name],
      look: () => (stat(join(root, name)) === undefined ? 'done' : 'untouched'),
    };
  },
  (root, name) => {
    writeFileSync(join(root, name), 'content');
    return {
      bytes: requests.truncate(`/${name}`, 100_000),
      names: [name],
      look: () => {
        const size = stat(join(root, name))?.size;
        return size === 7 ? 'untouched' : size === 100_000 ? 'done' : 'half';
      },
    };
  },
  (root, name) => {
    writeFileSync(join(root, name), 'content');
    const value = Buffer.alloc(1_000, 'v');
    return {
      bytes: requests.lsetxattr(`/${name}`, 'user.a', value),
      names: [name],
      look: () => {
        const [found, ...others] = xattrs(Buffer.from(join(root, name)));
        if (found === undefined) return 'untouched';
        return others.length === 0 && found[1].equals(value) ? 'done' : 'half';
      },
    };
  },
  (root, name) => {
    writeFileSync(join(root, name), 'content', { mode: 0o600 });
    return {
      bytes: requests.chown(`/${name}`, owner),
      names: [name],
      look: () => {
        const found = stat(join(root, name));
        if (found?.uid === 0 && found.gid === 0) return 'untouched';
        return found?.uid === owner.uid && found.gid === owner.gid ? 'done' : 'half';
      },
    };
  },
];

/** Changes in an empty export; what they need is there when this returns. */
export function changes(root: string, random: Random, count: number): Change[] {
  return Array.from({ length: count }, (_, index) => {
    const change = random.pick(makers)(root, `object${index}`);
    return { ...change, type: change.bytes.readUInt32LE(0) };
  });
}

export const isCreate = ({ type }: Change): boolean => type === requestTypes.CREATE;
