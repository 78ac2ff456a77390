/** Requests about what is there: attributes, data, listings, locks. */
import { decodeEntries } from '../../../harness/ninep-codec.js';
import type { DirectoryEntry, RequestName, SentFields, Time } from '../../../harness/ninep-messages.js';
import { errnoName } from '../../../harness/libc.js';
import { DIRECTORY_MODES, MODES } from './object-steps.js';
import type { Side } from './side.js';
import { type HeldFid, type Source, type StepMaker, UNKNOWN_FID } from './source.js';

const valid = { MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 0x10, MTIME: 0x20, CTIME: 0x40, SET: 0x80 } as const;
const IDS = [0, 1000, 65_534, 4_000_000_000];
const SET_ID = 0o6000;
const NO_ID = 0xffff_ffff;

const isFile = ({ node }: HeldFid): boolean => node.inode.kind === 'file';
const opened = (source: Source): readonly [number, HeldFid] | undefined =>
  source.pick(({ access }) => access !== undefined);
const any = (source: Source): readonly [number, HeldFid] | undefined => source.pick(() => true);

export const getattr: StepMaker = (source) => {
  const found = any(source);
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  const mask = source.random.pick([0x7ff, 0x7ff, 0x3fff]);
  return {
    name: 'Tgetattr',
    about: node.inode.kind,
    fids: [],
    run: (side) =>
      side.answer('Tgetattr', { fid, mask }, (fields) => side.attributes(fields, source.tree.pathOf(node))),
  };
};

/** A request about a fid that neither server has. */
export const unknownFid: StepMaker = ({ random }) => {
  const fid = 1_000 + random.below(1_000);
  const [name, fields] = random.pick<readonly [RequestName, object]>([
    ['Tgetattr', { fid, mask: 0x7ff }],
    ['Tread', { fid, offset: 0, count: 10 }],
    ['Twalk', { fid, newfid: fid, names: [] }],
    ['Tlopen', { fid, flags: 0 }],
    ['Treaddir', { fid, offset: 0, count: 1_000 }],
    ['Tclunk', { fid }],
    ['Tstatfs', { fid }],
    ['Treadlink', { fid }],
  ]);
  return {
    name,
    about: UNKNOWN_FID,
    fids: [],
    run: (side) => side.answer(name, fields as SentFields<typeof name>),
  };
};

const nothing: Time = { seconds: 0n, nanoseconds: 0n };

export const setattr: StepMaker = (source) => {
  const { random } = source;
  // of a symbolic link the owner alone
  const found = any(source);
  if (found === undefined) return undefined;
  const [fid, { node, access }] = found;
  const isLink = node.inode.kind === 'symlink';
  // far away from the run: what is near counts as now
  const time = (): Time => ({
    seconds: random.pick([0n, 1n, 1_000_000_000n, 2n ** 31n, 2n ** 33n]),
    nanoseconds: random.pick([0n, 1n, 999_999_999n]),
  });
  const change = random.below(isLink ? 1 : 5);
  const ids = { uid: random.pick([...IDS, NO_ID]), gid: random.pick([...IDS, NO_ID]) };
  const base = { fid, valid: 0, mode: 0, uid: NO_ID, gid: NO_ID, size: 0, atime: nothing, mtime: nothing };
  const changes = [
    () => ({
      ...ids,
      valid: (ids.uid === NO_ID ? 0 : valid.UID) | (ids.gid === NO_ID ? 0 : valid.GID) | valid.CTIME,
    }),
    () => ({
      mode: random.pick(node.inode.kind === 'directory' ? DIRECTORY_MODES : MODES),
      valid: valid.MODE | valid.CTIME,
    }),
    () => ({
      size: random.pick([0, 1, 5, 4_096, 100_000, 2 ** 32 + 1, 2 ** 40]),
      valid: valid.SIZE | valid.MTIME | valid.CTIME,
    }),
    () => ({ valid: valid.ATIME | valid.MTIME }),
    () => ({
      atime: time(),
      mtime: time(),
      valid: valid.ATIME | valid.MTIME | valid.SET | (valid.SET << 1),
    }),
  ];
  const fields = { ...base, ...changes[change]!() };
  return {
    name: 'Tsetattr',
    about: `${['owner', 'mode', 'size', 'now', 'times'][change]!} of ${access === undefined ? '' : 'an open '}${node.inode.kind}`,
    fids: [fid],
    run: (side) => side.answer('Tsetattr', fields),
  };
};

