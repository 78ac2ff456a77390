import {
  type Capability,
  CAP_SETPCAP,
  CAP_SYS_CHROOT,
  capabilitiesToKeep,
} from '../../confinement/capabilities.js';
import { StartError } from '../../startup/start-errors.js';
import type { ModelSettings } from '../security-models/model-names.js';
import { CapabilitySets } from '../../syscalls/privileged/credentials.js';
import { isSecureExecution } from '../../syscalls/process.js';

/** What the start may do, and what it leaves to the serving program. */
export interface Privileges {
  /** What the serving program keeps: the capabilities of a root, or none of an ordinary user's. */
  readonly kept: readonly Capability[];
  /** Whether the root can be changed, and rights be given up for good. */
  readonly canConfine: boolean;
}

/** Whether they are those of a root. */
export function isRoots({ kept }: Privileges): boolean {
  return kept.length > 0;
}

/**
 * Finds out as what the helper was started. Throws a StartError when that is not enough.
 *
 * @param model passthrough needs a root, as files are to belong to others than the caller
 */
export function checkPrivileges({ name, fileCapabilities }: ModelSettings): Privileges {
  // the loader, NODE_OPTIONS and the environment could be used against a program that has more rights than its caller
  if (isSecureExecution())
    throw new StartError('started-set-uid', 'must not be started set-uid, set-gid or with file capabilities');
  const uid = process.geteuid?.();
  if (uid !== process.getuid?.() || process.getegid?.() !== process.getgid?.()) {
    throw new StartError('started-set-uid', 'the real and the effective ids must be the same');
  }
  const sets = new CapabilitySets();
  sets.read();
  const { permitted } = sets;
  const kept = capabilitiesToKeep(fileCapabilities);
  const missing = [...kept, CAP_SYS_CHROOT, CAP_SETPCAP].filter(({ number }) => !has(permitted, number));
  if (uid === 0 && missing.length === 0) return { kept, canConfine: true };
  if (fileCapabilities || name === 'passthrough') {
    const [option, otherwise] = fileCapabilities
      ? ['--file-capabilities', 'mapped-xattr and mapped-file record them for every user']
      : ['--security-model passthrough', 'mapped-xattr, mapped-file and none work for every user'];
    const names = missing.map((capability) => `${capability.name} (${capability.why})`).join(', ');
    throw new StartError(
      'root-required',
      `must be started as root, or as root of a user namespace, with ${option}; ${
        uid === 0 ? `missing: ${names}` : otherwise
      }`,
    );
  }
  return { kept: [], canConfine: missing.length === 0 };
}

function has(mask: bigint, number: number): boolean {
  return ((mask >> BigInt(number)) & 1n) === 1n;
}
