/** A Debian with the minimum and no Node, which systemd has booted, and the packages in /root. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BootedTree } from '../../harness/booted-tree.js';
import { DebianTree } from '../../harness/debian-tree.js';
import { shellBlocks } from '../../harness/documented.js';
import { WireClient } from '../../harness/wire-client.js';
import { archiveName, builtPackages, debName, version } from './built.js';

/** What a bare tree has besides the minimum. */
export const barePackages: readonly string[] = ['systemd', 'systemd-sysv', 'man-db'];

/** A version that is older than every real one. */
export const OLDER = '0.0.1';

/** What no package manager is asked to leave as it was: its own records, logs, caches, and what is not on disk. */
const passing = ['/var/lib/dpkg', '/var/lib/apt', '/var/lib/systemd', '/var/log', '/var/cache', '/root'];

export interface BareOptions {
  /** What the tree has besides the minimum. */
  readonly packages?: readonly string[];
  /** A directory of this machine that the tree has at the same path; it goes with the tree. */
  readonly meeting?: string;
}

export class BareDebian {
  readonly booted: BootedTree;
  readonly #tree: DebianTree;
  readonly #meeting: string | undefined;

  private constructor(tree: DebianTree, booted: BootedTree, meeting?: string) {
    this.#tree = tree;
    this.booted = booted;
    this.#meeting = meeting;
  }

  static async boot(
    release: string,
    { packages = barePackages, meeting }: BareOptions = {},
  ): Promise<BareDebian> {
    const tree = new DebianTree(packages, { bare: release });
    // nobody answers questions; removing asks one
    fs.writeFileSync(tree.at('/etc/apt/apt.conf.d/unattended'), 'APT::Get::Assume-Yes "true";\n');
    const built = builtPackages('amd64');
    for (const [directory, name] of [
      ['archive', archiveName],
      ['new', debName('amd64')],
    ] as const) {
      fs.mkdirSync(tree.at(`/root/${directory}`));
      fs.copyFileSync(path.join(built, name), tree.at(`/root/${directory}/${name}`));
    }
    fs.mkdirSync(tree.at('/root/old'));
    makeOlder(path.join(built, debName('amd64')), tree.at(`/root/old/${debName('amd64', OLDER)}`));
    if (meeting === undefined) return new BareDebian(tree, await BootedTree.boot(tree));
    fs.mkdirSync(tree.at(meeting), { recursive: true });
    return new BareDebian(tree, await BootedTree.boot(tree, { binds: { [meeting]: meeting } }), meeting);
  }

  /** Runs the block of commands of a page that has this in it, in a directory, with the names of this tree. */
  documented(page: string, part: string, directory = '/root'): string {
    const blocks = shellBlocks(page).filter((block) => block.includes(part));
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) {
      throw new Error(`${page} has ${blocks.length} blocks of commands with ${part}`);
    }
    return this.booted.run(`set -e; cd ${directory}; ${block.replaceAll('libvirt-qemu', 'nobody')}`);
  }

  connect(socket: string): WireClient {
    return WireClient.connect(this.booted.at(socket));
  }

  state(unit: string): string {
    return this.booted.property(unit, 'ActiveState');
  }

  /** The file that a process runs; one that is not there any more ends in " (deleted)". */
  program(pid: string): string {
    return this.booted.run(`readlink /proc/${pid}/exe`);
  }

  /** Every file and directory, except what changes by itself; and what is in /run of ours. */
  files(): string[] {
    const pruned = passing.map((directory) => `-path ${directory} -prune`).join(' -o ');
    const listed = this.booted.run(
      `find / -xdev \\( ${pruned} \\) -o -print; find /run/virtfs* 2>/dev/null || true`,
    );
    return listed.split('\n').sort();
  }

  async remove(): Promise<void> {
    await this.booted.powerOff();
    this.#tree.remove();
    if (this.#meeting !== undefined) fs.rmSync(this.#meeting, { recursive: true, force: true });
  }
}

/** The same package with a lower version, which its program also tells. Uncompressed, which takes a second. */
function makeOlder(deb: string, older: string): void {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'older-'));
  try {
    execFileSync('dpkg-deb', ['--raw-extract', deb, place]);
    for (const [file, pattern] of [
      ['DEBIAN/control', `Version: ${version}`],
      ['usr/lib/virtfs-proxy-helper/package.json', `"version": "${version}"`],
    ] as const) {
      const text = fs.readFileSync(path.join(place, file), 'utf8');
      if (!text.includes(pattern)) throw new Error(`${file} of the package does not tell the version`);
      fs.writeFileSync(path.join(place, file), text.replace(pattern, pattern.replace(version, OLDER)));
    }
    execFileSync('dpkg-deb', ['--root-owner-group', '-Znone', '--build', place, older], { stdio: 'pipe' });
  } finally {
    fs.rmSync(place, { recursive: true });
  }
}
