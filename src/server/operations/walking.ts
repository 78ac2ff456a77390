import * as errno from '../../abi/errno.js';
import { isDirectory } from '../../abi/file-modes.js';
import { type Attributes, qidOf } from '../fids/attributes.js';
import type { Fid } from '../fids/fid-table.js';
import { Node, ROOT_PATH } from '../fids/node.js';
import { isDot, isDotDot } from '../p9/names.js';
import { NOFID, NONUNAME } from '../p9/numbers.js';
import type { Qid } from '../p9/fields.js';
import type { RequestOf } from '../p9/messages.js';
import { type Context, fidOf, type Handler, isFailure, type Outcome, ownPathOf, reply } from './context.js';
import { finishTransfer } from './extended-attributes.js';
import { isGone, isMade } from './uncertain.js';

/** Who attaches without a number: plain 9P2000 has none. */
const NOBODY = 65_534;
const ROOT_NAME = 'root';
const SLASH = 0x2f;

/** diod's clients take no other error for "there is none"; all others take any. */
export const auth: Handler<'Tauth'> = () => -errno.ENOENT;

export const attach: Handler<'Tattach'> = async ({ fid, afid, uname, aname, nUname }, context) => {
  if (afid !== NOFID) return -errno.EOPNOTSUPP;
  const taken = context.fids.check(fid);
  if (taken < 0) return taken;
  const attributes = await context.helper.request('lstat', { path: ROOT_PATH });
  if (typeof attributes === 'number') return attributes;
  // an export that was replaced is another one, of which nothing is known
  if (context.root?.isSame(attributes) !== true)
    context.root = Node.root(attributes, attributes.mode).retain();
  const names = namesIn(aname);
  if (typeof names === 'number') return names;
  const found = await walkFrom(context.root, names, context);
  if (typeof found === 'number') return found;
  if (found.node === undefined) return -errno.ENOENT;
  const uid = nUname === NONUNAME ? uidOf(uname) : nUname;
  context.fids.add(fid, found.node, uid);
  return reply('Rattach', { qid: found.qids.at(-1) ?? qidOf(attributes, context.settings.versions) });
};

function uidOf(uname: Uint8Array): number {
  const text = Buffer.from(uname).toString('latin1');
  if (text === ROOT_NAME) return 0;
  return /^\d{1,9}$/.test(text) ? Number(text) : NOBODY;
}

/** The names of a path that a client attaches to. @returns -errno for one that leads upwards */
function namesIn(path: Uint8Array): readonly Uint8Array[] | number {
  const names: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== SLASH) continue;
    const name = path.subarray(start, at);
    start = at + 1;
    if (name.length === 0 || isDot(name)) continue;
    if (isDotDot(name)) return -errno.EINVAL;
    names.push(name);
  }
  return names;
}

interface Found {
  /** One for each name that leads somewhere. */
  readonly qids: readonly Qid[];
  /** Where all names lead; `undefined` if they do not. */
  readonly node: Node | undefined;
  readonly attributes: Attributes | undefined;
}

interface Step {
  readonly name: Uint8Array;
  readonly attributes: Attributes;
}

/**
 * Follows names, each of which has to be in a directory; a symbolic link is not followed. All of them are asked for in one
 * trip.
 *
 * @returns -errno when the first one leads nowhere
 */
async function walkFrom(
  start: Node,
  names: readonly Uint8Array[],
  context: Context,
): Promise<Found | number> {
  if (names.length === 0) return { qids: [], node: start, attributes: undefined };
  if (!isDirectory(start.mode)) return -errno.ENOTDIR;
  // `..` is taken by its text alone: where it leads in the guest's tree, whatever the host moved
  let base = start;
  let below: readonly Uint8Array[] = [];
  const answers = names.map((name) => {
    if (isDotDot(name)) {
      if (below.length > 0) below = below.slice(0, -1);
      else base = base.parent;
    } else if (!isDot(name)) below = [...below, name];
    const path = pathOf(base, below);
    return typeof path === 'number' ? path : context.helper.request('lstat', { path });
  });
  const steps: Step[] = [];
  const qids: Qid[] = [];
  for (const [index, name] of names.entries()) {
    const isLast = index === names.length - 1;
    const answer = (await answers[index]) ?? -errno.EIO;
    if (typeof answer === 'number')
      return index === 0 ? answer : { qids, node: undefined, attributes: undefined };
    qids.push(qidOf(answer, context.settings.versions));
    if (isDotDot(name)) steps.pop();
    else if (!isDot(name)) steps.push({ name, attributes: answer });
    if (!isLast && !isDirectory(answer.mode)) return { qids, node: undefined, attributes: undefined };
    if (isLast) return { qids, node: nodeOf(base, steps), attributes: answer };
  }
  return -errno.EIO;
}

