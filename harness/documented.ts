import fs from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from './guest/repository.js';

/** The shell blocks of a page of documentation, in order. */
export function shellBlocks(page: string): string[] {
  const text = fs.readFileSync(path.join(repositoryRoot, page), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
}

/** All blocks of a page, in whatever language. */
export function codeBlocks(page: string): string[] {
  const text = fs.readFileSync(path.join(repositoryRoot, page), 'utf8');
  return [...text.matchAll(/^```\w*\n(.*?)^```/gms)].map(([, block = '']) => block);
}

/** The rows of the table of a section that has this first heading, as cells. */
export function tableRows(page: string, section: string, heading: string): string[][] {
  const text = fs.readFileSync(path.join(repositoryRoot, page), 'utf8');
  const lines = (text.split(/^#+ /m).find((part) => part.startsWith(`${section}\n`)) ?? '').split('\n');
  const start = lines.findIndex((line) => line.startsWith('| ') && cells(line)[0] === heading);
  if (start < 0) throw new Error(`${page} has no table of ${heading} in the section ${section}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end < 0 ? undefined : end).map(cells);
}

const cells = (line: string): string[] =>
  line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
