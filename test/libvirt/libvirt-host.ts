/** A host of its own for libvirt's daemons: nothing of this machine's changes, and all ends with one process. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { helperUnderTest } from '../../harness/guest/helper.js';
import { repositoryRoot } from '../../harness/guest/repository.js';

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const namespaces = ['--mount', '--pid', '--net', '--uts', '--ipc'];

export class LibvirtHost {
  /** Where the documented commands are run: what the package installs for libvirt. */
  readonly directory: string;
  readonly #process: ChildProcess;
  #init = 0;

  private constructor() {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-libvirt-'));
    // QEMU's user passes through.
    fs.chmodSync(this.directory, 0o711);
    for (const name of ['programs', 'private']) fs.mkdirSync(path.join(this.directory, name));
    fs.symlinkSync(helperUnderTest, path.join(this.directory, 'programs', 'virtfs-proxy-helper'));
    fs.cpSync(path.join(repositoryRoot, 'libvirt'), path.join(this.directory, 'libvirt'), {
      recursive: true,
    });
    const script = path.join(repositoryRoot, 'test', 'libvirt', 'host.sh');
    this.#process = spawn(
      'unshare',
      [
        ...[...namespaces, '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
        ...['sh', script, path.join(this.directory, 'private')],
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
  }

  static async start(): Promise<LibvirtHost> {
    const host = new LibvirtHost();
    try {
      await host.#ready();
      return host;
    } catch (error) {
      await host.destroy();
      throw error;
    }
  }

  /** What `systemctl restart libvirtd` does, where a systemd runs. */
  startLibvirtd(): void {
    this.run('libvirtd --daemon');
  }

  /** Runs a shell script there as root, whatever its exit status. */
  attempt(script: string): Outcome {
    const programs = path.join(this.directory, 'programs');
    const PATH = `${programs}:${path.dirname(process.execPath)}:/usr/sbin:/usr/bin:/sbin:/bin`;
    const inDirectory = `cd '${this.directory}'\n${script}`;
    return spawnSync('nsenter', ['--target', String(this.#init), ...namespaces, 'sh', '-ec', inDirectory], {
      env: { PATH, LC_ALL: 'C' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
  }

  /** Runs a shell script there, which has to succeed; returns what it printed. */
  run(script: string): string {
    const { status, stdout, stderr } = this.attempt(script);
    if (status !== 0) throw new Error(`${script}\nexited with ${status ?? 'a signal'}: ${stdout}${stderr}`);
    return stdout.trimEnd();
  }

  /** The path from outside of what has this path there. */
  outside(inside: string): string {
    return `/proc/${this.#init}/root${inside}`;
  }

  /** The process ids there of the programs that go by this name. */
  processes(name: string): number[] {
    const directory = this.outside('/proc');
    return fs
      .readdirSync(directory)
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => commandLine(`${directory}/${pid}/cmdline`)[0]?.endsWith(name) === true)
      .map(Number);
  }

  /** Ends every process there, and with them their mounts; to be called in any case. */
  async destroy(): Promise<void> {
    const ended = once(this.#process, 'exit');
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill('SIGKILL');
      await ended;
    }
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const output = this.#process.stdout!;
    let said = '';
    for await (const chunk of output) {
      said += String(chunk);
      if (said.includes('ready\n')) break;
    }
    if (!said.includes('ready\n')) throw new Error('libvirt has no place to run (see above)');
    const child = fs.readFileSync(`/proc/${this.#process.pid!}/task/${this.#process.pid!}/children`, 'utf8');
    this.#init = Number(child.trim());
  }
}

function commandLine(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').split('\0');
  } catch {
    return []; // it has ended meanwhile
  }
}

/** Why libvirt cannot be tested here; undefined if it can. */
export function whyNoLibvirt(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start libvirt and its domains';
  const possible = spawnSync('unshare', [...namespaces, '--fork', '--mount-proc', 'true']);
  if (possible.status !== 0) return 'needs namespaces of its own, so that this machine stays as it is';
  const installed = ['libvirtd', 'virtlogd', 'virsh'].every((name) =>
    ['/usr/sbin', '/usr/bin'].some((directory) => fs.existsSync(path.join(directory, name))),
  );
  if (!installed) throw new Error('libvirt is not installed: run scripts/install-test-requirements');
  return undefined;
}
