/** A tree with its own systemd running as process 1: systemd-nspawn(1). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DebianTree } from './debian-tree.js';

const BOOT_MS = 60_000;

/** An argument of systemd: from 256 on it does not start on a machine whose control groups are of version 1 otherwise. */
const OLD_GROUPS = 'SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1';

/** For nspawn: the control groups of version 2 alone, whatever this machine has. */
const UNIFIED_GROUPS = { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' };

export interface BootOptions {
  /** Directories of this machine by the path at which the tree has them. */
  readonly binds?: Readonly<Record<string, string>>;
  /** For systemd from 258 on, which knows no control groups of version 1. */
  readonly unified?: boolean;
}

export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class BootedTree {
  readonly #nspawn: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #consoleLog: string;
  readonly #groups: readonly string[];
  #systemd: number | undefined;
  readonly #abandon = (): void => {
    // the first process takes all others of its namespace with it
    spawnSync('kill', ['-KILL', String(this.#systemd)], { stdio: 'ignore' });
    this.#nspawn.kill('SIGKILL');
  };

  private constructor(tree: DebianTree, { binds = {}, unified = false }: BootOptions) {
    this.#consoleLog = `${tree.path}.console`;
    // where control groups are of two kinds nspawn fails over the groups that an earlier one left behind
    this.#groups = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified']
      .filter((hierarchy) => fs.existsSync(hierarchy))
      .map((hierarchy) => `${hierarchy}/${path.basename(tree.path)}`);
    const log = fs.openSync(this.#consoleLog, 'w');
    // not registered, and in our own control group: this machine need not run systemd itself
    const options = ['--boot', '--quiet', '--register=no', '--keep-unit', '--private-network'];
    const bindOptions = Object.entries(binds).map(([inside, outside]) => `--bind=${outside}:${inside}`);
    const enter = this.#groups.map((group) => `mkdir '${group}' && echo $$ > '${group}/cgroup.procs'`);
    this.#nspawn = spawn(
      'sh',
      [
        ...['-c', [...enter, 'exec systemd-nspawn "$@"'].join(' && '), 'sh'],
        ...[...options, ...bindOptions, `--directory=${tree.path}`, OLD_GROUPS],
      ],
      { stdio: ['ignore', log, log], env: { ...process.env, ...(unified && UNIFIED_GROUPS) } },
    );
    fs.closeSync(log);
    this.#ended = new Promise((resolve) => {
      this.#nspawn.once('error', resolve);
      this.#nspawn.once('exit', resolve);
    });
    process.once('exit', this.#abandon);
  }

  /** Returns when systemd has started all that belongs to the start. */
  static async boot(tree: DebianTree, options: BootOptions = {}): Promise<BootedTree> {
    const booted = new BootedTree(tree, options);
    const deadline = Date.now() + BOOT_MS;
    while (!booted.#isRunning()) {
      if (Date.now() > deadline || booted.#nspawn.exitCode !== null) {
        const console = fs.readFileSync(booted.#consoleLog, 'utf8');
        booted.#abandon();
        throw new Error(`the tree did not boot; its console:\n${console}`);
      }
      await sleep(200);
    }
    return booted;
  }

  /** Runs a shell command as root, whatever its exit status. */
  attempt(command: string): CommandResult {
    if (this.#systemd === undefined) throw new Error('the tree does not run');
    const words = ['--target', String(this.#systemd), '--all', '--', 'sh', '-c', command];
    return spawnSync('nsenter', words, { encoding: 'utf8', env: { PATH: process.env['PATH'] } });
  }

  /** Runs a shell command as root, which has to succeed; returns what it printed, less the line end after it. */
  run(command: string): string {
    const { status, stdout, stderr } = this.attempt(command);
    if (status !== 0) throw new Error(`${command}\nexited with ${status}\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, '');
  }

  /** Where a path of the running tree is for this machine, what is mounted there too. */
  at(inside: string): string {
    return `/proc/${this.#systemd}/root${inside}`;
  }

  /** One property of a unit, as `systemctl show` tells it. */
  property(unit: string, name: string): string {
    return this.run(`systemctl show --property=${name} --value '${unit}'`);
  }

  /** Shuts down, or kills what does not. */
  async powerOff(): Promise<void> {
    this.#nspawn.kill('SIGTERM');
    const late = setTimeout(this.#abandon, 15_000);
    await this.#ended;
    clearTimeout(late);
    process.off('exit', this.#abandon);
    this.#groups.forEach(removeGroup);
    fs.rmSync(this.#consoleLog, { force: true });
  }

  #isRunning(): boolean {
    this.#systemd ??= firstChild(this.#nspawn.pid);
    return this.#systemd !== undefined && this.attempt('systemctl is-system-running').stdout === 'running\n';
  }
}

/** Removes a control group with those below it, as far as nobody is in them. */
function removeGroup(group: string): void {
  spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
}

/** The process that nspawn started, once it has become systemd. */
function firstChild(pid: number | undefined): number | undefined {
  try {
    const child = Number.parseInt(fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), 10);
    return fs.readFileSync(`/proc/${child}/comm`, 'utf8') === 'systemd\n' ? child : undefined;
  } catch {
    return undefined;
  }
}
