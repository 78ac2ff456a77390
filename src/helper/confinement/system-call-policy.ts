import { allowWhen, any, forbidUnless, oneOf, type Rule } from '../../confinement/argument-matchers.js';
import { forbiddenToAll, runTimeCalls, runTimeRules } from '../../confinement/run-time-policy.js';
import type { SystemCall } from '../../abi/system-calls.js';
import type { FilteredProcess, SystemCallPolicy } from '../../confinement/system-call-policy.js';

/**
 * What the serving program may call, some of it only with the arguments that the rules allow. Anything else is ENOSYS,
 * unless it is in `forbiddenCalls`. No receiving of descriptors: no recvmsg, but for requests about them.
 */
export const allowedCalls = [
  // The requests themselves, the most frequent first.
  'recvfrom',
  'sendto',
  'statx',
  'openat',
  'sendmsg',
  'close',
  'close_range',
  'name_to_handle_at',
  'readlink',
  'readlinkat',
  'statfs',
  'fstatfs',
  'newfstatat',
  'fstat',
  'setresuid',
  'setresgid',
  'capget',
  'capset',
  'mkdir',
  'mkdirat',
  'mknod',
  'mknodat',
  'symlink',
  'symlinkat',
  'link',
  'linkat',
  'rename',
  'renameat',
  'unlink',
  'unlinkat',
  'rmdir',
  'chmod',
  'fchmodat',
  'lchown',
  'fchownat',
  'setitimer',
  'truncate',
  'ftruncate',
  'utimensat',
  'getxattr',
  'fgetxattr',
  'setxattr',
  'fsetxattr',
  'removexattr',
  'lgetxattr',
  'llistxattr',
  'lsetxattr',
  'lremovexattr',
  'pwrite64',
  'getdents64',
  'chdir',
  'fchdir',
  'openat2',
  ...runTimeCalls,
] as const satisfies readonly SystemCall[];

/** What requests about descriptors take besides. */
export const descriptorRequestCalls = [
  'recvmsg',
  'listxattr',
  'pread64',
] as const satisfies readonly SystemCall[];

export const forbiddenCalls: readonly SystemCall[] = forbiddenToAll;

/** The id -1 of setresuid(2) and setresgid(2): stays as it is. */
const UNCHANGED = 0xffff_ffff;
const ITIMER_REAL = 0;

/** All other allowed calls reach nothing but the process itself, its descriptors and the export. */
export function argumentRules(filtered: FilteredProcess): Readonly<Partial<Record<SystemCall, Rule>>> {
  return {
    ...runTimeRules(filtered),
    setresuid: forbidUnless('the effective id', [oneOf(UNCHANGED), any, oneOf(UNCHANGED)]),
    setresgid: forbidUnless('the effective id', [oneOf(UNCHANGED), any, oneOf(UNCHANGED)]),
    setitimer: allowWhen('ITIMER_REAL', [oneOf(ITIMER_REAL)]),
  };
}

/** The policy of the serving program. */
export function helperPolicy(filtered: FilteredProcess): SystemCallPolicy {
  return { allowed: allowedCalls, rules: argumentRules(filtered), forbidden: forbiddenCalls };
}

/** The same where the client passes descriptors. */
export function descriptorRequestsPolicy(filtered: FilteredProcess): SystemCallPolicy {
  const { allowed, ...others } = helperPolicy(filtered);
  return { allowed: [...descriptorRequestCalls, ...allowed], ...others };
}
