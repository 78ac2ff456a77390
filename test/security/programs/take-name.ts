/**
 * Puts a symbolic link in the place of whatever appears at a path, at full speed until it is killed. The arguments are
 * JSON: see `TakeNamePlan`.
 */
import { lstatSync, renameSync, symlinkSync } from 'node:fs';

export interface TakeNamePlan {
  readonly path: string;
  /** Where the link leads. */
  readonly target: string;
  /** A name that this program may use, in the same directory. */
  readonly spare: string;
}

const { path, target, spare } = JSON.parse(process.argv[1] ?? '') as TakeNamePlan;

function makeSpare(): void {
  try {
    symlinkSync(target, spare);
  } catch {
    // it is there
  }
}

makeSpare();
process.stdout.write('ready\n');
for (;;) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) continue;
  try {
    renameSync(spare, path);
  } catch {
    // it has gone again
  }
  makeSpare();
}
