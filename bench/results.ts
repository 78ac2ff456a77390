import type { AllocationResult } from './allocations.js';
import type { GuestResult } from './guest/guest.js';
import type { MachineDescription } from './machine.js';
import type { NinepResult } from './ninep/ninep.js';
import type { StallResult } from './ninep/stall.js';
import type { RawResult } from './raw.js';
import type { ScaleResult } from './scale.js';
import type { StartupResult } from './startup.js';
import type { SystemCallResult } from './system-calls.js';

/** Everything of one run; a part is missing when it was left out or what it needs is not installed. */
export interface Results {
  readonly quick: boolean;
  /** The machine of the last run. */
  readonly machine: MachineDescription;
  /** When each part was measured, and how many cores were busy with other work before that. */
  readonly measured: Readonly<Record<string, { readonly date: string; readonly busyCores: number }>>;
  readonly raw?: RawResult;
  /** Of today's QEMU, and of one with the proxy driver. */
  readonly guest?: GuestResult;
  readonly proxyGuest?: GuestResult;
  readonly scale?: ScaleResult;
  readonly ninep?: NinepResult;
  readonly stall?: StallResult;
  readonly startup?: StartupResult;
  readonly systemCalls?: SystemCallResult;
  readonly allocations?: AllocationResult;
}
