import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type CpioEntry, cpioArchive } from '../../harness/guest/cpio.js';
import { guestImage } from '../../harness/guest/image.js';
import { repositoryRoot } from '../../harness/guest/repository.js';

/** What the work needs besides the tests' tools. GNU's tar is what people have; busybox's takes several times as long. */
const programs = ['perl', 'git', 'tar'];
const FILES_PER_DIRECTORY = 10;

/** Whether this machine has what the guest shall have. */
export const hasPrograms = programs.every((name) => fs.existsSync(`/usr/bin/${name}`));

export interface ImageOptions {
  /** A Debian of its own, whose kernel is taken; this machine's when left out. */
  readonly tree: string | undefined;
  readonly treeFiles: number;
  /** Archives that make up the tree, each a directory of it. */
  readonly slices: number;
}

/**
 * Writes the tests' guest with what the work here needs besides, as `kernel` and `initramfs`.
 *
 * @returns the kernel's release
 */
export function writeBenchImage(directory: string, { tree, treeFiles, slices }: ImageOptions): string {
  const { kernel, initramfs } = guestImage(tree, ['virtiofs']);
  const entries = new Map<string, CpioEntry>();
  const add = (target: string, mode: number, content?: Buffer): void => {
    const name = target.replace(/^\/+/, '');
    const parent = path.dirname(name);
    if (parent !== '.' && !entries.has(parent)) add(parent, fs.constants.S_IFDIR | 0o755);
    entries.set(name, content === undefined ? { path: name, mode } : { path: name, mode, content });
  };
  const addFile = (target: string, content: Buffer): void => {
    add(target, fs.constants.S_IFREG | 0o755, content);
  };
  for (const name of programs) {
    const program = `/usr/bin/${name}`;
    addFile(program, fs.readFileSync(program));
    for (const library of sharedLibraries(program)) addFile(library, fs.readFileSync(library));
  }
  addFile('/bench/work.pl', fs.readFileSync(path.join(repositoryRoot, 'bench', 'guest', 'work.pl')));
  for (let slice = 0; slice < slices; slice++) {
    addFile(`/bench/tree-${slice}.tar`, treeArchive(slice, treeFiles / slices));
  }
  // the kernel unpacks archives that follow each other one after the other
  const whole = path.join(directory, 'initramfs');
  fs.copyFileSync(initramfs, whole);
  fs.appendFileSync(whole, cpioArchive([...entries.values()]));
  fs.copyFileSync(kernel, path.join(directory, 'kernel'));
  return path.basename(kernel).replace('vmlinuz-', '');
}

function sharedLibraries(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listing.matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map(([, library = '']) => library);
}

function treeArchive(slice: number, files: number): Buffer {
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-bench-tree-'));
  try {
    for (let file = 0; file < files; file++) {
      const directory = path.join(
        place,
        'tree',
        String(slice),
        String(Math.floor(file / FILES_PER_DIRECTORY)),
      );
      fs.mkdirSync(directory, { recursive: true });
      // sizes as of source files: some hundred bytes to some thousand
      fs.writeFileSync(path.join(directory, `file-${file}`), Buffer.alloc(200 + ((file * 997) % 4000), 'x'));
    }
    return execFileSync('tar', ['-C', place, '-cf', '-', 'tree'], { maxBuffer: 256 * 1024 * 1024 });
  } finally {
    fs.rmSync(place, { recursive: true });
  }
}
