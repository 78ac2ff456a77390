/** What the documents name is there: files, sections, npm scripts. The npm scripts have all suites. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';

const at = (path: string): string => join(repositoryRoot, path);
const read = (path: string): string => readFileSync(at(path), 'utf8');

const madeByTools = ['.cache', '.git', 'coverage', 'dist', 'node_modules', 'packages'];
const files = readdirSync(repositoryRoot)
  .filter((name) => !madeByTools.includes(name))
  .flatMap((name) =>
    readdirSync(repositoryRoot, { withFileTypes: true }).some(
      (entry) => entry.name === name && entry.isDirectory(),
    )
      ? readdirSync(at(name), { recursive: true, encoding: 'utf8' }).map((below) => `${name}/${below}`)
      : [name],
  );
const documents = files.filter((file) => file.endsWith('.md'));
const fileNames = new Set(files.map((file) => basename(file)));
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };

/** A text without its blocks of code. */
const prose = (text: string): string => text.replaceAll(/^```.*?^```/gms, '');

/** Places of this repository among what stands in backquotes, but for what tools make. */
function places(text: string): string[] {
  const spans = [...prose(text).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  const isPlace = /^(?!dist\/|\.cache\/)\.?[a-zA-Z][\w.@-]*(\/[\w.@-]+)*\/?$/;
  const isFile = /\.(c?js|json|md|m?ts|py|sh)$/;
  return spans.filter((span) => isPlace.test(span) && (span.includes('/') || isFile.test(span)));
}

/** Rooms are named as they are in `src/`, suites as in `test/`; a file of the room at hand by its name alone. */
function exists(place: string): boolean {
  if (['', 'src', 'test'].some((directory) => existsSync(at(join(directory, place))))) return true;
  return !place.includes('/') && fileNames.has(place);
}

/** As GitHub makes the anchor of a heading. */
function anchors(text: string): string[] {
  return [...prose(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}

describe('the documents', () => {
  it.each(
    documents.filter((file) => /^(ARCHITECTURE|CONTRIBUTING)\.md$|^docs\/(decisions\/|protocol)/.test(file)),
  )('name what is there: %s', (document) => {
    expect(places(read(document)).filter((place) => !exists(place))).toEqual([]);
  });

  it.each(documents)('link to what is there: %s', (document) => {
    const links = [...prose(read(document)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : join(dirname(document), path);
      if (!existsSync(at(target))) return true;
      return anchor !== undefined && !anchors(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  it.each(documents)('name npm scripts that are there: %s', (document) => {
    const named = [...read(document).matchAll(/npm (?:run (?:-s )?)([\w:-]+)/g)].map(([, name = '']) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('the npm scripts', () => {
  it('have every suite once', () => {
    const suites = new Set(
      files
        .filter((file) => file.endsWith('.test.ts'))
        .map((file) => `${file.split('/').slice(0, 2).join('/')}/`),
    );
    const named = Object.entries(scripts)
      .filter(([name]) => name.startsWith('test:'))
      .flatMap(([, command]) => command.split(' ').filter((word) => word.startsWith('test/')));
    // server/p9 is pure: unit takes it, too
    expect(named.filter((name) => name !== 'test/server/p9/').sort()).toEqual([...suites].sort());
  });
});

describe('the scripts', () => {
  const programs = readdirSync(at('scripts')).filter((name) => read(`scripts/${name}`).startsWith('#!'));

  it.each(programs)('tell what they do, and do nothing, when asked for help: %s', (name) => {
    const source = read(`scripts/${name}`);
    // or it would do all that it does
    expect(source).toContain('!= --help ]');
    const { status, stdout, stderr } = spawnSync(at(`scripts/${name}`), ['--help'], { encoding: 'utf8' });
    const [, first] = source.split('\n');
    expect([status, stdout.split('\n')[0], stderr]).toEqual([0, first!.slice(2), '']);
    expect(stdout).not.toContain('set -');
  });
});
