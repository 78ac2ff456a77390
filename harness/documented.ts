import fs from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './guest/repository.js';

/** The shell blocks of a page of documentation, in order. */
export function shellBlocks(page: string): string[] {
  const text = fs.readFileSync(path.join(repositoryRoot, page), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
}
