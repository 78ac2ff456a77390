/** A guest: Debian's kernel of this machine, and an initramfs with busybox and the tools the checks need. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { cpioArchive, type CpioEntry } from './cpio.js';
import { repositoryRoot } from './repository.js';

export interface GuestImage {
  readonly kernel: string;
  readonly initramfs: string;
}

/** What the guest needs before it can mount; what these depend on is read from `modules.dep`. */
const wantedModules = ['virtio_pci', 'virtio_console', 'virtio_net', '9pnet_virtio', '9pnet_fd', '9p'];

/**
 * Busybox has most commands; these are the ones that show nanoseconds, xattrs, ACLs, other ids, or go deeper than
 * PATH_MAX. dash, because busybox's own shell prefers its built-in commands to those in PATH.
 */
export const guestTools = [
  'dash',
  'stat',
  'touch',
  'dd',
  'sha256sum',
  'setfattr',
  'getfattr',
  'setfacl',
  'getfacl',
  'setpriv',
  'truncate',
  'rm',
];

const busybox = '/bin/busybox';
const cacheDirectory = path.join(repositoryRoot, '.cache', 'guest');

/**
 * Builds the image, or takes the one built before from the same kernel, tools and init script.
 *
 * @param tree where another Debian lies, whose kernel and modules are taken
 * @param moreModules of the kernel, which init loads, too
 */
export function guestImage(tree = '/', moreModules: readonly string[] = []): GuestImage {
  const release = newestKernelRelease(tree);
  const kernel = path.join(tree, 'boot', `vmlinuz-${release}`);
  const init = fs.readFileSync(path.join(repositoryRoot, 'harness', 'guest', 'init.sh'));
  const modules = modulesInLoadOrder(path.join(tree, 'lib/modules', release), [
    ...wantedModules,
    ...moreModules,
  ]);
  const programs = guestTools.map(findProgram);
  const sources = [kernel, busybox, ...modules, ...programs];

  const key = createHash('sha256').update(init);
  for (const source of sources) {
    const { size, mtimeMs } = fs.statSync(source);
    key.update(`${source} ${size} ${mtimeMs}\n`);
  }
  const initramfs = path.join(cacheDirectory, `initramfs-${key.digest('hex').slice(0, 16)}.cpio`);
  if (!fs.existsSync(initramfs)) {
    fs.mkdirSync(cacheDirectory, { recursive: true });
    const unfinished = `${initramfs}.${process.pid}`;
    fs.writeFileSync(unfinished, initramfsContent(init, modules, programs));
    fs.renameSync(unfinished, initramfs);
  }
  return { kernel, initramfs };
}

function initramfsContent(init: Buffer, modules: readonly string[], programs: readonly string[]): Buffer {
  const entries = new Map<string, CpioEntry>();
  const add = (target: string, mode: number, rest: Omit<CpioEntry, 'path' | 'mode'> = {}): void => {
    const name = target.replace(/^\/+/, '');
    const parent = path.dirname(name);
    if (parent !== '.' && !entries.has(parent)) add(parent, fs.constants.S_IFDIR | 0o755);
    entries.set(name, { path: name, mode, ...rest });
  };
  const addFile = (target: string, source: string): void => {
    add(target, fs.constants.S_IFREG | 0o755, { content: fs.readFileSync(source) });
  };

  add('/init', fs.constants.S_IFREG | 0o755, { content: init });
  // The kernel opens it as init's standard streams, before devtmpfs is mounted.
  add('/dev/console', fs.constants.S_IFCHR | 0o600, { device: { major: 5, minor: 1 } });
  addFile('/bin/busybox', busybox);
  for (const module of modules) addFile(`/modules/${path.basename(module)}`, module);
  const order = modules.map((module) => `/modules/${path.basename(module)}\n`).join('');
  add('/modules/order', fs.constants.S_IFREG | 0o644, { content: Buffer.from(order) });
  for (const program of programs) {
    addFile(`/usr/bin/${path.basename(program)}`, program);
    for (const library of sharedLibraries(program)) addFile(library, library);
  }
  return cpioArchive([...entries.values()]);
}

function newestKernelRelease(tree: string): string {
  const releases = fs
    .readdirSync(path.join(tree, 'boot'))
    .filter((name) => name.startsWith('vmlinuz-'))
    .map((name) => name.slice('vmlinuz-'.length))
    .filter((release) => has9p(path.join(tree, 'lib/modules', release)))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const newest = releases.at(-1);
  if (newest === undefined) {
    throw new Error('no kernel with the 9p module in /boot: run scripts/install-test-requirements');
  }
  return newest;
}

/** Debian's kernels for clouds come without. */
function has9p(modules: string): boolean {
  const list = path.join(modules, 'modules.dep');
  return fs.existsSync(list) && fs.readFileSync(list, 'utf8').includes('/9p.ko');
}

function modulesInLoadOrder(directory: string, wanted: readonly string[]): string[] {
  const dependencies = new Map<string, string[]>();
  for (const line of fs.readFileSync(`${directory}/modules.dep`, 'utf8').split('\n')) {
    const [module, needed] = line.split(':');
    if (module !== undefined && needed !== undefined) {
      dependencies.set(module, needed.split(' ').filter(Boolean));
    }
  }
  const builtin = fs.readFileSync(path.join(directory, 'modules.builtin'), 'utf8').split('\n');
  const ordered = new Set<string>();
  for (const name of wanted) {
    const module = [...dependencies.keys()].find((file) => isModule(file, name));
    if (module === undefined && builtin.some((file) => isModule(file, name))) continue;
    if (module === undefined) throw new Error(`${directory} has no module ${name}`);
    // modules.dep names the closest dependency first.
    for (const needed of dependencies.get(module)!.toReversed()) ordered.add(`${directory}/${needed}`);
    ordered.add(`${directory}/${module}`);
  }
  return [...ordered];
}

/** Newer kernels have their modules compressed, with one more ending. */
function isModule(file: string, name: string): boolean {
  return path.basename(file).split('.')[0] === name;
}

export function findProgram(name: string): string {
  const candidates = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'].map((directory) => `${directory}/${name}`);
  const found = candidates.find((candidate) => fs.existsSync(candidate));
  if (found === undefined) throw new Error(`${name} is missing: run scripts/install-test-requirements`);
  return found;
}

function sharedLibraries(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listing.matchAll(/(?:=> |^\s*)(\/\S+)/gm)].map((match) => match[1]!);
}
