import type { AllocationResult } from './allocations.js';
import type { GuestResult } from './guest/guest.js';
import type { MachineDescription } from './machine.js';
import type { NinepResult } from './ninep/ninep.js';
import type { RawResult } from './raw.js';
import type { ScaleResult } from './scale.js';
import type { StartupResult } from './startup.js';
import type { SystemCallResult } from './system-calls.js';

/** Everything of one run; a part is missing when it was left out or what it needs is not installed. */
export interface Results {
  readonly quick: boolean;
  /** Parts were measured again later, alone. */
  readonly pieced?: boolean;
  readonly machine: MachineDescription;
  readonly raw?: RawResult;
  readonly guest?: GuestResult;
  readonly scale?: ScaleResult;
  readonly ninep?: NinepResult;
  readonly startup?: StartupResult;
  readonly systemCalls?: SystemCallResult;
  readonly allocations?: AllocationResult;
}
