/** The part of npm's `posix` that is used here; the package brings no types. */
declare module 'posix' {
  interface Account {
    readonly uid: number;
    readonly gid: number;
  }

  interface Posix {
    /** Throws when there is no such user. */
    getpwnam(user: string | number): Account;
    /** Throws when there is no such group. */
    getgrnam(group: string | number): { readonly gid: number };
    /** Starts a new session and returns its id: setsid(2). */
    setsid(): number;
    openlog(identity: string, options: Readonly<Record<string, boolean>>, facility: string): void;
    syslog(priority: string, message: string): void;
  }

  const posix: Posix;
  export default posix;
}
