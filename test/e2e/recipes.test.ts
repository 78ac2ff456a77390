/** What docs/operations.md says of shares of a running machine, and of saving one, with every way to a share. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { type DebianTree, debianTesting } from '../../harness/debian-tree.js';
import { GuestAgent } from '../../harness/guest/agent.js';
import { startQemu, unprivileged } from '../../harness/guest/emulator.js';
import { Helper, type HelperEndpoint } from '../../harness/guest/helper.js';
import { guestImage } from '../../harness/guest/image.js';
import { Monitor, monitorAt } from '../../harness/guest/monitor.js';
import { codeBlocks, tableRows } from '../../harness/documented.js';
import { patience } from '../../harness/patience.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const MINUTE = 60_000 * patience;
const blocks = codeBlocks('docs/operations.md');

/** The only block that has these words. */
function block(words: string): string[] {
  const found = blocks.filter((text) => text.includes(words));
  expect(found, words).toHaveLength(1);
  return found[0]!.trimEnd().split('\n');
}

interface Way {
  readonly name: string;
  /** As the table of what is to be taken away calls it. */
  readonly row: string;
  readonly added: string;
  readonly mounted: string;
  /** In front of the path of the socket. */
  readonly listen: string;
  readonly words?: string;
}

const ways: readonly Way[] = [
  {
    name: "QEMU's proxy driver",
    row: 'proxy driver',
    added: 'fsdev=later,mount_tag',
    mounted: 'trans=virtio',
    listen: '',
    words: '-fsdev proxy,id=later',
  },
  {
    name: 'share, and a network card',
    row: 'network card',
    added: 'netdev_add',
    mounted: 'trans=tcp',
    listen: 'unix:',
  },
];
const ofNewQemu: Way = {
  name: 'share, and a device of the guest',
  row: 'vhost-user',
  added: 'chardev=later,virtio-id',
  mounted: 'trans=virtio',
  listen: 'vhost-user:',
};

