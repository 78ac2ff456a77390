/** Random names and paths: mostly good ones, written in all the ways a path can be written, and some that cannot work. */
import type { Random } from '../../harness/random.js';
import type { Node, TreeModel } from './tree-model.js';

const LONGEST_NAME = 255;
/** Longer paths are a deliberate difference, so these tests stay below. */
const LONGEST_PATH = 4_095;

/**
 * Names of fifos, sockets and devices begin so, and no other name and no symlink's last component does. Then no symlink
 * ever leads to one: opening a fifo would block the reference for ever, and it really opens devices.
 */
export const SPECIAL_PREFIX = 'special-';

const fewNames = [
  'a',
  'b',
  'c',
  'file',
  'dir',
  'x y',
  'new\nline',
  '\xff\xfe',
  '...',
  '-n',
  '\\',
  '*',
  'caf\xc3\xa9',
  '.hidden',
];

export class Names {
  readonly #random: Random;
  readonly #tree: TreeModel;

  constructor(random: Random, tree: TreeModel) {
    this.#random = random;
    this.#tree = tree;
  }

  /** A name for a new object. Names come from a small set often enough to meet each other. */
  fresh(prefix = ''): string {
    const random = this.#random;
    const choice = random.below(100);
    if (choice < 30) return `${prefix}${random.pick(fewNames)}`;
    if (choice < 85) return `${prefix}n${random.below(400).toString(36)}`;
    if (choice < 92) return `${prefix}${this.#anyBytes(1 + random.below(12))}`;
    return this.long(prefix);
  }

  /** A name of 100 to 255 bytes, often of exactly 255. */
  long(prefix = ''): string {
    const random = this.#random;
    const length = random.chance(0.7) ? LONGEST_NAME : 100 + random.below(LONGEST_NAME - 100);
    const filler = String.fromCharCode(0x80 + random.below(0x80));
    return `${prefix}${this.#anyBytes(8)}`.padEnd(length, filler);
  }

  /** A path for a new object in `parent`, for the request. */
  inside(parent: Node, name: string): Buffer {
    const path = this.#tree.pathOf(parent);
    return this.#bytes(`${this.#decorated(path)}/${name}`, `${path}/${name}`);
  }

  /** A path that names an existing object. */
  existing(node: Node): Buffer {
    const path = this.#tree.pathOf(node) || '/';
    return this.#bytes(this.#decorated(path), path);
  }

  /** A path on which most requests fail, each in its own way. */
  bad(): Buffer {
    const random = this.#random;
    const directory = this.#tree.pathOf(this.#tree.pickDirectory(random));
    const choices = [
      `${directory}/missing${random.below(10)}`,
      `${directory}/.`,
      `${directory}/..`,
      '..',
      '/',
    ];
    return random.chance(0.4) ? this.#bytes(random.pick(choices)) : this.hopeless();
  }

  /** A path at which nothing can be made either: nothing appears in the tree that the model does not know. */
  hopeless(): Buffer {
    const random = this.#random;
    const directory = this.#tree.pathOf(this.#tree.pickDirectory(random));
    const file = this.#tree.pick(random, 'file', 'device');
    const filePath = file === undefined ? '/nothing' : this.#tree.pathOf(file);
    const choices = [
      `${directory}/missing/below`,
      `${filePath}/below`,
      `${filePath}/`,
      `${filePath}/.`,
      `${filePath}/../${file?.name ?? 'nothing'}`,
      '',
      `/${'n'.repeat(LONGEST_NAME + 1)}`,
      `${directory}/${'n'.repeat(LONGEST_NAME + 1)}/x`,
      '/../../../etc/passwd',
      `${'/'.repeat(LONGEST_PATH - 3)}m/b`,
      `${directory}/missing/../x`,
    ];
    return this.#bytes(random.pick(choices));
  }

  /** Text for a symlink `name` in `from`: usually something that exists, seldom something impossible. */
  target(from: Node, name: string): string {
    const random = this.#random;
    const choice = random.below(100);
    const node = this.#tree.pick(random, 'directory', 'directory', 'file', 'symlink') ?? this.#tree.root;
    if (choice < 45) return this.#tree.pathOf(node) || '/';
    if (choice < 70) {
      const up = '../'.repeat(this.#tree.depthOf(from));
      return `${up}${this.#tree.pathOf(node).slice(1)}` || '.';
    }
    if (choice < 80) return 'dangling/target';
    if (choice < 88) return this.fresh();
    if (choice < 92) return '/../../../etc/passwd';
    if (choice < 95) return name; // a loop
    if (choice < 97) return 't'.repeat(LONGEST_PATH - random.below(3));
    return random.pick(['', 't'.repeat(LONGEST_PATH + 1), '.', '..', '/']);
  }

  #anyBytes(length: number): string {
    let name = '';
    while (name.length < length) {
      const byte = 1 + this.#random.below(255);
      if (byte !== 0x2f) name += String.fromCharCode(byte);
    }
    return name;
  }

  /** The same place, written differently. */
  #decorated(path: string): string {
    const random = this.#random;
    if (!random.chance(0.25)) return path;
    switch (random.below(7)) {
      case 0:
        return path.replaceAll('/', '//');
      case 1:
        return path.replaceAll('/', '/./');
      case 2:
        return `/../..${path}`;
      case 3:
        return path.slice(1);
      case 4:
        return `${path}/`;
      case 5:
        return this.#throughParent(path);
      default:
        return this.#throughSymlink(path);
    }
  }

  /** `/a/b` as `/a/b/../b` if `/a/b` can be a directory, else as `/a/d/../b` with another directory `d`. */
  #throughParent(path: string): string {
    const detour = this.#tree.pickDirectory(this.#random);
    const way = this.#tree.pathOf(detour);
    return `${way}${'/..'.repeat(this.#tree.depthOf(detour))}${path}`;
  }

  /** `/x/link/b` for `/a/b` where link points to `/a`. */
  #throughSymlink(path: string): string {
    const link = this.#tree.pick(this.#random, 'symlink');
    const target = link?.inode.target ?? '';
    // Not if it leads elsewhere by now: a new object would be where the model does not know it.
    if (link === undefined || !target.startsWith('/') || this.#tree.findDirectory(target) === undefined)
      return path;
    if (target === '/') return `${this.#tree.pathOf(link)}${path}`;
    return path.startsWith(`${target}/`) ? `${this.#tree.pathOf(link)}${path.slice(target.length)}` : path;
  }

  /** A path as QEMU sends it is sometimes with the NUL at its end. What is too long is written plainly, or not at all. */
  #bytes(path: string, plain = ''): Buffer {
    const short = [path, plain].find(({ length }) => length <= LONGEST_PATH) ?? '/too-long/for/a/path';
    return Buffer.from(this.#random.chance(0.4) ? `${short}\0` : short, 'latin1');
  }
}
