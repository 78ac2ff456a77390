import { architecture } from '../../abi/architecture.js';
import { declareInt, syscall } from '../libc.js';
import { stableMemory, wordsOf } from '../memory.js';

/**
 * Ids and capabilities of the calling thread: credentials(7), capabilities(7).
 *
 * The raw system calls are meant: glibc's setresuid(3) changes every thread of the process and interrupts each of
 * them to do so, while an operation needs the guest's ids on the one thread that makes it.
 */

const libc = {
  setgroups: declareInt('setgroups', 'int64', 'void *'),
  setgid: declareInt('setgid', 'uint32'),
  setuid: declareInt('setuid', 'uint32'),
  capget: declareInt('capget', 'void *', 'void *'),
  capset: declareInt('capset', 'void *', 'void *'),
};

/** No id, in a request and in chown(2): -1. */
export const NO_ID = 0xffff_ffff;

const UNCHANGED = -1;

export function setEffectiveUid(uid: number): number {
  return syscall(architecture.syscalls.setresuid, UNCHANGED, uid, UNCHANGED, 0, 0, 0);
}

export function setEffectiveGid(gid: number): number {
  return syscall(architecture.syscalls.setresgid, UNCHANGED, gid, UNCHANGED, 0, 0, 0);
}

/**
 * Those that follow act on every thread, for good. They are glibc's and not Node's: Node refuses its own where it was built
 * with a libuv that may use io_uring, as Debian 13's is.
 */
export function leaveAllGroups(): number {
  return libc.setgroups(0, null);
}

export function becomeUser({ uid, gid }: { readonly uid: number; readonly gid: number }): number {
  const failed = libc.setgid(gid);
  return failed < 0 ? failed : libc.setuid(uid);
}

const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** Effective, permitted and inheritable capabilities of a thread, as `struct __user_cap_data_struct[2]`: capget(2). */
export class CapabilitySets {
  readonly #header = stableMemory(8);
  readonly #data = stableMemory(24);
  readonly #words = wordsOf(this.#data);

  constructor() {
    wordsOf(this.#header)[0] = LINUX_CAPABILITY_VERSION_3;
  }

  /** Fills the sets from the calling thread. */
  read(): number {
    return libc.capget(this.#header, this.#data);
  }

  /** Gives the calling thread these sets. */
  apply(): number {
    return libc.capset(this.#header, this.#data);
  }

  /** The permitted set as a mask: bit n is capability n. */
  get permitted(): bigint {
    return BigInt(this.#words[1] ?? 0) | (BigInt(this.#words[4] ?? 0) << 32n);
  }

  set permitted(mask: bigint) {
    this.#words[1] = Number(mask & 0xffffffffn);
    this.#words[4] = Number(mask >> 32n);
  }

  /** The effective set is only ever set as a whole or compared with the permitted one. */
  setEffective(mask: bigint): void {
    this.#words[0] = Number(mask & 0xffffffffn);
    this.#words[3] = Number(mask >> 32n);
  }

  /** Without inheritable capabilities there are no ambient ones either. */
  clearInheritable(): void {
    this.#words[2] = 0;
    this.#words[5] = 0;
  }

  get effectiveIsPermitted(): boolean {
    return this.#words[0] === this.#words[1] && this.#words[3] === this.#words[4];
  }
}
