import fs from 'node:fs';
import path from 'node:path';

/** The checkout, found from here whether this file runs as TypeScript or compiled elsewhere below it. */
export const repositoryRoot = findRoot(import.meta.dirname);

function findRoot(directory: string): string {
  if (fs.existsSync(path.join(directory, 'package.json'))) return directory;
  const parent = path.dirname(directory);
  if (parent === directory) throw new Error('package.json not found in any parent directory');
  return findRoot(parent);
}
