/** Changes of the mapped models that take several system calls, and what a guest sees before and after them. */
import { chmodSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Guest, root, user } from './guest.js';

export interface Change {
  readonly title: string;
  /** Makes what is there before. Files of the guest have their own name as content. */
  readonly prepare: (guest: Guest) => void;
  readonly act: (guest: Guest) => string;
}

/** All names that a change may have something at. */
export const names = ['/a', '/b', '/d', '/d/a', '/e'];

function file(guest: Guest, path: string, mode: number, uid: number): void {
  const results = [
    guest.create(path, 0o600, root),
    guest.write(path, path),
    guest.chown(path, uid, uid),
    guest.chmod(path, mode),
  ];
  if (results.some((result) => result !== 'ok')) throw new Error(`cannot make ${path}: ${results.join(' ')}`);
}

function hostFile(guest: Guest, path: string, mode: number): void {
  writeFileSync(guest.host(path), path);
  chmodSync(guest.host(path), mode);
}

const twoFiles = (guest: Guest): void => {
  file(guest, '/a', 0o644, 1000);
  file(guest, '/b', 0o4755, 0);
};

export const changes: readonly Change[] = [
  { title: 'create', prepare: () => undefined, act: (guest) => guest.create('/a', 0o4755, user) },
  { title: 'mkdir', prepare: () => undefined, act: (guest) => guest.mkdir('/a', 0o2755, user) },
  { title: 'symlink', prepare: () => undefined, act: (guest) => guest.symlink('target', '/a', user) },
  { title: 'mknod', prepare: () => undefined, act: (guest) => guest.mknod('/a', 0o020640, 0x103, user) },
  {
    title: 'chown of a set-uid file',
    prepare: (guest) => {
      file(guest, '/a', 0o6755, 1000);
    },
    act: (guest) => guest.chown('/a', 0, 0),
  },
  {
    title: 'chown of a file of the host',
    prepare: (guest) => {
      hostFile(guest, '/a', 0o4755);
    },
    act: (guest) => guest.chown('/a', 1000, 1001),
  },
  {
    title: 'chmod',
    prepare: (guest) => {
      file(guest, '/a', 0o644, 1000);
    },
    act: (guest) => guest.chmod('/a', 0o4711),
  },
  {
    title: 'rename to a new name',
    prepare: (guest) => {
      guest.symlink('target', '/a', user);
      guest.mkdir('/d');
    },
    act: (guest) => guest.rename('/a', '/d/a'),
  },
  { title: 'rename over another file', prepare: twoFiles, act: (guest) => guest.rename('/a', '/b') },
  {
    title: 'rename of a set-uid file over one that others may read',
    prepare: twoFiles,
    act: (guest) => guest.rename('/b', '/a'),
  },
  {
    title: 'rename of a file of the host over one of the guest',
    prepare: (guest) => {
      hostFile(guest, '/a', 0o644);
      file(guest, '/b', 0o4755, 0);
    },
    act: (guest) => guest.rename('/a', '/b'),
  },
  {
    title: 'rename of a file of the guest over one of the host',
    prepare: (guest) => {
      file(guest, '/a', 0o4700, 0);
      hostFile(guest, '/b', 0o644);
    },
    act: (guest) => guest.rename('/a', '/b'),
  },
  {
    title: 'rename of a directory over an empty one',
    prepare: (guest) => {
      guest.mkdir('/d', 0o711, user);
      file(guest, '/d/a', 0o600, 1000);
      guest.mkdir('/e', 0o777, user);
    },
    act: (guest) => guest.rename('/d', '/e'),
  },
  {
    title: 'link',
    prepare: (guest) => {
      file(guest, '/a', 0o4711, 1000);
      guest.mkdir('/d');
    },
    act: (guest) => guest.link('/a', '/d/a'),
  },
  {
    title: 'remove of one of two names',
    prepare: (guest) => {
      file(guest, '/a', 0o4711, 1000);
      guest.link('/a', '/b');
    },
    act: (guest) => guest.remove('/a'),
  },
  {
    title: 'remove of a directory',
    prepare: (guest) => {
      guest.mkdir('/d', 0o700, user);
      file(guest, '/d/a', 0o600, 1000);
      guest.remove('/d/a');
    },
    act: (guest) => guest.remove('/d'),
  },
  {
    title: 'create of a name of which a record is left',
    prepare: (guest) => {
      mkdirSync(guest.host('.virtfs_metadata'));
      writeFileSync(guest.host('.virtfs_metadata/a'), 'virtfs.uid=0\nvirtfs.gid=0\nvirtfs.mode=35309\n');
    },
    act: (guest) => guest.create('/a', 0o600, user),
  },
  {
    title: 'chown of a file of the host with two names',
    prepare: (guest) => {
      hostFile(guest, '/a', 0o755);
      linkSync(guest.host('/a'), guest.host('/b'));
    },
    act: (guest) => guest.chown('/a', 1000, 1000),
  },
  {
    title: 'chmod of a file of the host through the second of two names',
    prepare: (guest) => {
      hostFile(guest, '/a', 0o755);
      linkSync(guest.host('/a'), guest.host('/b'));
      guest.chown('/a', 1000, 1000);
    },
    act: (guest) => guest.chmod('/b', 0o4700),
  },
  {
    title: 'chmod of a file of the guest to which the host gave a second name',
    prepare: (guest) => {
      file(guest, '/a', 0o4700, 1000);
      linkSync(guest.host('/a'), guest.host('/b'));
    },
    act: (guest) => guest.chmod('/a', 0o4711),
  },
];

/** What a guest sees at each name. */
export type View = Readonly<Record<string, string>>;

export function view(guest: Guest): View {
  const seen = names.map((name) => {
    const look = guest.look(name);
    if (!look.includes(' ')) return [name, look];
    const target = look.startsWith('120') ? ` -> ${guest.readlink(name)}` : '';
    return [name, `${look}${target} ${content(guest, name)}`];
  });
  return Object.fromEntries(seen) as View;
}

function content(guest: Guest, name: string): string {
  try {
    return readFileSync(guest.host(name), 'latin1');
  } catch {
    return 'directory';
  }
}

const PERMISSIONS = 0o7777;
const SET_ID = 0o6000;
const OF_OTHERS = 0o077;

/**
 * What is wrong with a view of a moment in between: an object, known by its content, that anybody but its owner has more
 * rights to than in the views before and after, or that is set-id for somebody else.
 */
export function excess(between: View, ...allowed: readonly View[]): string[] {
  const looks = allowed.flatMap((each) => Object.values(each)).map(parse);
  return Object.entries(between).flatMap(([name, text]) => {
    const seen = parse(text);
    if (seen === undefined) return [];
    const same = looks.filter((look) => look?.content === seen.content);
    const others = same.reduce((bits, look) => bits | (look?.mode ?? 0), 0) & OF_OTHERS;
    const isMore = (seen.mode & OF_OTHERS & ~others) !== 0;
    const isOtherSetId =
      (seen.mode & SET_ID) !== 0 &&
      !same.some((look) => look?.owner === seen.owner && (seen.mode & SET_ID & ~(look.mode & SET_ID)) === 0);
    return isMore || isOtherSetId ? [`${name}: ${text}`] : [];
  });
}

function parse(text: string): { mode: number; owner: string; content: string } | undefined {
  const [mode = '', owner, ...rest] = text.split(' ');
  if (owner === undefined) return undefined;
  return { mode: Number.parseInt(mode, 8) & PERMISSIONS, owner, content: rest.at(-1) ?? '' };
}
