/** Extended attributes, as Linux' client handles them: a few requests each. */
import { errnoName } from '../../../harness/libc.js';
import type { Side } from './side.js';
import type { HeldFid, Source, StepMaker } from './source.js';

const NAMES = ['user.a', 'user.b', 'user.\xff', `user.${'n'.repeat(250)}`];
const BAD_NAMES = [`user.${'n'.repeat(251)}`, 'user.', 'nothing', 'n'.repeat(5_000)];
const CREATE = 1;
const REPLACE = 2;

/** Of files and directories: of others Linux has no user.*. */
const target = (source: Source): readonly [number, HeldFid] | undefined =>
  source.pick(({ node }) => node.inode.kind === 'file' || node.inode.kind === 'directory');

const someName = ({ random }: Source): string => random.pick(random.chance(0.05) ? BAD_NAMES : NAMES);

/** Reads through a fid that Txattrwalk made, and ends it. */
function value(side: Side, fid: number, size: bigint): string {
  const read = side.ask('Tread', { fid, offset: 0, count: Number(size) });
  side.ask('Tclunk', { fid });
  return read.errno === 0 ? read.fields.data.toString('latin1') : errnoName(read.errno);
}

export const getxattr: StepMaker = (source) => {
  const found = target(source);
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  const newfid = source.freeFid();
  const name = source.random.chance(0.4) ? '' : someName(source);
  return {
    name: 'Txattrwalk',
    about:
      name === '' ? `all of a ${node.inode.kind}` : NAMES.includes(name) ? node.inode.kind : 'a bad name',
    fids: [],
    run: (side) =>
      side.answer('Txattrwalk', { fid, newfid, name }, ({ size }) => {
        const text = value(side, newfid, size);
        return name === '' ? text.split('\0').sort().join(' ') : JSON.stringify(text);
      }),
  };
};

export const setxattr: StepMaker = (source) => {
  const { random } = source;
  const found = target(source);
  if (found === undefined) return undefined;
  const [fid, { node }] = found;
  const newfid = source.freeFid();
  const name = someName(source);
  // a size of 0 and REPLACE removes
  const removes = random.chance(0.3);
  const flags = removes ? REPLACE : random.pick([0, 0, CREATE, REPLACE]);
  const data = removes ? Buffer.alloc(0) : random.bytes(1 + random.below(random.chance(0.1) ? 3_000 : 50));
  return {
    name: removes ? 'Txattrcreate of nothing' : 'Txattrcreate',
    about: NAMES.includes(name) ? node.inode.kind : 'a bad name',
    fids: [],
    run: (side) => {
      side.ask('Twalk', { fid, newfid, names: [] });
      const made = side.answer('Txattrcreate', { fid: newfid, name, size: data.length, flags });
      const written =
        made === 'ok' && !removes ? side.answer('Twrite', { fid: newfid, offset: 0, data }) : made;
      const set = side.answer('Tclunk', { fid: newfid });
      return made === 'ok' ? `${written} ${set}` : made;
    },
  };
};
