import * as errno from '../../abi/errno.js';
import type { Attributes } from './attributes.js';
import type { Node } from './node.js';
import type { OpenFile } from './open-file.js';

/** The value of an extended attribute that a fid reads, or is being given. */
export type AttributeTransfer =
  | { readonly kind: 'read'; readonly value: Uint8Array }
  | {
      readonly kind: 'write';
      readonly name: Uint8Array;
      readonly value: Uint8Array;
      readonly flags: number;
      /** How much of the value has come. */
      filled: number;
    };

/** What the client's number of a file stands for. */
export interface Fid {
  readonly node: Node;
  /** Who attached: the owner of what is made. */
  readonly uid: number;
  file: OpenFile | undefined;
  /** Whether the client, or the end of its session, has ended it: nothing more is opened for it. */
  isEnded: boolean;
  /** Where the fid is for an attribute instead of the file. */
  transfer: AttributeTransfer | undefined;
  /** Whether the file is removed with the fid: ORCLOSE of 9P2000. */
  removeOnClunk: boolean;
  /** The attributes that came with the walk to it, for the one Tgetattr that follows at once. */
  walked: WalkedAttributes | undefined;
}

export interface WalkedAttributes {
  readonly attributes: Attributes;
  /** `performance.now()` */
  readonly at: number;
  /** How many changes had been made then. */
  readonly changes: number;
}

/** The fids of one client. */
export class FidTable {
  readonly #fids = new Map<number, Fid>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#fids.size;
  }

  get(number: number): Fid | undefined {
    return this.#fids.get(number);
  }

  /** @returns 0, or -errno when there cannot be such a fid: EBADF for a number that is taken, ENFILE above the limit */
  check(number: number): number {
    if (this.#fids.has(number)) return -errno.EBADF;
    return this.#fids.size >= this.#limit ? -errno.ENFILE : 0;
  }

  /** Makes a fid. The number has been checked. */
  add(number: number, node: Node, uid: number): Fid {
    const fid: Fid = {
      node: node.retain(),
      uid,
      file: undefined,
      isEnded: false,
      transfer: undefined,
      removeOnClunk: false,
      walked: undefined,
    };
    this.#fids.set(number, fid);
    return fid;
  }

  /** Lets a fid that there is refer to another file. What it has open is closed. */
  move(number: number, node: Node): Fid {
    const uid = this.#fids.get(number)?.uid ?? 0;
    // the old one may be all that keeps the new one's way up
    node.retain();
    this.remove(number);
    const fid = this.add(number, node, uid);
    node.release();
    return fid;
  }

  /** Ends a fid and what it has open. */
  remove(number: number): void {
    const fid = this.#fids.get(number);
    if (fid === undefined) return;
    this.#fids.delete(number);
    fid.isEnded = true;
    fid.file?.done();
    fid.node.release();
  }

  clear(): void {
    for (const number of [...this.#fids.keys()]) this.remove(number);
  }
}
