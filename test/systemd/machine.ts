/** A Debian that systemd has booted, with the package installed and an instance made as docs/systemd.md says. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BootedTree } from '../../harness/booted-tree.js';
import { DebianTree } from '../../harness/debian-tree.js';
import { shellBlocks } from '../../harness/documented.js';
import { globalModules, installPackage } from '../../harness/installed-package.js';
import { WireClient } from '../../harness/wire-client.js';

export const page = 'docs/systemd.md';

export const unit = (instance: string, kind: 'service' | 'socket'): string =>
  `virtfs-proxy-helper@${instance}.${kind}`;

/** One line of the helper's in the journal. */
export interface JournalLine {
  readonly message: string;
  /** syslog(3): 6 is info, 3 an error. */
  readonly priority: number;
}

export class SystemdMachine {
  readonly tree: DebianTree;
  readonly booted: BootedTree;
  /** The tree's /run/virtfs-proxy-helper as this machine sees it, to connect from here. */
  readonly #run: string;

  private constructor(tree: DebianTree, booted: BootedTree, run: string) {
    this.tree = tree;
    this.booted = booted;
    this.#run = run;
  }

  static async boot(): Promise<SystemdMachine> {
    const tree = new DebianTree(['systemd']);
    installPackage(tree);
    const run = fs.mkdtempSync(path.join(os.tmpdir(), 'systemd-run-'));
    fs.chmodSync(run, 0o755);
    return new SystemdMachine(
      tree,
      await BootedTree.boot(tree, { binds: { '/run/virtfs-proxy-helper': run } }),
      run,
    );
  }

  /** Runs the documented block of commands that has this in it, with the names of this tree. */
  documented(part: string): string {
    const blocks = shellBlocks(page).filter((block) => block.includes(part));
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) {
      throw new Error(`${page} has ${blocks.length} blocks of commands with ${part}`);
    }
    return this.booted.run(
      block.replaceAll('"$(npm root --global)"', globalModules).replaceAll('libvirt-qemu', 'nobody'),
    );
  }

  /** Writes the file of an instance. */
  configure(instance: string, ...lines: readonly string[]): void {
    fs.writeFileSync(
      this.tree.at(`/etc/virtfs-proxy-helper/${instance}.conf`),
      lines.map((line) => `${line}\n`).join(''),
    );
  }

  socketPath(instance: string): string {
    return path.join(this.#run, instance, '9p.sock');
  }

  connect(instance: string): WireClient {
    return WireClient.connect(this.socketPath(instance));
  }

  state(name: string): string {
    return this.booted.property(name, 'ActiveState');
  }

  /** What the helper of an instance has logged, oldest first. */
  journal(instance: string): JournalLine[] {
    return this.#entries(unit(instance, 'service'))
      .filter((entry) => entry['SYSLOG_IDENTIFIER'] === 'virtfs-proxy-helper')
      .map((entry) => ({ message: String(entry['MESSAGE']), priority: Number(entry['PRIORITY']) }));
  }

  /** All that the journal has on a unit, as text. */
  journalText(name: string): string {
    return this.#entries(name)
      .map((entry) => String(entry['MESSAGE']))
      .join('\n');
  }

  #entries(name: string): Record<string, unknown>[] {
    // what has been written to the journal's socket until now is read first
    const lines = this.booted.run(`journalctl --sync; journalctl --unit '${name}' --output json`);
    return lines
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async remove(): Promise<void> {
    await this.booted.powerOff();
    this.tree.remove();
    fs.rmSync(this.#run, { recursive: true, force: true });
  }
}
