/** What the makers of requests draw from, and what they believe of both servers. */
import type { Random } from '../../../harness/random.js';
import type { Kind, Node, TreeModel } from '../../differential/tree-model.js';
import type { Side } from './side.js';

/** Of what an open fid is capable. */
export type Access = 'read' | 'write' | 'both' | 'directory';

export interface HeldFid {
  readonly node: Node;
  readonly access?: Access;
}

/** One request, or the few that make one in Linux' client. */
export interface Step {
  readonly name: string;
  /** What it is tried on: what a difference is known by. */
  readonly about: string;
  readonly run: (side: Side) => string;
  /** The fids whose state is unknown when both do not agree. */
  readonly fids: readonly number[];
  /** What to remember when the answer is no error. */
  readonly succeeded?: () => void;
  /** What to remember of an error. */
  readonly failed?: () => void;
}

/** @returns nothing where it finds nothing to be tried on */
export type StepMaker = (source: Source) => Step | undefined;

/** What a request is tried on that has to fail. */
export const UNKNOWN_FID = 'an unknown fid';

const FIDS = 24;
/** The first that the makers may use; below are those of the run. */
const FIRST = 2;

export class Source {
  readonly random: Random;
  readonly tree: TreeModel;
  readonly held = new Map<number, HeldFid>();
  readonly #sides: readonly [Side, Side];

  constructor(random: Random, tree: TreeModel, sides: readonly [Side, Side]) {
    this.random = random;
    this.tree = tree;
    this.#sides = sides;
  }

  /** On the host, where it is the same on both sides. */
  modeOf(node: Node): number {
    return this.#sides[0].modeOf(this.tree.pathOf(node));
  }

  /** A number that is not in use. */
  freeFid(): number {
    for (;;) {
      const fid = FIRST + this.random.below(FIDS);
      if (!this.held.has(fid)) return fid;
    }
  }

  /** Ends some, so that there are free ones. */
  makeRoom(): void {
    while (this.held.size > FIDS * 0.8) this.drop(this.random.pick([...this.held.keys()]));
  }

  pick(wanted: (held: HeldFid) => boolean): readonly [number, HeldFid] | undefined {
    const fitting = [...this.held].filter(([, held]) => wanted(held));
    return fitting.length === 0 ? undefined : this.random.pick(fitting);
  }

  /** A fid that is not open, of one of these kinds. */
  unopened(...kinds: readonly Kind[]): readonly [number, HeldFid] | undefined {
    return this.pick(({ node, access }) => access === undefined && kinds.includes(node.inode.kind));
  }

  drop(fid: number): void {
    for (const side of this.#sides) side.ask('Tclunk', { fid });
    this.held.delete(fid);
  }

  /** A fid of diod's is a path: those of a name that goes are ended. */
  dropAt(node: Node | undefined, except?: number): void {
    if (node === undefined) return;
    for (const [fid, held] of this.held)
      if (fid !== except && this.tree.isInside(held.node, node)) this.drop(fid);
  }

  dropAll(): void {
    for (const fid of [...this.held.keys()]) this.drop(fid);
  }
}

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'x y', '\xff\xfe', '.hidden', 'caf\xc3\xa9', 'new\nline', '...'];

/** A name that may be there or not. */
export function someName({ random }: Source): string {
  if (random.chance(0.8)) return random.pick(names);
  return random.chance(0.8) ? `n${random.below(40)}` : 'n'.repeat(random.pick([200, 255]));
}

/** Names on which a request fails. What diod takes for a path is not among them. */
export const badName = ({ random }: Source): string =>
  random.pick(['missing', 'n'.repeat(256), 'n'.repeat(5_000)]);
