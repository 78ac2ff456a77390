/**
 * An export with a neighbour that nobody may touch: same names, same file system, so that a request that gets out finds
 * something there, and every way to notice it.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { setXattr } from './libc.js';
import { type Owner, requests, requestTypes } from './requests.js';
import { compareSnapshots, removeTree, type Snapshot, snapshot } from './tree.js';
import type { Reply, WireClient } from './wire-client.js';
import { OpenWatch } from './kernel.js';

/** Part of every content, value and target out there, and of no name. */
const SECRET = 'canary-secret';
/** What every request that makes something calls it, so that it can be looked for where it must not be. */
export const NEW_NAME = 'guest-made-';

const identity = (dev: bigint | number, ino: bigint | number): string => `${dev}:${ino}`;

/** Things of the host whose inode must never be seen; those that are not there are left out. */
const hostPaths = [
  '/',
  '/etc',
  '/etc/passwd',
  '/etc/shadow',
  '/root',
  '/proc',
  '/sys',
  '/dev',
  '/usr',
  '/bin',
  '/var',
];

/** Which mount an open descriptor came through. */
function mountOf(descriptor: number): string {
  return /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1] ?? 'unknown';
}

export class Outside {
  readonly base: string;
  readonly exportPath: string;
  readonly path: string;
  /** For the attackers' own things, neither inside nor part of what is watched. */
  readonly host: string;
  readonly #forbidden = new Map<string, string>();
  readonly #before: Snapshot;
  readonly #changeTimes: string;
  readonly #surroundings: string;
  readonly #watch: OpenWatch;
  readonly #owner: Owner | undefined;
  #exportMount: string | undefined;

  /** @param owner who may read and change everything in it, and around it; root where nobody is named */
  constructor(owner?: Owner) {
    this.#owner = owner;
    this.base = mkdtempSync(join(tmpdir(), 'containment-'));
    this.exportPath = join(this.base, 'export');
    this.path = join(this.base, 'outside');
    chmodSync(this.base, 0o755);
    this.host = join(this.base, 'host');
    for (const directory of [this.exportPath, this.host]) mkdirSync(directory);
    this.#makeCanary();
    this.giveAway(this.base);
    // the first look changes access times, any later one does not (relatime)
    snapshot(this.path);
    this.#before = snapshot(this.path);
    this.#watch = new OpenWatch(
      [...this.#before.keys()].filter((name) => name !== '/link').map((name) => join(this.path, name)),
      ['access', 'modify', 'attributes', 'open', 'create', 'delete'],
    );
    this.#changeTimes = this.#readChangeTimes();
    this.#surroundings = this.#readSurroundings();
    for (const path of [...hostPaths, this.base, this.host, tmpdir()]) this.#forbid(path);
    for (const name of this.#before.keys()) this.#forbid(join(this.path, name));
  }

  #makeCanary(): void {
    mkdirSync(this.path);
    for (const directory of ['sub', 'empty']) mkdirSync(join(this.path, directory));
    for (const file of ['f', 'sub/f']) {
      const path = join(this.path, file);
      writeFileSync(path, `${SECRET} content`);
      setXattr(Buffer.from(path), Buffer.from('user.canary'), Buffer.from(`${SECRET} value`));
      chownSync(path, 12, 34);
      chmodSync(path, 0o640);
    }
    symlinkSync(`${SECRET} target`, join(this.path, 'link'));
  }

  /** Gives a tree to the owner of it all. */
  giveAway(path: string): void {
    if (this.#owner === undefined) return;
    execFileSync('chown', ['-R', '-h', `${this.#owner.uid}:${this.#owner.gid}`, path]);
  }

  #forbid(path: string): void {
    try {
      const { dev, ino } = lstatSync(path, { bigint: true });
      this.#forbidden.set(identity(dev, ino), path);
    } catch {
      // not on this host
    }
  }

  /** Everything that changes an inode sets this time, also a change that was undone again. */
  #readChangeTimes(): string {
    return [...this.#before.keys()]
      .map(
        (name) =>
          `${name} ${lstatSync(join(this.path, name), { bigint: true, throwIfNoEntry: false })?.ctimeNs ?? 'missing'}`,
      )
      .join('\n');
  }

  /** The names next to the export, and what a guest made in any directory above it. */
  #readSurroundings(): string {
    const seen = [readdirSync(this.base).sort().join(' ')];
    for (let at = this.host; at !== '/'; at = dirname(at)) {
      seen.push(...readdirSync(at).filter((name) => name.startsWith(NEW_NAME)));
    }
    const { mode, uid, gid } = lstatSync(this.base);
    return [...seen, mode, uid, gid].join('\n');
  }

  /** To be called with every new session: learns through which mount the helper sees the export. */
  enter(client: WireClient): void {
    const { descriptor, errno } = client.request(requests.open('/', constants.O_DIRECTORY));
    if (descriptor === undefined) throw new Error(`cannot open the export: errno ${errno}`);
    const [found, expected] = [fstatSync(descriptor), statSync(this.exportPath)];
    if (found.dev !== expected.dev || found.ino !== expected.ino)
      throw new Error('its root is not the export');
    this.#exportMount = mountOf(descriptor);
    closeSync(descriptor);
  }

  /** What changed outside since the beginning, as text; empty when nothing did. */
  changes(): string[] {
    const changes = [...new Set(this.#watch.take())];
    changes.push(...compareSnapshots(snapshot(this.path), this.#before));
    // what our own look did
    this.#watch.take();
    if (this.#readChangeTimes() !== this.#changeTimes) changes.push('the change time of something outside');
    if (this.#readSurroundings() !== this.#surroundings)
      changes.push(`next to the export: ${this.#readSurroundings()}`);
    return changes;
  }

  /** What a reply tells of the outside, or undefined. Closes the descriptor that came with it. */
  leak(type: number, { payload, descriptor }: Reply): string | undefined {
    if (descriptor !== undefined) return this.#leakByDescriptor(descriptor);
    if (payload.includes(SECRET)) return `bytes from outside: ${payload.toString('latin1')}`;
    if (type !== requestTypes.LSTAT || payload.length !== 116) return undefined;
    const found = this.#forbidden.get(identity(payload.readBigUInt64LE(0), payload.readBigUInt64LE(8)));
    return found === undefined ? undefined : `the attributes of ${found}`;
  }

  remove(): void {
    this.#watch.close();
    removeTree(this.base);
  }

  #leakByDescriptor(descriptor: number): string | undefined {
    try {
      const { dev, ino } = fstatSync(descriptor, { bigint: true });
      const found = this.#forbidden.get(identity(dev, ino));
      if (found !== undefined) return `an open descriptor of ${found}`;
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      // a helper with a mount of its own hands out descriptors whose path begins at the root of that mount
      const isInside = path.startsWith(this.base)
        ? path === this.exportPath || path.startsWith(`${this.exportPath}/`)
        : mountOf(descriptor) === this.#exportMount;
      return isInside ? undefined : `an open descriptor of ${path}`;
    } finally {
      closeSync(descriptor);
    }
  }
}

/** An export and its outside for one test, removed however the test ends. */
export function outsideForTest(owner?: Owner): Outside {
  const outside = new Outside(owner);
  onTestFinished(() => {
    outside.remove();
  });
  return outside;
}
