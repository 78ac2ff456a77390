import {
  CapabilitySets,
  NO_ID,
  setEffectiveGid,
  setEffectiveUid,
} from '../../syscalls/privileged/credentials.js';
import { setNotDumpable } from '../../syscalls/process.js';

const CAP_DAC_OVERRIDE = 1n << 1n;

/** Whose ids something is made with. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Runs one system call with the guest's ids, so that what it creates belongs to the guest.
 *
 * Meanwhile only CAP_DAC_OVERRIDE is effective: it stands for the guest's supplementary groups, which the protocol
 * does not carry, while the kernel goes on to refuse what only root may do (CVE-2022-0358: a set-gid file of a group
 * that the guest's user is not in). Afterwards every permitted capability is effective again and this is read back
 * from the kernel; if it is not so the process ends, since it would serve with the wrong rights. Where fs.suid_dumpable
 * is not 0, the changes of ids made it dumpable, which is taken back.
 */
export class GuestCredentials {
  private readonly uid: number;
  private readonly gid: number;
  readonly #reduced = new CapabilitySets();
  readonly #full = new CapabilitySets();
  readonly #check = new CapabilitySets();
  private readonly die: (reason: string) => never;

  /**
   * @param uid the effective uid of this process, to return to
   * @param gid the effective gid of this process, to return to
   * @param die ends the process at once
   */
  constructor(uid: number, gid: number, die: (reason: string) => never) {
    this.uid = uid;
    this.gid = gid;
    this.die = die;
    this.#full.read();
    const permitted = this.#full.permitted;
    this.#full.setEffective(permitted);
    this.#reduced.read();
    this.#reduced.setEffective(CAP_DAC_OVERRIDE & permitted);
  }

  /**
   * NO_ID is the id that this process has itself.
   *
   * @returns what `call` returns, or -errno when the ids cannot be taken (EINVAL: not mapped in this user namespace)
   */
  run<At, How>({ uid, gid }: Owner, call: (at: At, how: How) => number, at: At, how: How): number {
    const user = uid === NO_ID ? this.uid : uid;
    const group = gid === NO_ID ? this.gid : gid;
    if (user === this.uid && group === this.gid) return call(at, how);
    const refused = this.#assume(user, group);
    if (refused < 0) {
      this.#restore();
      return this.onRefused(refused, call, at, how);
    }
    try {
      return call(at, how);
    } finally {
      this.#restore();
    }
  }

  /** What becomes of a call for which the ids could not be taken. */
  protected onRefused<At, How>(
    refused: number,
    _call: (at: At, how: How) => number,
    _at: At,
    _how: How,
  ): number {
    return refused;
  }

  /** The result of setresuid and setresgid tells that a switch took, unlike that of setfsuid. */
  #assume(uid: number, gid: number): number {
    const group = gid === this.gid ? 0 : setEffectiveGid(gid);
    if (group < 0) return group;
    const user = uid === this.uid ? 0 : setEffectiveUid(uid);
    if (user < 0) return user;
    return this.#reduced.apply();
  }

  /** The uid first: with it come the effective capabilities, and with them the right to set the gid. */
  #restore(): void {
    if (setEffectiveUid(this.uid) < 0) this.die('cannot return to its own uid');
    if (this.#full.apply() < 0) this.die('cannot make its capabilities effective again');
    if (setEffectiveGid(this.gid) < 0) this.die('cannot return to its own gid');
    // meanwhile its ids were of two users, and only CAP_SYS_PTRACE would have let anybody look
    if (setNotDumpable() < 0) this.die('cannot make itself not dumpable again');
    if (this.#check.read() < 0 || !this.#check.effectiveIsPermitted) this.die('lost capabilities');
  }
}
