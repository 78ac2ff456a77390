/**
 * A guest with a real v9fs client that boots in a few seconds: User Mode Linux, a kernel that runs as a process. Its root
 * is the host's, read-only, so it has the host's programs. It has its own network and, on `/mnt/disk`, a file system of
 * its own: a server that it mounts runs inside it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './patience.js';

const PROGRAM = '/usr/bin/linux.uml';
const MODULES = '/usr/lib/uml/modules';
const BOOT_TIMEOUT = 60_000 * patience;
const SCRIPT_TIMEOUT = 60_000 * patience;
const END_TIMEOUT = 20_000 * patience;
/** Where the serial line is among the descriptors of the guest's kernel. */
const LINE = 3;

/** Why there is no such guest here, or undefined if there is. */
export function whyNoUml(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: the guest uses the files of the host';
  if (!existsSync(PROGRAM)) return `${PROGRAM} is not installed (Debian: user-mode-linux)`;
  return undefined;
}

export interface ScriptResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface GuestOptions {
  /** The size of the ext4 on /mnt/disk, in MiB. */
  readonly disk?: number;
  readonly memory?: number;
  /** Another kernel than Debian's, without modules and disks. */
  readonly kernel?: string;
  /** More words of the kernel's command line. */
  readonly words?: readonly string[];
}

interface Waiter {
  readonly number: number;
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

const running = new Set<UmlGuest>();
process.on('exit', () => {
  for (const guest of running) guest.kill();
});

export class UmlGuest {
  /** A directory of the host, which the guest has at /mnt/host. */
  readonly directory: string;
  readonly #kernel: ChildProcess;
  readonly #line: Duplex;
  readonly #ended: Promise<void>;
  #received = '';
  #waiter: Waiter | undefined;
  #number = 0;
  #end: string | undefined;