export const readlink: StepMaker = (source) => {
  const found = source.pick(({ node }) => node.inode.kind === 'symlink') ?? any(source);
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  return {
    name: 'Treadlink',
    about: node.inode.kind,
    fids: [],
    run: (side) => side.answer('Treadlink', { fid }, ({ target }) => target),
  };
};

export const statfs: StepMaker = (source) => {
  const found = any(source);
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  return {
    name: 'Tstatfs',
    about: node.inode.kind,
    fids: [],
    run: (side) =>
      // not the type: diod says that all file systems are 9P
      side.answer('Tstatfs', { fid }, ({ bsize, blocks, files, namelen }) =>
        [bsize, blocks, files, namelen].join(' '),
      ),
  };
};

const OFFSETS = [0n, 0n, 1n, 5n, 4_096n, 100_000n, 2n ** 32n + 1n, 2n ** 62n];
const COUNTS = [0, 1, 10, 100, 4_096, 60_000];

export const read: StepMaker = (source) => {
  const found = source.pick(({ access }) => access === 'read' || access === 'both') ?? opened(source);
  if (found === undefined) return undefined;
  const [fid, { access = 'nothing' }] = found;
  const [offset, count] = [source.random.pick(OFFSETS), source.random.pick(COUNTS)];
  return {
    name: 'Tread',
    about: `a fid open for ${access}`,
    fids: [],
    run: (side) => side.answer('Tread', { fid, offset, count }, ({ data }) => data.toString('hex')),
  };
};

export const write: StepMaker = (source) => {
  const { random } = source;
  const found = source.pick(({ access }) => access === 'write' || access === 'both') ?? opened(source);
  if (found === undefined) return undefined;
  const [fid, { node, access = 'nothing' }] = found;
  // a write by ours takes the bits away: the server has no capability to keep them (acceptance/data.ts)
  if ((source.modeOf(node) & SET_ID) !== 0) return undefined;
  const offset = random.pick(OFFSETS);
  const data = random.bytes(random.pick([0, 1, 10, 100, random.chance(0.1) ? 60_000 : 1_000]));
  return {
    name: 'Twrite',
    about: `a fid open for ${access}${data.length === 0 ? ', of nothing' : ''}`,
    fids: [],
    run: (side) => side.answer('Twrite', { fid, offset, data }, ({ count }) => String(count)),
  };
};

export const fsync: StepMaker = (source) => {
  const found = opened(source);
  if (found === undefined) return undefined;
  const [fid, { access }] = found;
  const datasync = source.random.below(2);
  return {
    name: 'Tfsync',
    about: access === 'directory' ? 'a directory' : 'a file',
    fids: [],
    run: (side) => side.answer('Tfsync', { fid, datasync }),
  };
};

/** Everything in a directory, sorted: the order is the file system's. */
function listing(side: Side, fid: number, count: number, path: string): string {
  const all: DirectoryEntry[] = [];
  for (let offset = 0n; ;) {
    const { errno, fields } = side.ask('Treaddir', { fid, offset, count });
    if (errno !== 0) return errnoName(errno);
    const entries = decodeEntries(fields.data);
    const last = entries.at(-1);
    if (last === undefined) break;
    all.push(...entries);
    offset = last.offset;
  }
  return all
    .map(({ name, type, qid }) => {
      const dots = name === '.' || name === '..';
      return JSON.stringify([name, type, dots ? qid.type : side.qid(qid, `${path}/${name}`)]);
    })
    .sort()
    .join('\n');
}

export const readdir: StepMaker = (source) => {
  const found = source.pick(({ access }) => access === 'directory');
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  const count = source.random.pick([400, 1_000, 60_000]);
  return {
    name: 'Treaddir',
    about: 'a directory',
    fids: [],
    run: (side) => listing(side, fid, count, source.tree.pathOf(node)),
  };
};

const LOCK = { read: 0, write: 1, unlock: 2 } as const;

/** Of whole files that are open for both: diod's are those of flock(2), for which that is all. */
export const lock: StepMaker = (source) => {
  const found = source.pick((held) => isFile(held) && held.access === 'both');
  if (found === undefined) return undefined;
  const [fid] = found;
  const type = source.random.pick([LOCK.read, LOCK.write, LOCK.unlock]);
  const range = { start: 0, length: 0, proc_id: fid, client_id: 'guest' };
  return {
    name: 'Tlock',
    about: 'a whole file',
    fids: [],
    run: (side) => side.answer('Tlock', { fid, type, flags: 0, ...range }, ({ status }) => String(status)),
  };
};
