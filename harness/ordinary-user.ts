/** Helpers that an ordinary user starts: no capability, no right to read this checkout. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { OURS } from './helper-process.js';

/** Ids that own nothing else. */
export const ordinaryUser = { uid: 21_357, gid: 21_358 };

export const asOrdinaryUser: readonly string[] = [
  'setpriv',
  `--reuid=${ordinaryUser.uid}`,
  `--regid=${ordinaryUser.gid}`,
  '--clear-groups',
  '--inh-caps=-all',
];

/**
 * Puts a directory in the place of the root: the kernel lets nobody make a user namespace whose root is not the root of
 * its mounts (user_namespaces(7), EPERM), as it does where they are forbidden altogether.
 */
const changedRoot = 'mount --rbind / /mnt && exec chroot /mnt "$@"';
const inChangedRoot = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', changedRoot, 'sh'];

/** What goes in front of the helper's command line: an ordinary user who may make user namespaces, or who may not. */
export const ordinaryUsers = {
  'in a user namespace of its own': asOrdinaryUser,
  'where user namespaces are forbidden': [...inChangedRoot, ...asOrdinaryUser],
  'where user namespaces give no rights': [
    fileURLToPath(new URL('powerless.py', import.meta.url)),
    ...asOrdinaryUser,
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Why user namespaces cannot be made by an ordinary user here, or undefined. */
export function whyNoUserNamespaces(): string | undefined {
  try {
    const [program, ...args] = [...asOrdinaryUser, 'unshare', '--user', '--map-current-user', 'true'];
    execFileSync(program, args, { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `an ordinary user cannot make user namespaces here: ${String(error)}`;
  }
}

/** A copy of the helper that everybody may read, as an installed one. */
export class Installation {
  readonly #directory = mkdtempSync(join(tmpdir(), 'installed-'));
  readonly program = join(this.#directory, 'dist/main.js');

  constructor() {
    const checkout = dirname(dirname(OURS));
    const packages = ['koffi', '@koromix', 'posix'].map((name) => `node_modules/${name}`);
    for (const part of ['dist', 'package.json', ...packages]) {
      cpSync(join(checkout, part), join(this.#directory, part), { recursive: true });
    }
    execFileSync('chmod', ['-R', 'a+rX', this.#directory]);
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** An export with mode 0755 that the ordinary user owns, below a directory that he does not. */
export function ownedExportForTest(): { base: string; path: string } {
  const base = mkdtempSync(join(tmpdir(), 'rootless-'));
  chmodSync(base, 0o755);
  const path = join(base, 'export');
  mkdirSync(path);
  chownSync(path, ordinaryUser.uid, ordinaryUser.gid);
  onTestFinished(() => {
    rmSync(base, { recursive: true, force: true });
  });
  return { base, path };
}