/** A machine without a share, which can be saved. */
class RunningMachine {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'recipes-'));
  readonly run = path.join(this.directory, 'run');
  readonly exported = path.join(this.directory, 'exported');
  readonly #words: readonly string[];
  readonly #tree: string | undefined;
  #qemu: ChildProcess | undefined;
  #agent: GuestAgent | undefined;
  monitor!: Monitor;

  constructor(words: readonly string[], tree: string | undefined) {
    this.#words = words.map((word) => this.here(word));
    this.#tree = tree;
    fs.chmodSync(this.directory, 0o711);
    fs.mkdirSync(this.exported);
    fs.writeFileSync(path.join(this.exported, 'file'), 'of the host');
    fs.mkdirSync(this.run);
    fs.chownSync(this.run, unprivileged.uid, unprivileged.gid);
    const image = guestImage(tree);
    for (const [name, source] of Object.entries({ kernel: image.kernel, initramfs: image.initramfs })) {
      fs.copyFileSync(source, path.join(this.run, name));
      fs.chmodSync(path.join(this.run, name), 0o644);
    }
  }

  /** What the page says, in the directories of this test. */
  here(text: string): string {
    return text
      .replaceAll('/run/vm1', this.run)
      .replaceAll('/var/lib/vm1.state', path.join(this.run, 'state'))
      .replaceAll('/srv/later', this.exported);
  }

  async start(incoming?: string): Promise<void> {
    const agentSocket = path.join(this.run, 'agent.sock');
    const monitorSocket = path.join(this.run, 'monitor.sock');
    const agent = await GuestAgent.listen(agentSocket);
    this.#agent = agent;
    fs.chownSync(agentSocket, unprivileged.uid, unprivileged.gid);
    const words = [...this.#words, ...monitorAt(monitorSocket)];
    if (incoming !== undefined) words.push('-incoming', incoming);
    const emulator = { words, ...(this.#tree === undefined ? {} : { tree: this.#tree }) };
    this.#qemu = startQemu(this.directory, emulator, []);
    if (incoming === undefined) await agent.ready(3 * MINUTE);
    this.monitor = await Monitor.connect(monitorSocket, MINUTE);
    await vi.waitUntil(() => agent.connected, { timeout: MINUTE });
  }

  async type(lines: readonly string[]): Promise<void> {
    for (const line of lines) expect(await this.monitor.type(this.here(line)), line).toBe('');
  }

  async inGuest(script: string): Promise<string> {
    const { status, stdout, stderr } = await this.#agent!.run(`mkdir -p /mnt\n${script}`, MINUTE);
    if (status !== 0) throw new Error(`${script}: ${stderr}`);
    return stdout.toString().trimEnd();
  }

  async end(quit: string): Promise<void> {
    const ended = once(this.#qemu!, 'exit');
    void this.monitor.type(quit).catch(() => undefined); // it never answers
    await ended;
    this.#agent!.close();
    this.monitor.close();
  }

  async destroy(): Promise<void> {
    if (this.#qemu?.exitCode === null && this.#qemu.signalCode === null) {
      const ended = once(this.#qemu, 'exit');
      this.#qemu.kill('SIGKILL');
      await ended;
    }
    this.#agent?.close();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

function recipes(allWays: readonly Way[], tree: () => string | undefined): void {
  let machine: RunningMachine | undefined;
  let helper: Helper | undefined;
  afterEach(async () => {
    await machine?.destroy();
    helper?.kill();
    await helper?.end;
  }, MINUTE);

  it.each(allWays)(
    '$name: added, brought back, saved and restored',
    async (way) => {
      const qemuWords = way.words === undefined ? [] : block(way.words)[0]!.split(' ').slice(2);
      const running = new RunningMachine(qemuWords, tree());
      machine = running;
      const socket = path.join(running.run, 'later.sock');
      const endpoint: HelperEndpoint =
        way.listen === ''
          ? { socket, ...unprivileged }
          : { listen: `${way.listen}${socket}`, ...unprivileged };
      const options = way.listen === 'vhost-user:' ? ['--tag=later'] : [];
      const add = async (): Promise<void> => {
        fs.rmSync(socket, { force: true });
        helper = await Helper.start(running.exported, endpoint, path.join(running.directory, 'log'), options);
        await running.type(block(way.added));
        const look = `until ${block(`${way.mounted},`).join('\n')}; do sleep 0.5; done 2>/dev/null; cat /mnt/file`;
        expect(await running.inGuest(look)).toBe('of the host');
      };
      const takeAway = async (): Promise<void> => {
        await running.inGuest('umount /mnt');
        await running.type(block('device_del'));
        const timeout = MINUTE;
        await vi.waitFor(
          async () => {
            expect(await running.monitor.type('info qtree')).not.toContain('id "later"');
          },
          { timeout, interval: 200 },
        );
        const rows = tableRows('docs/operations.md', 'Take a share away, and bring it back', 'way');
        const [, after = ''] = rows.find(([name]) => name === way.row)!;
        // busy for a moment more
        for (const [, line = ''] of after.matchAll(/`([^`]+)`/g))
          await vi.waitFor(() => running.type([line]), { timeout, interval: 200 });
      };

      await running.start();
      await add();
      if (way.row === 'proxy driver') {
        helper!.kill();
        await helper!.end;
        expect(await running.inGuest('cat /mnt/file 2>&1 || true')).toContain('Input/output error');
      }
      await takeAway();
      await helper!.end;
      await add();
      await takeAway();
      await helper!.end;
      await running.inGuest('echo before >/tmp/kept');
      await running.type(block('migrate'));
      await vi.waitFor(
        async () => {
          expect(await running.monitor.type('info migrate')).toContain('completed');
        },
        { timeout: MINUTE, interval: 200 },
      );
      await running.end('quit');
      const incoming = /-incoming '(.*)'/.exec(block('-incoming')[0]!)![1]!;
      await running.start(running.here(incoming));
      await vi.waitFor(
        async () => {
          expect(await running.monitor.type('info status')).not.toContain('inmigrate');
        },
        { timeout: MINUTE, interval: 200 },
      );
      await running.type(['cont']);
      expect(await running.inGuest('cat /tmp/kept')).toBe('before');
      await add();
    },
    8 * MINUTE,
  );
}

const skipped = skipUnlessRoot('recipes for running machines');
describe.skipIf(skipped)('with the QEMU of this machine', () => {
  recipes(ways, () => undefined);
});

const tree = skipped ? 'only as root' : debianTesting();
if (typeof tree === 'string' && !skipped) console.warn(`recipes with a new QEMU skipped: ${tree}`);
afterAll(() => {
  if (typeof tree !== 'string') tree.remove();
});
describe.skipIf(typeof tree === 'string')('with the newest QEMU', () => {
  recipes([ofNewQemu], () => (tree as DebianTree).path);
});
