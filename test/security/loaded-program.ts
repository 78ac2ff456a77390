/** Programs of `programs/` that are loaded into ours before their own code, where they stand for what has taken them over. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { repositoryRoot } from '../../harness/guest/repository.js';

/** @param name of the file, without `.ts`. It finds packages as from the repository. */
export function bundleToLoad(name: string): { readonly nodeOptions: string; readonly remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  // where every user can read it
  chmodSync(directory, 0o755);
  const program = join(directory, `${name}.cjs`);
  const repository = JSON.stringify(join(repositoryRoot, 'package.json'));
  buildSync({
    entryPoints: [fileURLToPath(new URL(`programs/${name}.ts`, import.meta.url))],
    banner: { js: `require = require('node:module').createRequire(${repository});` },
    external: ['koffi'],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  return {
    nodeOptions: `--require ${program}`,
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
