import type { RequestName } from '../../harness/requests.js';
import type { Names } from './names.js';
import type { Random } from '../../harness/random.js';
import type { TreeModel } from './tree-model.js';

/** One request, and what to remember of its answer. */
export interface Step {
  readonly name: RequestName;
  readonly bytes: Buffer;
  readonly succeeded?: () => void;
}

/** What every maker of requests draws from. */
export interface Source {
  readonly random: Random;
  readonly tree: TreeModel;
  readonly names: Names;
}

export type StepMaker = (source: Source) => Step;

/** How often an argument is chosen so that the request cannot, or need not, succeed. */
export const BAD_ARGUMENT = 0.08;
