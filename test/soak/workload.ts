/** A mixture of requests that leaves the tree as it was after every step, so that any number of them can be made. */
import { constants, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setXattr } from '../../harness/libc.js';
import { Random } from '../../harness/random.js';
import { type Owner, type RequestName, requests, requestTypes } from '../../harness/requests.js';

const DIRECTORIES = 10;
const FILES = 20;
const root: Owner = { uid: 0, gid: 0 };
const user: Owner = { uid: 1000, gid: 1000 };

/** What the tree has to hold: directories, then the files in them. */
export const directories = Array.from({ length: DIRECTORIES }, (_, index) => `/d${index}`);
export const files = directories.flatMap((directory) =>
  Array.from({ length: FILES }, (_, index) => `${directory}/f${index}`),
);
export const link = '/link';
export const xattr = 'user.kept';

/** Makes what the steps need. */
export function fillTree(root: string): void {
  for (const directory of directories) mkdirSync(join(root, directory));
  for (const path of files) {
    writeFileSync(join(root, path), 'content');
    setXattr(Buffer.from(join(root, path)), Buffer.from(xattr), Buffer.from('value'));
  }
  symlinkSync('/d0/f0', join(root, link));
}

type Step = readonly Buffer[];
type StepMaker = (random: Random) => Step;

const file = (random: Random): string => random.pick(files);
const newName = (random: Random): string => `${random.pick(directories)}/new`;

const steps: readonly (readonly [weight: number, make: StepMaker])[] = [
  // one getattr of a guest
  [30, (r) => ((path) => [requests.lstat(path), requests.getversion(path)])(file(r))],
  [15, (r) => [requests.lstat(file(r))]],
  [8, (r) => [requests.lstat(`${file(r)}-missing`)]],
  [10, (r) => [requests.open(file(r), r.pick([constants.O_RDONLY, constants.O_RDWR]))]],
  [3, (r) => [requests.open(r.pick(directories), constants.O_DIRECTORY)]],
  [2, () => [requests.statfs('/')]],
  [4, () => [requests.readlink(link, 4_096)]],
  [4, (r) => [requests.lgetxattr(r.pick([0, 65_536]), file(r), xattr)]],
  [2, (r) => [requests.llistxattr(65_536, file(r))]],
  [2, (r) => [requests.chmod(file(r), r.pick([0o600, 0o644]))]],
  [2, (r) => [requests.chown(file(r), r.pick([root, user]))]],
  [2, (r) => [requests.utime(file(r), [1n, 0n], [BigInt(r.below(1_000_000)), 0n])]],
  [1, (r) => [requests.truncate(file(r), r.below(10_000))]],
  [
    2,
    (r) =>
      ((path) => [
        requests.lsetxattr(path, 'user.new', 'v'.repeat(r.below(200))),
        requests.lremovexattr(path, 'user.new'),
      ])(file(r)),
  ],
  [
    4,
    (r) =>
      ((path) => [
        requests.create(path, constants.O_CREAT | constants.O_RDWR, 0o644, user),
        requests.remove(path),
      ])(newName(r)),
  ],
  [2, (r) => ((path) => [requests.mkdir(user, path, 0o755), requests.remove(path)])(newName(r))],
  [
    1,
    (r) =>
      ((path) => [
        requests.mknod(user, path, constants.S_IFIFO | 0o600, 0),
        requests.open(path, 0),
        requests.remove(path),
      ])(newName(r)),
  ],
  [1, (r) => ((path) => [requests.symlink(user, 'somewhere', path), requests.remove(path)])(newName(r))],
  [2, (r) => ((path) => [requests.link(file(r), path), requests.remove(path)])(newName(r))],
  [
    2,
    (r) =>
      ((path) => [requests.rename(path, `${path}-moved`), requests.rename(`${path}-moved`, path)])(file(r)),
  ],
  // malformed: a length that the frame does not hold
  [1, () => [Buffer.from([requestTypes.LSTAT, 0, 0, 0, 2, 0, 0, 0, 255, 255])]],
];
const total = steps.reduce((sum, [weight]) => sum + weight, 0);

/** Requests without end. */
export class Workload {
  readonly #random: Random;
  #step: Step = [];
  #next = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  next(): Buffer {
    if (this.#next === this.#step.length) {
      let at = this.#random.below(total);
      const [, make] = steps.find(([weight]) => (at -= weight) < 0)!;
      this.#step = make(this.#random);
      this.#next = 0;
    }
    return this.#step[this.#next++]!;
  }
}

const namesByType = new Map(
  Object.entries(requestTypes).map(([name, type]) => [type as number, name as RequestName]),
);
export const nameOf = (bytes: Buffer): RequestName => namesByType.get(bytes.readUInt32LE(0))!;