function pathOf(base: Node, below: readonly Uint8Array[]): Uint8Array | number {
  const [first, ...rest] = below;
  if (first === undefined) return base.path();
  const path = base.pathOf(first);
  if (typeof path === 'number' || rest.length === 0) return path;
  const parts: Uint8Array[] = [path];
  for (const name of rest) parts.push(Uint8Array.of(SLASH), name);
  return new Uint8Array(Buffer.concat(parts));
}

function nodeOf(base: Node, steps: readonly Step[]): Node {
  return steps.reduce((node, { name, attributes }) => node.child(name, attributes, attributes.mode), base);
}

export const walk: Handler<'Twalk'> = (request, context) => {
  const { fid: number, newfid, names } = request;
  const fid = fidOf(context, number);
  if (typeof fid === 'number') return fid;
  if (newfid !== number) {
    const taken = context.fids.check(newfid);
    if (taken < 0) return taken;
  }
  const { node } = fid;
  if (names.length === 0) return arrive(request, fid, { qids: [], node, attributes: undefined }, context);
  return walkFrom(node, names, context).then((found) => arrive(request, fid, found, context));
};

/** Lets the new fid be where the names led. */
function arrive(
  { fid: number, newfid, names }: RequestOf<'Twalk'>,
  { uid }: Fid,
  found: Found | number,
  { fids, changes }: Context,
): Outcome {
  if (typeof found === 'number') return found;
  const { node, qids, attributes } = found;
  if (node !== undefined && (newfid !== number || names.length > 0)) {
    const made = newfid === number ? fids.move(number, node) : fids.add(newfid, node, uid);
    if (attributes !== undefined) made.walked = { attributes, at: performance.now(), changes };
  }
  return reply('Rwalk', { qids });
}

/** Ends a fid, also when what is to happen then fails. */
export const clunk: Handler<'Tclunk'> = ({ fid: number }, context) => {
  const fid = context.fids.get(number);
  if (fid === undefined) return -errno.EBADF;
  if (fid.transfer === undefined && !fid.removeOnClunk) {
    context.fids.remove(number);
    return reply('Rclunk', {});
  }
  const last = fid.transfer === undefined ? removeFile(fid, context) : finishTransfer(fid, context);
  return Promise.resolve(last).then((failed) => {
    context.fids.remove(number);
    return isFailure(failed) ? failed : reply('Rclunk', {});
  });
};

/** Removes a file or an empty directory, and ends the fid whether that succeeds or not. */
export const remove: Handler<'Tremove'> = async ({ fid: number }, context) => {
  const fid = context.fids.get(number);
  if (fid === undefined) return -errno.EBADF;
  const failed = fid.transfer === undefined ? await removeFile(fid, context) : -errno.EBADF;
  context.fids.remove(number);
  return failed < 0 ? failed : reply('Rremove', {});
};

/** @returns 0, or -errno */
async function removeFile(fid: Fid, context: Context): Promise<number> {
  const { node } = fid;
  if (node.isRoot) return -errno.EBUSY;
  const path = await ownPathOf(fid, context);
  if (typeof path === 'number') return path;
  const lost = await context.files.keep(node);
  if (lost < 0) return lost;
  context.changes++;
  const failed = await context.helper.request('remove', { path });
  if (await isMade(failed, () => isGone(path, context.helper))) node.parent.forget(node.name);
  return failed;
}
