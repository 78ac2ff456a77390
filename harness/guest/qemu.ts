/** A virtual machine under QEMU's TCG, run by an unprivileged user, with one or more shares. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestAgent, type ScriptResult } from './agent.js';
import { type Emulator, startQemu, unprivileged } from './emulator.js';
import { errorLines } from './helper.js';
import { guestImage } from './image.js';
import { patience } from './patience.js';
import { type ForeignShare, Share, type ShareOptions, wordsForNetwork, wordsForQemu } from './share.js';

const bootTimeout = 180_000 * patience;
/** Less than a test may take, so that the failure tells what the logs say. */
const scriptTimeout = 25_000 * patience;
const endTimeout = 20_000 * patience;

export interface RunOptions {
  readonly timeout?: number;
  /** The guest's user; root when left out. */
  readonly as?: { readonly uid: number; readonly gid: number; readonly groups?: readonly number[] };
}

export interface MachineEnd {
  readonly qemu: number | string;
  readonly helpers: readonly {
    readonly tag: string;
    readonly end: number | string;
    readonly errors: readonly string[];
  }[];
}

export class Machine {
  readonly #directory: string;
  readonly #shares = new Map<string, Share>();
  #agent: GuestAgent | undefined;
  #qemu: ChildProcess | undefined;
  #qemuEnd: Promise<number | string> = Promise.resolve('never started');
  /** For an end that no one catches, such as by a signal: leaves as little as destroy() does. */
  readonly #abandon = (): void => {
    this.#killAll();
    removeTree(this.#directory);
  };

