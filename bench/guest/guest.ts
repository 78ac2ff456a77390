import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { DebianTree } from '../../harness/debian-tree.js';
import { progress } from '../progress.js';
import { hasPrograms } from './image.js';
import { BenchMachine } from './machine.js';
import { type ShareKind, sharesOfProxyDriver, sharesOfToday } from './shares.js';

/** What was measured of one guest. */
export interface GuestResult {
  readonly qemu: string;
  readonly kernel: string;
  readonly amounts: Amounts;
  readonly shares: readonly Pick<ShareKind, 'key' | 'title' | 'type' | 'options' | 'cached'>[];
  /** Seconds of each slice, by the share's key and the name of the work. */
  readonly seconds: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}

export interface Amounts {
  readonly files: number;
  readonly treeFiles: number;
  readonly slices: number;
  readonly megabytes: number;
  readonly reads: number;
  /** How often data is written and read, whole each time. */
  readonly dataSlices: number;
}

const full: Amounts = {
  files: 1000,
  treeFiles: 1000,
  slices: 10,
  // written 4 KiB at a time without a cache, which takes a minute and a half for a GiB
  megabytes: 256,
  reads: 1000,
  dataSlices: 2,
};
const few: Amounts = { files: 50, treeFiles: 40, slices: 2, megabytes: 16, reads: 50, dataSlices: 1 };

const WARM_UP_FILES = 300;

/** In this order: each needs what the one before left. */
const manyFiles = ['create', 'list', 'chmod', 'read', 'rename', 'remove'];
const tree = ['untar', 'git', 'delete'];
const data = ['dd-write', 'dd-read'];
const random = 'random-read';

/** The first releases of QEMU and Linux with all that is compared. */
const release = 'testing';
const packages = ['qemu-system-x86', 'linux-image-amd64', 'virtiofsd'];

/** Over the proxy driver, which QEMU had until 9.1. */
export async function measureProxyGuest(quick: boolean): Promise<GuestResult | undefined> {
  if (!hasPrograms || !fs.existsSync('/usr/bin/qemu-system-x86_64')) return undefined;
  return measure(sharesOfProxyDriver(), quick ? few : full, undefined);
}

/** Over what a QEMU and a Linux of today have. */
export async function measureGuest(quick: boolean): Promise<GuestResult | undefined> {
  if (!hasPrograms) return undefined;
  progress('guest: making a Debian of its own');
  let debian;
  try {
    debian = new DebianTree(packages, { bare: release });
  } catch (error) {
    progress(
      `guest: left out, no tree of Debian ${release}: ${(error as Error).message.split('\n', 1)[0] ?? ''}`,
    );
    return undefined;
  }
  try {
    return await measure(sharesOfToday(), quick ? few : full, debian.path);
  } finally {
    debian.remove();
  }
}

/** The same work over each share, slice by slice in turns, within one boot of one guest. */
async function measure(
  shares: readonly ShareKind[],
  amounts: Amounts,
  debian: string | undefined,
): Promise<GuestResult> {
  const { files, treeFiles, slices, megabytes, reads, dataSlices } = amounts;
  progress('guest: booting');
  const machine = await BenchMachine.boot({ shares, tree: debian, treeFiles, slices });
  const keys = shares.map(({ key }) => key);
  const seconds: Record<string, Record<string, readonly number[]>> = {};
  const work = async (name: string, amount: number, count: number): Promise<string> =>
    machine.run(`perl /bench/work.pl ${name} ${amount} ${count} ${keys.join(' ')}`);
  const measureWork = async (name: string, amount: number, count: number): Promise<void> => {
    progress(`guest: ${name}`);
    for (const line of (await work(name, amount, count)).trim().split('\n')) {
      const [key = '', ...times] = line.split(' ');
      seconds[key] = { ...seconds[key], [name]: times.map(Number) };
    }
  };
  try {
    for (const name of manyFiles) {
      // QEMU translates the guest's code when it first runs, V8 compiles the helper's
      progress(`guest: warming up, ${name}`);
      await work(name, Math.min(files, WARM_UP_FILES), 1);
    }
    for (const name of manyFiles) await measureWork(name, files, slices);
    for (const name of tree) await measureWork(name, treeFiles, slices);
    // all read the same file, so that a run does not fill the host's memory
    execFileSync(
      'dd',
      ['if=/dev/zero', `of=${path.join(machine.exported, 'data')}`, 'bs=1M', `count=${megabytes}`],
      {
        stdio: 'ignore',
      },
    );
    for (const name of data) await measureWork(name, megabytes, dataSlices);
    await measureWork(random, reads, dataSlices);
  } finally {
    await machine.destroy();
  }
  const described = shares.map(({ key, title, type, options, cached }) => ({
    key,
    title,
    type,
    options,
    cached,
  }));
  return { qemu: qemuVersion(debian), kernel: machine.kernel, amounts, shares: described, seconds };
}

function qemuVersion(debian: string | undefined): string {
  const words = [...(debian === undefined ? [] : ['chroot', debian]), 'qemu-system-x86_64', '--version'];
  const [program = '', ...argv] = words;
  return /version (\S+)/.exec(execFileSync(program, argv, { encoding: 'utf8' }))?.[1] ?? 'unknown';
}