  private constructor({ disk = 128, memory = 384, kernel, words = [] }: GuestOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'uml-guest-'));
    const image = join(this.directory, 'disk.img');
    execFileSync('truncate', ['--size', `${disk}M`, image]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', '-E', 'lazy_itable_init=1', image]);
    const log = openSync(join(this.directory, 'console.log'), 'a');
    // setpriv: the guest goes with its starter, however that ends
    this.#kernel = spawn(
      'setpriv',
      [
        '--pdeathsig=KILL',
        kernel ?? PROGRAM,
        ...[`mem=${memory}M`, 'quiet', 'rootfstype=hostfs', 'ro', ...words],
        ...(kernel === undefined ? [`ubd0=${image}`] : []),
        ...[`init=${join(import.meta.dirname, 'uml-init.sh')}`, `uml_host=${this.directory}`],
        ...[
          `uml_dir=${this.directory}`,
          'con=null',
          'con0=null,fd:1',
          'ssl=null',
          `ssl0=fd:${LINE},fd:${LINE}`,
        ],
      ],
      { stdio: ['ignore', log, log, 'pipe'], detached: true },
    );
    closeSync(log);
    running.add(this);
    this.#line = this.#kernel.stdio[LINE] as Duplex;
    this.#line.on('error', () => undefined); // the end of the process follows
    this.#line.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      this.#deliver();
    });
    this.#ended = once(this.#kernel, 'exit').then(
      ([status, signal]: (number | string | null)[]) => {
        running.delete(this);
        this.#fail(`the guest ended: ${String(status ?? signal)}`);
      },
      (error: unknown) => {
        this.#fail(`the guest did not start: ${String(error)}`);
      },
    );
  }

  static async boot(options: GuestOptions = {}): Promise<UmlGuest> {
    const guest = new UmlGuest(options);
    try {
      await guest.#reply(0, BOOT_TIMEOUT, 'the guest did not boot');
    } catch (error) {
      await guest.destroy();
      throw error;
    }
    return guest;
  }

  /** Runs a script of bash in the guest, whatever its exit status. */
  async attempt(script: string, timeout = SCRIPT_TIMEOUT): Promise<ScriptResult> {
    const number = ++this.#number;
    const file = (kind: string): string => join(this.directory, `${number}.${kind}`);
    writeFileSync(file('script'), script);
    const reply = this.#reply(number, timeout, `the script did not end\n--- script\n${script}`);
    this.#line.write(`${number}\n`);
    const status = await reply;
    const [stdout = '', stderr = ''] = ['stdout', 'stderr'].map((kind) => readFileSync(file(kind), 'latin1'));
    for (const kind of ['script', 'stdout', 'stderr']) rmSync(file(kind));
    return { status, stdout, stderr };
  }

  /** Runs a script of bash in the guest, which has to succeed. @returns what it printed, less the line ends after it */
  async run(script: string, timeout?: number): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(`set -e\n${script}`, timeout);
    if (status !== 0) {
      const text = `the guest's script exited with ${status}\n--- script\n${script}\n--- output\n${stdout}`;
      throw new Error(`${text}\n--- errors\n${stderr}${this.#console()}`);
    }
    return stdout.replace(/\n+$/, '');
  }

  /** Loads modules of the guest's kernel that are not there from the start, such as `vsock_loopback`. */
  async load(...names: readonly string[]): Promise<void> {
    const [release = ''] = readdirSync(MODULES);
    const lines = readFileSync(join(MODULES, release, 'modules.dep'), 'utf8').split('\n');
    const files = names.flatMap((name) => {
      const line = lines.find((each) => each.split(':')[0]!.endsWith(`/${name}.ko`));
      if (line === undefined) throw new Error(`User Mode Linux has no module ${name}`);
      return line.replace(':', '').split(' ').reverse();
    });
    const paths = [...new Set(files)].map((file) => join(MODULES, release, file));
    await this.run(paths.map((path) => `insmod ${path} 2>/dev/null || true`).join('\n'));
  }

  /** Turns the guest off, as a test of its end; `destroy` in any case. */
  async powerOff(): Promise<void> {
    void this.attempt('sync; poweroff -f', END_TIMEOUT).catch(() => undefined); // it never answers
    const late = sleep(END_TIMEOUT, 'late' as const, { ref: false });
    if ((await Promise.race([this.#ended, late])) === 'late') throw new Error(`no end${this.#console()}`);
  }

  /** Ends what still runs and removes every file; to be called in any case. */
  async destroy(): Promise<void> {
    this.kill();
    await this.#ended;
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The processes of the guest are those of one group. */
  kill(): void {
    if (this.#kernel.pid === undefined || this.#end !== undefined) return;
    try {
      process.kill(-this.#kernel.pid, 'SIGKILL');
    } catch {
      // it has just ended
    }
  }

  #reply(number: number, timeout: number, late: string): Promise<number> {
    if (this.#waiter !== undefined) throw new Error('the guest runs one script at a time');
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) {
        reject(new Error(`${this.#end}${this.#console()}`));
        return;
      }
      const timer = setTimeout(() => {
        this.#fail(`${late}\n--- within ${timeout / 1000} s`);
        this.kill();
      }, timeout);
      this.#waiter = {
        number,
        resolve: (status) => {
          clearTimeout(timer);
          resolve(status);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #deliver(): void {
    const end = this.#received.indexOf('\n');
    if (end < 0 || this.#waiter === undefined) return;
    const [number, status] = this.#received.slice(0, end).split(' ').map(Number);
    this.#received = this.#received.slice(end + 1);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (number === waiter.number) waiter.resolve(status!);
    else waiter.reject(new Error(`the guest answers script ${number} instead of ${waiter.number}`));
  }

  #fail(reason: string): void {
    const text = `${reason}${this.#console()}`;
    this.#end ??= reason;
    this.#waiter?.reject(new Error(text));
    this.#waiter = undefined;
  }

  #console(): string {
    const file = join(this.directory, 'console.log');
    const text = existsSync(file) ? readFileSync(file, 'latin1').trimEnd() : '';
    return `\n--- console\n${text.split(/\r?\n/).slice(-25).join('\n')}`;
  }
}
