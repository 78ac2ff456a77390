import { capabilitiesToKeep } from '../../confinement/capabilities.js';
import { allowedCalls, argumentRules, descriptorRequestCalls, forbiddenCalls } from './system-call-policy.js';
import type { SeccompMode } from '../../confinement/seccomp-modes.js';

/** The text of --print-privileges. */
export function describePrivileges(seccomp: SeccompMode, fileCapabilities: boolean): string {
  const rules = Object.entries(argumentRules({ pid: process.pid, datagramSockets: [2] }));
  const checked = rules.map(([name, { only }]) => `  ${name.padEnd(18)} ${only}`).sort();
  const unchecked = allowedCalls.filter((name) => !rules.some(([checkedName]) => checkedName === name));
  const capabilities = capabilitiesToKeep(fileCapabilities).map(
    ({ name, why }) => `  ${name.padEnd(18)} ${why}`,
  );
  return `While it serves, the helper keeps on every thread of its process:

capabilities (permitted, effective and bounding; nothing inheritable or ambient)
${capabilities.join('\n')}
  While it creates an object with the ids of the guest only CAP_DAC_OVERRIDE is effective.

root directory       the export, without CAP_SYS_CHROOT; a mount of its own: nosuid, nodev, noexec, with --readonly ro
supplementary groups none
no_new_privs         set
core dumps           off (a limit of 1 byte, which no program in kernel.core_pattern gets either)
ptrace               only with CAP_SYS_PTRACE (not dumpable, whatever fs.suid_dumpable is)
descriptors          the client's socket, standard input and outputs, one of its own /proc/self/fd alone, one that
                     nothing is sent on, for the end of the process that follows mounts,
                     with --control its socket, under systemd a datagram socket to it, with --pidfile that file for reading,
                     with --descriptor-requests the table of its own mounts
seccomp              ${seccomp}

system calls allowed
  ${unchecked.sort().join(' ')}
  with --descriptor-requests ${descriptorRequestCalls.join(', ')}
system calls allowed with some arguments only; ENOSYS, or for clone, prlimit64, setresuid, setresgid and tgkill as below
${checked.join('\n')}
system calls at which it is ${seccomp === 'kill' ? 'killed' : 'reported'}
  ${[...forbiddenCalls].sort().join(' ')}
All others fail with ENOSYS.

Beside it, with --host-mounts follow, a process that brings in what the host mounts in the export later, nosuid, nodev,
noexec, with --readonly ro: with CAP_DAC_OVERRIDE, CAP_SYS_ADMIN and CAP_SYS_CHROOT, without a seccomp filter; it has no
descriptor of the client, and ends with the helper.

Started by an ordinary user, in a security model that needs no privileges:
capabilities         none, in any set but the bounding one; that is empty, too, in a user namespace
root directory       the export, in a user namespace of its own; where that is forbidden, the root does not
                     change, and every path is resolved from a descriptor of the export (openat2, RESOLVE_IN_ROOT
                     or RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS); the log tells which of the two
supplementary groups the user's
Everything else is the same.
`;
}
