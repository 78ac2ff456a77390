import fs from 'node:fs';
import { progress } from '../progress.js';
import { BenchMachine, type ShareKind } from './machine.js';

export interface GuestResult {
  readonly files: number;
  readonly treeFiles: number;
  readonly megabytes: number;
  readonly slices: number;
  readonly mounts: Readonly<Record<ShareKind, string>>;
  /** Seconds of each slice by the name of the work. */
  readonly seconds: Readonly<Partial<Record<ShareKind, Readonly<Record<string, readonly number[]>>>>>;
}

const WARM_UP_FILES = 300;
/** How often data is written and read, whole each time. */
const DATA_SLICES = 5;

const ninep = '-t 9p -o trans=virtio,version=9p2000.L,msize=262144';
const mounts: Readonly<Record<ShareKind, string>> = {
  ours: ninep,
  reference: ninep,
  loop: ninep,
  local: ninep,
  virtiofs: '-t virtiofs',
};

/** In this order: each needs what the one before left. */
const manyFiles = ['create', 'list', 'chmod', 'read', 'rename', 'remove'];
const tree = ['untar', 'delete'];
const data = ['dd-write', 'dd-read'];

/** The same work over each kind of share, slice by slice in turns, within one boot of one guest. */
export async function measureGuest(quick: boolean): Promise<GuestResult | undefined> {
  if (!fs.existsSync('/usr/bin/qemu-system-x86_64')) return undefined;
  const files = quick ? 100 : 1000;
  const treeFiles = quick ? 200 : 3000;
  const megabytes = quick ? 8 : 64;
  const slices = quick ? 2 : 20;
  progress('guest: booting');
  const machine = await BenchMachine.boot(treeFiles, slices);
  const { kinds } = machine;
  const seconds: Partial<Record<ShareKind, Record<string, readonly number[]>>> = {};
  const work = async (name: string, amount: number, count: number): Promise<string> =>
    machine.run(`perl /bench/work.pl ${name} ${amount} ${count} ${kinds.join(' ')}`);
  const measure = async (name: string, amount: number, count: number): Promise<void> => {
    progress(`guest: ${name}`);
    for (const line of (await work(name, amount, count)).trim().split('\n')) {
      const [kind = '', ...times] = line.split(' ');
      seconds[kind as ShareKind] = { ...seconds[kind as ShareKind], [name]: times.map(Number) };
    }
  };
  try {
    await machine.run(
      kinds.map((kind) => `mkdir -p /mnt/${kind}; mount ${mounts[kind]} ${kind} /mnt/${kind}`).join('\n'),
    );
    for (const name of manyFiles) {
      // QEMU translates the guest's code when it first runs, V8 compiles the helper's
      progress(`guest: warming up, ${name}`);
      await work(name, quick ? files : WARM_UP_FILES, 1);
    }
    for (const name of manyFiles) await measure(name, files, slices);
    for (const name of tree) await measure(name, treeFiles, slices);
    for (const name of data) await measure(name, megabytes, quick ? 1 : DATA_SLICES);
  } finally {
    await machine.destroy();
  }
  return { files, treeFiles, megabytes, slices, mounts, seconds };
}
