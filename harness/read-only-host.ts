/**
 * A private view of the host for the helper under attack, in which everything but one directory is read-only. An attack
 * that succeeds must fail a test, not damage the machine that runs it: without this, the first helper that follows a
 * link too many changes the mode of the real `/`.
 */
import { execFileSync } from 'node:child_process';
import { whyNotRoot } from './root-only.js';

const script = `
mount --bind "$0" "$0" || exit 1
while read -r _ at _; do
  [ "$at" = "$0" ] || mount -o remount,bind,ro "$at" 2>/dev/null
done < /proc/self/mounts
mkdir /read-only-host 2>/dev/null && { echo 'the host is still writable' >&2; rmdir /read-only-host; exit 1; }
`;

/** What goes in front of the helper's command line. `then` is more shell, in which "$0" is the writable directory. */
export function readOnlyHost(writable: string, then = ''): string[] {
  const command = `${script}${then}\nexec "$@"`;
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', command, writable];
}

/**
 * The two ways in which the helper confines itself, by what goes in front of its command line: with a mount of its own,
 * and, where it may not mount, by checking every path.
 */
export const confinements: readonly (readonly [name: string, wrapper: readonly string[]])[] = [
  ['with a mount of its own', []],
  ['without CAP_SYS_ADMIN', ['setpriv', '--bounding-set', '-sys_admin']],
];

function whyNoMounts(): string | undefined {
  if (whyNotRoot !== undefined) return whyNotRoot;
  try {
    execFileSync('unshare', ['--mount', '--propagation', 'private', 'true'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'needs a mount namespace of its own, so that an attack that succeeds does no harm';
  }
}

/** Tells why attacks on the host cannot run here. @returns whether they are skipped */
export function skipUnlessHarmless(what: string): boolean {
  const reason = whyNoMounts();
  if (reason !== undefined) console.warn(`${what} skipped: ${reason}`);
  return reason !== undefined;
}
