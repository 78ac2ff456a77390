import { NO_ID } from '../../syscalls/privileged/credentials.js';

/** `count` ids of the guest, from `guest` on, are as many of the host, from `host` on. */
export interface IdRange {
  readonly guest: number;
  readonly host: number;
  readonly count: number;
}

/** What the command line says of user ids, or of group ids. */
export interface IdMapping {
  /** Neither their guest ids nor their host ids overlap. */
  readonly ranges: readonly IdRange[];
  /** The host's id for every id of the guest that no range holds. */
  readonly squash: number | undefined;
  /** Ids of the guest that are none, whatever the ranges say. */
  readonly forbidden: readonly Pick<IdRange, 'guest' | 'count'>[];
}

/** What the guest's ids are on the host. */
export interface IdMappings {
  readonly uids: IdMapping;
  readonly gids: IdMapping;
}

/** No id on the other side. */
export const UNMAPPED = -1;
/** What the guest sees in place of an id that it has none for: /proc/sys/kernel/overflowuid, user_namespaces(7). */
export const OVERFLOW_ID = 65_534;

const WORDS = 3;

/** Ids of the guest to ids of the host and back. */
export class IdMap {
  /** First guest id, first host id and count of each range. */
  readonly #ranges: Uint32Array;
  readonly #forbidden: Uint32Array;
  readonly #squash: number;

  constructor({ ranges, squash = UNMAPPED, forbidden }: IdMapping) {
    this.#ranges = Uint32Array.from(ranges.flatMap(({ guest, host, count }) => [guest, host, count]));
    this.#forbidden = Uint32Array.from(forbidden.flatMap(({ guest, count }) => [guest, guest, count]));
    this.#squash = squash;
  }

  /** @returns the host's id, or UNMAPPED, which NO_ID always is */
  toHost(id: number): number {
    if (id === NO_ID) return UNMAPPED;
    if (translate(this.#forbidden, id, 0, 1) !== UNMAPPED) return UNMAPPED;
    const host = translate(this.#ranges, id, 0, 1);
    return host === UNMAPPED ? this.#squash : host;
  }

  /**
   * The host's id for the owner of something new. Where the request names none (NO_ID), it is the id that others are
   * squashed to.
   *
   * @param unnamed the guest's id that counts where there is none to squash to
   * @returns the host's id, or UNMAPPED
   */
  ownerToHost(id: number, unnamed: number): number {
    if (id !== NO_ID) return this.toHost(id);
    return this.#squash === UNMAPPED ? this.toHost(unnamed) : this.#squash;
  }

  /**
   * @returns the guest's id, or UNMAPPED. The id that others are squashed to is shown as itself, as a server of NFS with
   * `all_squash` does, but only where the guest's id of that number leads back to it
   */
  toGuest(id: number): number {
    const guest = translate(this.#ranges, id, 1, 0);
    if (guest === UNMAPPED) return id === this.#squash && this.toHost(id) === id ? id : UNMAPPED;
    return translate(this.#forbidden, guest, 0, 1) === UNMAPPED ? guest : UNMAPPED;
  }
}

/** Looks for an id in the ranges' column `from`. @returns what it is in the column `to`, or UNMAPPED */
function translate(ranges: Uint32Array, id: number, from: number, to: number): number {
  for (let at = 0; at < ranges.length; at += WORDS) {
    const offset = id - (ranges[at + from] ?? 0);
    if (offset >= 0 && offset < (ranges[at + 2] ?? 0)) return (ranges[at + to] ?? 0) + offset;
  }
  return UNMAPPED;
}
