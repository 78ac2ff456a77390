import { loadPackage } from './load.js';

/** A user of the system's database. */
export interface Entry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The home directory. */
  readonly dir: string;
  /** The login shell. */
  readonly shell: string;
}

/** The part of npm's `posix` that is used here; the package brings no types. */
export interface Posix {
  /** Throws when there is no such user. */
  getpwnam(user: string | number): Entry;
  /** Throws when there is no such group. */
  getgrnam(group: string | number): { readonly gid: number };
  /** Gives the process all groups of a user, and one more: initgroups(3). */
  initgroups(user: string, group: number): void;
  /** Starts a new session and returns its id: setsid(2). */
  setsid(): number;
  /** The soft and the hard limit, null for none: getrlimit(2). */
  getrlimit(resource: 'nofile'): { readonly soft: number | null; readonly hard: number | null };
  setrlimit(resource: 'nofile', limits: { readonly soft: number; readonly hard: number }): void;
}

/** Compiled for one Node, so it is loaded only where it is needed. */
export const posix = loadPackage('posix') as Posix;
