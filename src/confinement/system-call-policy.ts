import type { SystemCall } from '../abi/system-calls.js';
import type { Rule } from './argument-matchers.js';

/** What a program may call. Each program has one of its own. A call that is in no list fails with ENOSYS. */
export interface SystemCallPolicy {
  /** The filter looks for a call in this order, so the most frequent ones come first. */
  readonly allowed: readonly SystemCall[];
  /** The arguments with which an allowed call is allowed; without a rule these do not matter. */
  readonly rules: Readonly<Partial<Record<SystemCall, Rule>>>;
  /** What ends the process. */
  readonly forbidden: readonly SystemCall[];
}

/** The process that a policy is for, where a rule names something of it. */
export interface FilteredProcess {
  readonly pid: number;
  /** Its sockets through which a message could go to any other datagram socket of the host. */
  readonly datagramSockets: readonly number[];
}
