import fs from 'node:fs';
import { progress } from '../progress.js';
import { BenchMachine, type ShareKind } from './machine.js';

export interface GuestResult {
  readonly files: number;
  readonly treeFiles: number;
  readonly megabytes: number;
  readonly rounds: number;
  /** Of these, so many with the tree, which takes most of the time. */
  readonly treeRounds: number;
  readonly mounts: Readonly<Record<ShareKind, string>>;
  /** Seconds by the name of the work, of each round that it was done in. */
  readonly seconds: Readonly<Partial<Record<ShareKind, Readonly<Record<string, readonly number[]>>>>>;
}

/** No new round begins after this time: on a slow machine one alone takes minutes. */
const LIMIT_MS = 840_000;
/** In every how manieth round the tree is unpacked, too. */
const TREE_EVERY = 5;

const ninep = '-t 9p -o trans=virtio,version=9p2000.L,msize=262144';
const mounts: Readonly<Record<ShareKind, string>> = {
  ours: ninep,
  reference: ninep,
  loop: ninep,
  local: ninep,
  virtiofs: '-t virtiofs',
};

/** The same work over each kind of share in turns, within one boot of one guest. */
export async function measureGuest(quick: boolean): Promise<GuestResult | undefined> {
  if (!fs.existsSync('/usr/bin/qemu-system-x86_64')) return undefined;
  const files = quick ? 100 : 1000;
  const treeFiles = quick ? 200 : 3000;
  const megabytes = quick ? 8 : 64;
  const most = quick ? 1 : 6;
  progress('guest: booting');
  const machine = await BenchMachine.boot(treeFiles);
  const samples = new Map<ShareKind, Map<string, number[]>>();
  const end = Date.now() + LIMIT_MS;
  let rounds = 0;
  let treeRounds = 0;
  /** @returns the seconds by the name of the work */
  const work = async (kind: ShareKind, count: number, tree: boolean): Promise<Map<string, number>> => {
    const program = `perl /bench/work.pl /mnt/${kind} ${count} ${megabytes} ${tree ? '/bench/tree.tar' : ''}`;
    const mount = `mkdir -p /mnt/${kind}; mount ${mounts[kind]} ${kind} /mnt/${kind}`;
    const output = await machine.run(`${mount}\n${program}\numount /mnt/${kind}`);
    return new Map(
      [...output.matchAll(/^(\S+) ([\d.]+)$/gm)].map(([, name = '', seconds]) => [name, Number(seconds)]),
    );
  };
  try {
    for (const kind of machine.kinds) {
      // QEMU translates the guest's code when it first runs, V8 compiles the helper's
      progress(`guest: warming up, ${kind}`);
      await work(kind, Math.min(files, 300), false);
    }
    for (; rounds < most && Date.now() < end; rounds++) {
      const tree = rounds % TREE_EVERY === 0;
      if (tree) treeRounds++;
      // who goes first changes with every round
      const order = machine.kinds.map((_, index) => machine.kinds[(index + rounds) % machine.kinds.length]);
      for (const kind of order) {
        if (kind === undefined) continue;
        progress(`guest: round ${rounds + 1} of ${most}, ${kind}`);
        const times = samples.get(kind) ?? new Map<string, number[]>();
        samples.set(kind, times);
        for (const [name, seconds] of await work(kind, files, tree)) {
          times.set(name, [...(times.get(name) ?? []), seconds]);
        }
      }
    }
  } finally {
    await machine.destroy();
  }
  const seconds = [...samples].map(([kind, times]) => [kind, Object.fromEntries(times)] as const);
  return { files, treeFiles, megabytes, rounds, treeRounds, mounts, seconds: Object.fromEntries(seconds) };
}
