import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { GuestAgent } from '../../harness/guest/agent.js';
import { ended, launch, minimalLoops, ourHelper, referenceHelper } from '../contestants.js';
import { connectedPair } from '../libc.js';
import { writeBenchImage } from './image.js';

const virtiofsd = '/usr/lib/qemu/virtiofsd';
const MEMORY = '512M';
const BOOT_MS = 120_000;
/** Unpacking the tree on all shares takes longest. */
const SCRIPT_MS = 1_800_000;

export type ShareKind = 'ours' | 'reference' | 'loop' | 'local' | 'virtiofs';

/** Those that a helper serves. */
const helperKinds = { ours: ourHelper, reference: referenceHelper, loop: minimalLoops()[0] } as const;

/**
 * A guest with one directory shared in several ways, so that all do the same work on the same file system. QEMU runs as
 * root here, unlike in the tests: its `local` driver could not change owners otherwise.
 */
export class BenchMachine {
  readonly exported: string;
  readonly kinds: readonly ShareKind[];
  readonly #directory: string;
  readonly #agent: GuestAgent;
  readonly #processes: readonly ChildProcess[];

  private constructor(
    directory: string,
    exported: string,
    kinds: readonly ShareKind[],
    agent: GuestAgent,
    processes: readonly ChildProcess[],
  ) {
    this.#directory = directory;
    this.exported = exported;
    this.kinds = kinds;
    this.#agent = agent;
    this.#processes = processes;
  }

  /** @param treeFiles of a tree that is there to be unpacked in so many `slices` */
  static async boot(treeFiles: number, slices: number): Promise<BenchMachine> {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-bench-guest-'));
    const exported = path.join(directory, 'exported');
    fs.mkdirSync(exported, { mode: 0o755 });
    const image = writeBenchImage(directory, treeFiles, slices);
    const agent = await GuestAgent.listen(path.join(directory, 'agent.sock'));

    const helpers = Object.entries(helperKinds).flatMap(([kind, contestant]) => {
      if (contestant === undefined) return [];
      const [ours, theirs] = connectedPair();
      return [{ kind: kind as ShareKind, socket: ours, process: launch(contestant, exported, theirs) }];
    });
    const daemon = startVirtiofsd(exported, path.join(directory, 'virtiofs.sock'));
    if (daemon !== undefined) await daemon.listens;
    const shares = [
      ...helpers.flatMap(({ kind }, index) => [
        ...['-fsdev', `proxy,id=${kind},sock_fd=${3 + index}`],
        ...['-device', `virtio-9p-pci,fsdev=${kind},mount_tag=${kind}`],
      ]),
      ...['-fsdev', `local,id=local,path=${exported},security_model=passthrough`],
      ...['-device', 'virtio-9p-pci,fsdev=local,mount_tag=local'],
      ...(daemon?.qemuArguments ?? []),
    ];
    const sockets = helpers.map(({ socket }) => socket);
    const qemu = startQemu(directory, image, shares, sockets);
    for (const socket of sockets) fs.closeSync(socket);
    const processes = [
      qemu,
      ...helpers.map((helper) => helper.process),
      ...(daemon === undefined ? [] : [daemon.process]),
    ];
    const kinds: ShareKind[] = [
      ...helpers.map(({ kind }) => kind),
      'local',
      ...(daemon ? (['virtiofs'] as const) : []),
    ];
    const machine = new BenchMachine(directory, exported, kinds, agent, processes);
    qemu.once('exit', (status) => {
      agent.fail(new Error(`QEMU ended with ${status ?? 'a signal'}:\n${machine.#log('qemu.log')}`));
    });
    try {
      await agent.ready(BOOT_MS);
      if (daemon !== undefined) await machine.run('insmod /bench/fuse.ko; insmod /bench/virtiofs.ko');
    } catch (error) {
      await machine.destroy();
      throw error;
    }
    return machine;
  }

  /** Runs a script in the guest, which has to succeed. @returns its output */
  async run(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.#agent.run(`set -e\n${script}`, SCRIPT_MS);
    if (status !== 0) throw new Error(`the guest's script failed with ${status}: ${stderr}\n${script}`);
    return stdout.toString('latin1');
  }

  async destroy(): Promise<void> {
    this.#processes[0]?.kill('SIGKILL');
    this.#agent.close();
    await Promise.all(this.#processes.map(ended));
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }

  #log(name: string): string {
    return fs.readFileSync(path.join(this.#directory, name), 'latin1');
  }
}

interface Daemon {
  readonly process: ChildProcess;
  readonly listens: Promise<void>;
  readonly qemuArguments: readonly string[];
}

function startVirtiofsd(exported: string, socket: string): Daemon | undefined {
  if (!fs.existsSync(virtiofsd)) return undefined;
  const options = [`--socket-path=${socket}`, '-o', `source=${exported}`, '-o', 'cache=auto'];
  const process = spawn(virtiofsd, options, { stdio: 'ignore' });
  const listens = async (): Promise<void> => {
    for (let attempt = 0; !fs.existsSync(socket); attempt++) {
      if (attempt === 200 || process.exitCode !== null) throw new Error('virtiofsd does not listen');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return {
    process,
    listens: listens(),
    qemuArguments: [
      ...['-chardev', `socket,id=virtiofs,path=${socket}`],
      ...['-device', 'vhost-user-fs-pci,chardev=virtiofs,tag=virtiofs'],
    ],
  };
}

function startQemu(
  directory: string,
  image: { readonly kernel: string; readonly initramfs: string },
  shares: readonly string[],
  inherited: readonly number[],
): ChildProcess {
  const log = fs.openSync(path.join(directory, 'qemu.log'), 'a');
  const qemu = spawn(
    'setpriv',
    [
      ...['--pdeathsig=KILL', 'qemu-system-x86_64'],
      ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none', '-monitor', 'none'],
      ...['-machine', 'pc', '-accel', 'tcg', '-m', MEMORY, '-smp', '1'],
      // virtiofsd reads and writes the guest's memory
      ...['-object', `memory-backend-memfd,id=memory,size=${MEMORY},share=on`, '-numa', 'node,memdev=memory'],
      ...['-kernel', image.kernel, '-initrd', image.initramfs],
      ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable audit=0 apparmor=0'],
      ...['-serial', `file:${path.join(directory, 'serial.log')}`],
      ...['-chardev', `socket,id=agent,path=${path.join(directory, 'agent.sock')}`],
      ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=agent,nr=1'],
      ...shares,
    ],
    { stdio: ['ignore', log, log, ...inherited] },
  );
  fs.closeSync(log);
  return qemu;
}
