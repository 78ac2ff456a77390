/** A capability by its number: capabilities(7), `<linux/capability.h>`. */
export interface Capability {
  readonly name: string;
  readonly number: number;
  readonly why: string;
}

export const CAP_DAC_OVERRIDE: Capability = {
  name: 'CAP_DAC_OVERRIDE',
  number: 1,
  why: 'files of every guest user, whatever their mode',
};

/** What the serving program always keeps; everything else is gone before it starts. */
const keptCapabilities: readonly Capability[] = [
  { name: 'CAP_CHOWN', number: 0, why: 'chown in the guest' },
  CAP_DAC_OVERRIDE,
  { name: 'CAP_FOWNER', number: 3, why: 'chmod, utimes and sticky directories of every guest user' },
  { name: 'CAP_FSETID', number: 4, why: 'set-id bits stay when the guest sets them' },
  { name: 'CAP_SETGID', number: 6, why: 'to create with the gid of the guest' },
  { name: 'CAP_SETUID', number: 7, why: 'to create with the uid of the guest' },
  { name: 'CAP_MKNOD', number: 27, why: 'device nodes made in the guest' },
];

const CAP_SETFCAP: Capability = {
  name: 'CAP_SETFCAP',
  number: 31,
  why: 'file capabilities set in the guest',
};

/** What the serving program keeps, with or without --file-capabilities. */
export function capabilitiesToKeep(fileCapabilities: boolean): readonly Capability[] {
  return fileCapabilities ? [...keptCapabilities, CAP_SETFCAP] : keptCapabilities;
}

/** Needed only while starting, by the process that changes the root. */
export const CAP_SYS_CHROOT: Capability = { name: 'CAP_SYS_CHROOT', number: 18, why: 'to change the root' };

/** Needed only while starting, for a mount of the export of its own; not required. */
export const CAP_SYS_ADMIN: Capability = { name: 'CAP_SYS_ADMIN', number: 21, why: 'to mount the export' };

/** Needed only while starting, to give up all others. */
export const CAP_SETPCAP: Capability = { name: 'CAP_SETPCAP', number: 8, why: 'to drop capabilities' };
