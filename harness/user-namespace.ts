/** A user namespace with an id map, which root makes and enters. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** Why there can be none here, or undefined. */
export function whyNoUserNamespaces(): string | undefined {
  try {
    execFileSync('unshare', ['--user', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `user namespaces cannot be made here: ${String(error)}`;
  }
}

export class UserNamespace {
  /** Keeps the namespace alive. */
  readonly #holder: ChildProcess;
  /** What goes in front of a command line that is to run as root of the namespace, with its capabilities and no others. */
  readonly enter: readonly string[];

  private constructor(holder: ChildProcess, path: string) {
    this.#holder = holder;
    this.enter = ['nsenter', `--user=${path}`];
  }

  /** @param map a line of uid_map and gid_map: user_namespaces(7) */
  static async make(map: string): Promise<UserNamespace> {
    const holder = spawn('unshare', ['--user', 'sleep', '600'], { stdio: 'ignore' });
    const path = `/proc/${holder.pid!}/ns/user`;
    while (readlinkSync(path) === readlinkSync('/proc/self/ns/user')) await wait(5);
    for (const file of ['uid_map', 'gid_map']) writeFileSync(`/proc/${holder.pid!}/${file}`, `${map}\n`);
    return new UserNamespace(holder, path);
  }

  remove(): void {
    this.#holder.kill('SIGKILL');
  }
}
