/** The image of the Dockerfile, run as docs/container.md says. */
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { shellBlocks } from '../../harness/documented.js';
import type { NinepClient } from '../../harness/ninep-client.js';
import { requests } from '../../harness/requests.js';
import { status } from '../../harness/status-command.js';
import { attached, ofThreads } from '../../harness/share-process.js';
import { WireClient } from '../../harness/wire-client.js';
import { Container, parseRunLine, type RunLine } from './container.js';
import { Image, type ImageConfiguration } from './image.js';

const page = 'docs/container.md';
/** Is QEMU here, with a group of the same number. */
const NOBODY = 65534;
const QEMU = { '"$(id -u libvirt-qemu)"': NOBODY, '"$(id -g libvirt-qemu)"': NOBODY };
const NO_CAPABILITY = '0000000000000000';
const SETATTR_SIZE = 8;
/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETGID, SETUID, MKNOD */
const HELPERS_CAPABILITIES = '00000000080000db';
const PATIENCE = { timeout: 15_000, interval: 200 };
const owner = { uid: 1234, gid: 4321 };

describe.skipIf(skipUnlessRoot('the container image'))('the container image', () => {
  const image = new Image();
  const directory = mkdtempSync(join(tmpdir(), 'container-'));
  const exported = join(directory, 'vm1');
  const run = join(directory, 'run');
  const log = join(directory, 'log');
  const volume = join(directory, 'volume');
  const socket = join(run, '9p.sock');
  let configuration: ImageConfiguration;
  let root: string;
  let containers: Container[] = [];

  beforeAll(() => {
    image.build();
    configuration = image.configuration();
    root = filesOfContainer();
    mkdirSync(exported);
    mkdirSync(run);
    // as Docker makes one: root's, and others may pass through
    mkdirSync(volume, { mode: 0o755 });
    // for QEMU's user to pass through
    for (const open of [directory, run]) chmodSync(open, 0o755);
  }, 600_000);

  afterEach(() => {
    for (const container of containers) container.kill();
    rmSync(log, { force: true });
    containers = [];
  });

  afterAll(() => {
    image.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  function filesOfContainer(): string {
    const files = image.mount();
    // nothing in it may need a shell
    for (const shell of ['sh', 'bash', 'dash']) rmSync(join(files, 'bin', shell));
    return files;
  }

  /** The words that follow the beginning of a documented command, with the names of this test. */
  function words(beginning: string): string[] {
    const lines = shellBlocks(page).flatMap((block) => block.replaceAll(/\s*\\\n\s*/g, ' ').split('\n'));
    let rest = lines.find((candidate) => candidate.startsWith(beginning))!.slice(beginning.length);
    const names = { ...QEMU, '/srv/vm1': exported, '/run/vm1': run, 'vm1-helper:': `${volume}:` };
    for (const [name, here] of Object.entries(names)) rest = rest.replace(name, String(here));
    return rest.trim().split(/\s+/);
  }

  const documentedLine = (name = 'vm1-share'): RunLine =>
    parseRunLine(words(`docker run --detach --name ${name} `));
  const logged = (): string => readFileSync(log, 'utf8');

  /** The command that Docker runs to see whether it works. */
  function healthCheck(container: Container): string {
    const [kind, ...command] = configuration.healthCheck;
    expect(kind).toBe('CMD');
    return container.exec(command);
  }

  function containerOf(files: string, line: RunLine): Container {
    const descriptor = openSync(log, 'a');
    const container = new Container(files, configuration.entrypoint, line, descriptor);
    containers.push(container);
    closeSync(descriptor);
    return container;
  }

  async function started(): Promise<Container> {
    const container = containerOf(root, documentedLine());
    await vi.waitFor(() => healthCheck(container), PATIENCE);
    return container;
  }

  /** A client with the ids of QEMU. */
  function attachedAsQemu(): Promise<NinepClient> {
    process.setegid!(NOBODY);
    // connects before it returns
    const client = attached(socket, NOBODY);
    process.setegid!(0);
    return client;
  }

  it('serves with a read-only root, and with no capability but those of the documented line', async () => {
    const running = await started();
    const { uid, mode } = statSync(socket);
    expect({ uid, mode: mode & 0o777 }).toEqual({ uid: NOBODY, mode: 0o770 });
    expect(() => running.exec(['touch', '/app/file'])).toThrow('Read-only file system');

    const client = WireClient.connect(socket);
    expect(client.request(requests.mkdir(owner, '/directory', 0o750)).errno).toBe(0);
    const flags = constants.O_WRONLY | constants.O_CREAT;
    const reply = client.request(requests.create('/directory/file', flags, 0o640, owner));
    writeSync(reply.descriptor!, 'from the guest');
    closeSync(reply.descriptor!);
    const node = requests.mknod({ uid: 0, gid: 0 }, '/null', constants.S_IFCHR | 0o666, 0x103);
    expect(client.request(node).errno).toBe(0);
    // without CAP_SYS_ADMIN it is the path that is checked
    expect(client.request(requests.symlink(owner, '/../../app', '/out')).errno).toBe(0);
    expect(client.request(requests.lstat('/out/package.json')).errno).toBe(osConstants.errno.ENOENT);

    const file = statSync(join(exported, 'directory/file'));
    expect({ uid: file.uid, gid: file.gid }).toEqual(owner);
    expect(readFileSync(join(exported, 'directory/file'), 'utf8')).toBe('from the guest');
    expect(new Set(ofThreads(running.pid, 'CapBnd'))).toEqual(new Set([HELPERS_CAPABILITIES]));
    expect(new Set(ofThreads(running.pid, 'NoNewPrivs'))).toEqual(new Set(['1']));
    client.close();
    expect(await running.end).toBe(0);
  });

  it('tells how it is by its health check, the documented command', async () => {
    const running = await started();
    const client = WireClient.connect(socket);
    expect(client.request(requests.mkdir(owner, '/counted', 0o750)).errno).toBe(0);
    expect(['node', ...words('docker exec vm1-share node')]).toEqual(configuration.healthCheck.slice(1));
    expect(healthCheck(running)).toMatch(/^mkdir +1 +0/m);
    client.close();
    expect(await running.end).toBe(0);
  });

  it('starts again beside the sockets of the last time, and stops when it is told to', async () => {
    const first = await started();
    first.kill();
    await first.end;
    const second = await started();
    expect(await second.stop()).toBe(0);
    expect(logged()).toContain('stopped by SIGTERM');
  });

  it('shares its directory with a guest whose QEMU is an ordinary user', async () => {
    const running = await started();
    const guest = await Machine.boot({ tag: 'share', socket });
    try {
      await guest.mount('share');
      await guest.run('echo hello >/mnt/share/file; chmod 4755 /mnt/share/file');
      await guest.powerOff();
    } finally {
      await guest.destroy();
    }
    expect(await running.end).toBe(0);
    expect(readFileSync(join(exported, 'file'), 'utf8')).toBe('hello\n');
    expect(statSync(join(exported, 'file')).mode & 0o7777).toBe(0o4755);
  }, 120_000);

  describe('as two containers', () => {
    const made = join(exported, 'made');
    let serversFiles: string;

    beforeAll(() => {
      // of the other containers, which are root's
      rmSync(socket, { force: true });
      execFileSync('install', words('install'));
      serversFiles = filesOfContainer();
    });

    /** Waits until it serves. Its namespaces have the export only, so nothing can be run in it. */
    async function helperStarted(line = documentedLine('vm1-helper')): Promise<Container> {
      const helper = containerOf(root, line);
      await vi.waitFor(() => {
        expect(status([join(volume, 'control')])).toMatchObject({ status: 0 });
      }, PATIENCE);
      return helper;
    }

    /** Both containers, and a guest that has made a file and has it open as fid 1. */
    async function bothStarted(
      helpersLine?: RunLine,
    ): Promise<{ helper: Container; server: Container; client: NinepClient }> {
      const helper = await helperStarted(helpersLine);
      const server = containerOf(serversFiles, documentedLine('vm1-server'));
      const client = await vi.waitFor(() => attachedAsQemu(), PATIENCE);
      await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
      await client.request('Tlcreate', {
        ...{ fid: 1, name: 'made', flags: constants.O_RDWR | constants.O_TRUNC },
        ...{ mode: 0o640, gid: owner.gid },
      });
      await client.request('Twrite', { fid: 1, offset: 0, data: Buffer.from('from the guest') });
      expect(readFileSync(made, 'utf8')).toBe('from the guest');
      return { helper, server, client };
    }

    /** Shortens a file, open or not. */
    function resized(client: NinepClient, fid: number, size: number): Promise<string> {
      const time = { seconds: 0n, nanoseconds: 0n };
      const rest = { mode: 0, uid: 0, gid: 0, atime: time, mtime: time };
      return client.outcome('Tsetattr', { fid, valid: SETATTR_SIZE, size, ...rest });
    }

    it('serves a guest by a container that has no capability and a user of its own', async () => {
      const { helper, server, client } = await bothStarted();
      const { data } = await client.request('Tread', { fid: 1, offset: 5, count: 100 });
      expect(data.toString()).toBe('the guest');
      expect(await resized(client, 1, 4)).toBe('ok');
      expect(readFileSync(made, 'utf8')).toBe('from');

      const ofAll = (container: Container, field: string): string[] => [
        ...new Set(container.processes.flatMap((pid) => ofThreads(pid, field))),
      ];
      expect(server.processes.length).toBeGreaterThan(1);
      for (const field of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        expect([field, ...ofAll(server, field)]).toEqual([field, NO_CAPABILITY]);
      // no process has kept CAP_SYS_ADMIN
      for (const field of ['CapPrm', 'CapEff', 'CapBnd'])
        expect([field, ...ofAll(helper, field)]).toEqual([field, HELPERS_CAPABILITIES]);
      expect(ofAll(server, 'Uid')).toEqual(['4321\t4321\t4321\t4321']);
      for (const container of [helper, server]) expect(ofAll(container, 'NoNewPrivs')).toEqual(['1']);
      expect(() => server.exec(['touch', '/run/helper/file'])).toThrow('Read-only file system');
      expect(() => server.exec(['ls', '/export'])).toThrow('No such file or directory');

      await client.request('Tunlinkat', { dirfd: 0, name: 'made', flags: 0 });
      expect(existsSync(made)).toBe(false);
      client.close();
      expect([await server.end, await helper.end]).toEqual([0, 0]);
    });

    it('goes on with the next container of the helper, as the page says', async () => {
      const { helper, server, client } = await bothStarted();
      helper.kill();
      await helper.end;
      const next = await helperStarted();
      await client.request('Twrite', { fid: 1, offset: 5, data: Buffer.from('THE') });
      expect(readFileSync(made, 'utf8')).toBe('from THE guest');
      expect(await resized(client, 1, 4)).toBe('EBADF');
      await client.request('Twalk', { fid: 0, newfid: 2, names: ['made'] });
      expect(await resized(client, 2, 4)).toBe('ok');
      expect(readFileSync(made, 'utf8')).toBe('from');
      client.close();
      expect([await server.end, await next.end]).toEqual([0, 0]);
      // as Docker starts a server whose helper is not there yet
      expect(await containerOf(serversFiles, documentedLine('vm1-server')).end).toBe(1);
      expect(logged()).toContain('[helper-not-reached]');
    });

    it('starts again for the next guest after the server was killed', async () => {
      const { helper, server } = await bothStarted();
      server.kill();
      expect(await helper.end).toBe(0);
      const again = await bothStarted();
      again.client.close();
      expect([await again.server.end, await again.helper.end]).toEqual([0, 0]);
    });

    it('changes no open file without CAP_SYS_ADMIN, as the page says', async () => {
      const line = documentedLine('vm1-helper');
      const capabilities = line.capabilities.filter((name) => name !== 'SYS_ADMIN');
      expect(capabilities).toEqual(documentedLine().capabilities);
      const { client } = await bothStarted({ ...line, capabilities });
      expect(await resized(client, 1, 4)).toBe('EOPNOTSUPP');
      await client.request('Twalk', { fid: 0, newfid: 2, names: ['made'] });
      expect(await resized(client, 2, 4)).toBe('ok');
    });
  });
});
