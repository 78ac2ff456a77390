import type { Observed } from './observation.js';

/** Something in which our helper deliberately differs from the reference. */
export interface Difference {
  readonly name: string;
  readonly reason: string;
  /** Puts into the export what the observation needs. */
  readonly prepare?: (root: string) => void;
  readonly observe: (helper: Observed) => string | Promise<string>;
  readonly reference: string | RegExp;
  readonly ours: string;
  /** Where the export lies, when it has to be a special file system. */
  readonly directory?: string;
  /** A program that starts the helper. */
  readonly wrapper?: (root: string) => readonly string[];
  /** How many helpers may be asked until one shows what the reference does only by chance. */
  readonly starts?: number;
}
