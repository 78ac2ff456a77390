import { type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GuestAgent } from '../../harness/guest/agent.js';
import { startQemu } from '../../harness/guest/emulator.js';
import { wordsForNetwork } from '../../harness/guest/share.js';
import { ended } from '../contestants.js';
import { writeBenchImage } from './image.js';
import { mountWords, type Served, type ShareKind } from './shares.js';

/** Of the guest, in MiB. */
const MEMORY = 1024;
const BOOT_MS = 180_000;
/** Unpacking the tree on all shares takes longest. */
const SCRIPT_MS = 3_600_000;

export interface MachineOptions {
  readonly shares: readonly ShareKind[];
  /** A Debian of its own, whose QEMU and kernel are taken; this machine's when left out. */
  readonly tree?: string | undefined;
  /** Files that are there to be unpacked, in so many slices. */
  readonly treeFiles: number;
  readonly slices: number;
}

/**
 * A guest with one directory shared in several ways, so that all do the same work on the same file system. QEMU runs as
 * root here, unlike in the tests: its `local` driver could not change owners otherwise.
 */
export class BenchMachine {
  readonly exported: string;
  /** The release of the guest's kernel. */
  kernel = '';
  readonly #directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-bench-guest-'));
  readonly #served: Served[] = [];
  #agent: GuestAgent | undefined;
  #qemu: ChildProcess | undefined;

  private constructor() {
    this.exported = path.join(this.#directory, 'exported');
    fs.mkdirSync(this.exported, { mode: 0o755 });
    fs.mkdirSync(path.join(this.#directory, 'run'));
  }

  /** Returns when all shares are mounted below /mnt, each in a directory of its key. */
  static async boot(options: MachineOptions): Promise<BenchMachine> {
    const machine = new BenchMachine();
    try {
      await machine.#start(options);
      return machine;
    } catch (error) {
      await machine.destroy();
      throw error;
    }
  }

  async #start({ shares, tree, treeFiles, slices }: MachineOptions): Promise<void> {
    const run = path.join(this.#directory, 'run');
    this.kernel = writeBenchImage(run, { tree, treeFiles, slices });
    const agent = await GuestAgent.listen(path.join(run, 'agent.sock'));
    this.#agent = agent;
    const inherited: number[] = [];
    const mounts: string[] = [];
    for (const kind of shares) {
      const served = await kind.serve({
        directory: this.#directory,
        exported: this.exported,
        tree,
        number: this.#served.length,
        nextDescriptor: 3 + inherited.length,
      });
      this.#served.push(served);
      if (served.inherited !== undefined) inherited.push(served.inherited);
      mounts.push(`mkdir -p /mnt/${kind.key}; mount ${mountWords(kind, served.way)} /mnt/${kind.key}`);
    }
    const words = [...this.#served.flatMap(({ way }) => way.qemuArguments), ...wordsForNetwork(this.#served)];
    const emulator = { ids: { uid: 0, gid: 0 }, words, memory: MEMORY, ...(tree !== undefined && { tree }) };
    this.#qemu = startQemu(this.#directory, emulator, inherited);
    for (const descriptor of inherited) fs.closeSync(descriptor);
    this.#qemu.once('exit', (status) => {
      agent.fail(new Error(`QEMU ended with ${status ?? 'a signal'}:\n${this.#log('qemu.log')}`));
    });
    await agent.ready(BOOT_MS);
    await this.run(mounts.join('\n'));
  }

  /** Runs a script in the guest, which has to succeed. @returns its output */
  async run(script: string): Promise<string> {
    if (this.#agent === undefined) throw new Error('the guest has not booted');
    const { status, stdout, stderr } = await this.#agent.run(`set -e\n${script}`, SCRIPT_MS);
    if (status !== 0) throw new Error(`the guest's script failed with ${status}: ${stderr}\n${script}`);
    return stdout.toString('latin1');
  }

  async destroy(): Promise<void> {
    this.#qemu?.kill('SIGKILL');
    this.#agent?.close();
    if (this.#qemu !== undefined) await ended(this.#qemu);
    await Promise.all(this.#served.map((served) => served.stop()));
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }

  #log(name: string): string {
    return fs.readFileSync(path.join(this.#directory, name), 'latin1');
  }
}