  private constructor() {
    this.#directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-guest-'));
    process.once('exit', this.#abandon);
  }

  /** Returns when the guest takes scripts; nothing is left behind when it does not get that far. */
  static boot(...shares: readonly (ShareOptions | ForeignShare)[]): Promise<Machine> {
    return Machine.bootWith({}, shares);
  }

  /** The same with another user or other words for QEMU. */
  static async bootWith(
    emulator: Emulator,
    shares: readonly (ShareOptions | ForeignShare)[],
  ): Promise<Machine> {
    const machine = new Machine();
    try {
      await machine.#start(emulator, shares);
      return machine;
    } catch (error) {
      await machine.destroy();
      throw error;
    }
  }

  async #start(emulator: Emulator, shares: readonly (ShareOptions | ForeignShare)[]): Promise<void> {
    const { ids = unprivileged, words = [] } = emulator;
    const image = guestImage(emulator.tree);
    const run = path.join(this.#directory, 'run');
    // QEMU's user passes through, and can change only `run`: it removes the helpers' sockets there.
    fs.chmodSync(this.#directory, 0o711);
    fs.mkdirSync(run, { mode: 0o700 });
    fs.chownSync(run, ids.uid, ids.gid);
    // The checkout may be out of the reach of QEMU's user.
    fs.copyFileSync(image.kernel, path.join(run, 'kernel'));
    fs.copyFileSync(image.initramfs, path.join(run, 'initramfs'));
    for (const file of ['kernel', 'initramfs']) fs.chmodSync(path.join(run, file), 0o644);

    const agent = await GuestAgent.listen(path.join(run, 'agent.sock'));
    this.#agent = agent;
    fs.chownSync(path.join(run, 'agent.sock'), ids.uid, ids.gid);
    const inherited: number[] = [];
    const place = { directory: this.#directory, run, ...ids };
    const foreign: string[] = [];
    for (const option of shares) {
      if ('socket' in option) {
        foreign.push(...wordsForQemu('-fsdev', option.tag, `socket=${option.socket}`));
        continue;
      }
      const setup = await Share.open(option, {
        ...place,
        number: this.#shares.size,
        nextDescriptor: 3 + inherited.length,
      });
      this.#shares.set(option.tag, setup.share);
      if (setup.inherited !== undefined) inherited.push(setup.inherited);
    }
    const shareArguments = [...this.#shares.values()].flatMap((share) => share.qemuArguments);
    const network = wordsForNetwork(this.#shares.values());
    const all = [...shareArguments, ...foreign, ...network, ...words];
    const qemu = startQemu(this.#directory, { ...emulator, words: all }, inherited);
    this.#qemu = qemu;
    for (const descriptor of inherited) fs.closeSync(descriptor);
    this.#qemuEnd = new Promise((resolve) => {
      qemu.once('error', (error) => {
        resolve(error.message);
      });
      qemu.once('exit', (status, signal) => {
        resolve(status ?? String(signal));
      });
    });
    void this.#qemuEnd.then((end) => {
      agent.fail(new Error(`QEMU ended: ${end}`));
    });
    await this.#explained(agent.ready(bootTimeout));
  }

  get qemuPid(): number {
    return this.#qemu!.pid!;
  }

  share(tag: string): Share {
    const share = this.#shares.get(tag);
    if (share === undefined) throw new Error(`this machine has no share ${tag}`);
    return share;
  }

  /** Runs a shell script in the guest, whatever its exit status. */
  async attempt(script: string, options: RunOptions = {}): Promise<ScriptResult> {
    const whole = options.as === undefined ? script : asUser(script, options.as);
    return this.#explained(this.#agent!.run(whole, options.timeout ?? scriptTimeout));
  }

  /** Runs a shell script in the guest, which has to succeed; returns what it printed, less the line ends after it. */
  async run(script: string, options: RunOptions = {}): Promise<string> {
    const result = await this.attempt(`set -e\n${script}`, options);
    const output = result.stdout.toString('latin1').replace(/\n+$/, '');
    if (result.status !== 0) {
      const text = `the guest's script exited with ${result.status}\n--- script\n${script}\n--- output\n${output}`;
      throw new Error(`${text}\n--- errors\n${result.stderr}${this.#logTails()}`);
    }
    return output;
  }

  /** Mounts a share on /mnt/TAG with these options added to the transport's. */
  async mount(tag: string, options = 'version=9p2000.L'): Promise<void> {
    await this.run(`mkdir -p /mnt/${tag}; ${this.mountCommand(tag, options)} /mnt/${tag}`);
  }

  /** All of the command but where. */
  mountCommand(tag: string, options: string): string {
    const { transport, source } = this.#shares.get(tag)?.way ?? { transport: 'trans=virtio', source: tag };
    return `mount -t 9p -o ${transport},${options} ${source}`;
  }

  async unmount(tag: string): Promise<void> {
    await this.run(`umount /mnt/${tag}`);
  }

  /** Turns the guest off and waits for QEMU and, on their own account, the helpers to end. */
  async powerOff(): Promise<MachineEnd> {
    void this.#agent!.run('sync; poweroff -f', endTimeout).catch(() => undefined); // it never answers
    const qemu = await inTime(this.#qemuEnd);
    const helpers = [];
    for (const { tag, helper } of this.#shares.values()) {
      const end = await inTime(helper.end);
      helpers.push({ tag, end, errors: errorLines(helper.log) });
    }
    return { qemu, helpers };
  }

  /** Ends what still runs and removes every file; to be called in any case. */
  async destroy(): Promise<void> {
    this.#killAll();
    await inTime(this.#qemuEnd);
    this.#agent?.close();
    for (const { helper } of this.#shares.values()) await inTime(helper.end);
    process.off('exit', this.#abandon);
    removeTree(this.#directory);
  }

  #killAll(): void {
    this.#qemu?.kill('SIGKILL');
    for (const { helper } of this.#shares.values()) helper.kill();
  }

  async #explained<T>(pending: Promise<T>): Promise<T> {
    try {
      return await pending;
    } catch (error) {
      await sleep(100); // let the last words reach the logs
      throw new Error(`${(error as Error).message}${this.#logTails()}`, { cause: error });
    }
  }

  #logTails(): string {
    const logs = [
      ['serial console', path.join(this.#directory, 'run', 'serial.log')],
      ['QEMU', path.join(this.#directory, 'qemu.log')],
      ...[...this.#shares.keys()].map((tag) => [
        `helper of ${tag}`,
        path.join(this.#directory, `${tag}.helper`),
      ]),
    ] as [string, string][];
    return logs.map(([name, file]) => `\n--- ${name}\n${tail(file)}`).join('');
  }
}

/** Without this a signal ends the program before it can clean up. */
export function exitOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(1));
  }
}

function asUser(script: string, { uid, gid, groups }: NonNullable<RunOptions['as']>): string {
  const groupOption = groups === undefined ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return `setpriv --reuid=${uid} --regid=${gid} ${groupOption} dash <<'END OF SCRIPT'\n${script}\nEND OF SCRIPT`;
}

async function inTime<T>(pending: Promise<T>): Promise<T | 'still running'> {
  const late = new AbortController();
  const timeout = sleep(endTimeout, 'still running' as const, { signal: late.signal });
  try {
    return await Promise.race([pending, timeout]);
  } finally {
    timeout.catch(() => undefined);
    late.abort();
  }
}

/** `rm` copes with paths longer than PATH_MAX, which `fs.rmSync` does not. */
function removeTree(directory: string): void {
  execFileSync('rm', ['-rf', '--', directory]);
}

function tail(file: string): string {
  if (!fs.existsSync(file)) return '(nothing)';
  return fs.readFileSync(file, 'latin1').trimEnd().split(/\r?\n/).slice(-25).join('\n');
}
