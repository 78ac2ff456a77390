/**
 * Has a path be a directory and a symbolic link in turns, at full speed until it is killed. The argument is JSON: see
 * `SwapWayPlan`. Unlike `swap.ts` it needs no package, so that any user can run it.
 */
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';

export interface SwapWayPlan {
  readonly path: string;
  readonly target: string;
}

const { path, target } = JSON.parse(process.argv[1] ?? '') as SwapWayPlan;
const [directory, link] = [`${path}.directory`, `${path}.link`];
mkdirSync(directory, 0o777);
symlinkSync(target, link);
process.stdout.write('ready\n');
for (;;) {
  for (const side of [directory, link]) {
    renameSync(side, path);
    // as long as a start may need to get from one call to the next
    for (let spin = 0; spin < 20_000; spin++);
    renameSync(path, side);
  }
}
