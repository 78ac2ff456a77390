/** The image of the Dockerfile, run as docs/container.md says. */
import {
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { shellBlocks } from '../../harness/documented.js';
import { requests } from '../../harness/requests.js';
import { WireClient } from '../../harness/wire-client.js';
import { Container, parseRunLine, type RunLine } from './container.js';
import { Image, type ImageConfiguration } from './image.js';

const page = 'docs/container.md';
const NOBODY = 65534;
const owner = { uid: 1234, gid: 4321 };

describe.skipIf(skipUnlessRoot('the container image'))('the container image', () => {
  const image = new Image();
  const directory = mkdtempSync(join(tmpdir(), 'container-'));
  const exported = join(directory, 'vm1');
  const run = join(directory, 'run');
  const log = join(directory, 'log');
  const socket = join(run, '9p.sock');
  let configuration: ImageConfiguration;
  let root: string;
  let container: Container | undefined;

  beforeAll(() => {
    image.build();
    configuration = image.configuration();
    root = image.mount();
    // nothing in it may need a shell
    for (const shell of ['sh', 'bash', 'dash']) rmSync(join(root, 'bin', shell));
    mkdirSync(exported);
    mkdirSync(run);
    // for QEMU's user to pass through
    for (const open of [directory, run]) chmodSync(open, 0o755);
  }, 600_000);

  afterEach(() => {
    container?.kill();
    container = undefined;
  });

  afterAll(() => {
    image.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  function words(command: string): string[] {
    const lines = shellBlocks(page).flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
    const line = lines.find((candidate) => candidate.startsWith(command));
    return line!
      .replace('"$(id -u libvirt-qemu)"', String(NOBODY))
      .replace('/srv/vm1', exported)
      .replace('/run/vm1', run)
      .slice(command.length)
      .trim()
      .split(/\s+/);
  }

  const documentedLine = (): RunLine => parseRunLine(words('docker run'));
  const logged = (): string => readFileSync(log, 'utf8');

  /** The command that Docker runs to see whether it works. */
  function healthCheck(running: Container): string {
    const [kind, ...command] = configuration.healthCheck;
    expect(kind).toBe('CMD');
    return running.exec(command);
  }

  async function started(): Promise<Container> {
    const descriptor = openSync(log, 'w');
    const running = new Container(root, configuration.entrypoint, documentedLine(), descriptor);
    container = running;
    closeSync(descriptor);
    await vi.waitFor(() => healthCheck(running), { timeout: 15_000, interval: 200 });
    return running;
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
    const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
    expect(status).toMatch(/^CapBnd:\s*00000000080000db$/m);
    expect(status).toMatch(/^NoNewPrivs:\s*1$/m);
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
});
