import { describeErrno } from '../abi/errno-text.js';
import { StartError, usageError } from '../startup/start-errors.js';
import { type Entry, posix } from '../native/posix.js';
import { becomeUser } from '../syscalls/privileged/credentials.js';
import { setNotDumpable } from '../syscalls/process.js';
import type { Login } from './environment.js';

/** A user of the system's database. */
export class Account {
  readonly #entry: Entry;

  /** By name or id. Throws a usage error when there is none. */
  constructor(user: string) {
    try {
      this.#entry = posix.getpwnam(/^\d+$/.test(user) ? Number(user) : user);
    } catch {
      throw usageError(
        `--run-as ${user}: there is no such user`,
        'virtfs-proxy-helper run',
        'unknown-account',
      );
    }
  }

  /**
   * Makes this process the user's, for good and on all threads: ids, all groups of the user, no capabilities. What it
   * starts from now on is the user's from its first instruction on. Throws a StartError.
   */
  become(): void {
    const { name, uid, gid } = this.#entry;
    try {
      posix.initgroups(name, gid);
    } catch (error) {
      throw new StartError('user-not-taken', `cannot become ${name}: ${(error as Error).message}`);
    }
    const failed = becomeUser({ uid, gid });
    if (failed < 0) throw new StartError('user-not-taken', `cannot become ${name}: ${describeErrno(failed)}`);
    // whatever fs.suid_dumpable says: our memory still has the caller's environment
    setNotDumpable();
  }

  /** What login programs tell a user's programs of the user. */
  get login(): Login {
    const { name, uid, dir, shell } = this.#entry;
    return { name, uid, home: dir, shell };
  }
}
