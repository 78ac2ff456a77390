/** diod's own clients at a share: programs that attach, walk, list, read and write by 9P2000.L without a kernel. */
import { execFile, type ExecFileException } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import { whyNoDiod } from './running-servers.js';
import { ShareProcess, socketPathForTest } from '../../harness/share-process.js';

const skip = whyNoDiod();
if (skip !== undefined) console.warn(`diod's clients skipped: ${skip}`);

const TIMEOUT = 30_000 * patience;
const TCP = '127.0.0.1:564';
/** diod's own directory of files about itself; here any that has them. */
const CONTROL = 'ctl';
/** A network of its own, where every port is free. */
const inNetwork = ['unshare', '--net', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'];

interface Output {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

class Share {
  readonly directory = exportForTest();
  /** What the clients call the server. */
  readonly address: string;
  readonly #share: ShareProcess;

  private constructor(transport: string) {
    this.address = transport === 'tcp' ? TCP : socketPathForTest();
    const args = [`--path=${this.directory}`, `--listen=${transport}:${this.address}`, '--keep-listening'];
    this.#share = new ShareProcess(args, { wrapper: inNetwork });
    mkdirSync(join(this.directory, CONTROL));
  }

  static async start(transport: string): Promise<Share> {
    const share = new Share(transport);
    await share.#share.ready();
    return share;
  }

  file(name: string, content: string | Buffer): string {
    const path = join(this.directory, name);
    writeFileSync(path, content);
    return path;
  }

  /** Runs a client where the server can be reached. */
  run(program: string, ...args: readonly string[]): Promise<Output> {
    const words = [`--target=${this.#share.pid}`, '--net', program, ...args];
    return new Promise((resolve) => {
      const done = (error: ExecFileException | null, stdout: Buffer, stderr: Buffer): void => {
        const status = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        resolve({ status, stdout, stderr: stderr.toString() });
      };
      const options = { encoding: 'buffer', timeout: TIMEOUT, maxBuffer: 2 ** 26 } as const;
      execFile('nsenter', words, options, done);
    });
  }

  /** One that names the server in the way that most of them do. */
  async output(program: string, ...args: readonly string[]): Promise<Buffer> {
    const { status, stdout, stderr } = await this.run(program, '-s', this.address, ...args);
    expect([status, stderr]).toEqual([0, '']);
    return stdout;
  }
}

describe.skipIf(skip !== undefined).each(['tcp', 'unix'])(
  `a share over %s to diod's clients`,
  { timeout: 120_000 * patience },
  (transport) => {
    it('diodcat reads files of any size in frames of any size', async () => {
      const share = await Share.start(transport);
      const large = randomBytes(3_000_001);
      mkdirSync(join(share.directory, 'below/deep'), { recursive: true });
      share.file('below/deep/large', large);
      share.file('empty', '');
      share.file('small', 'content\n');
      const cat = (...args: string[]): Promise<Buffer> => share.output('diodcat', ...args);
      for (const msize of ['4096', '65536', '1048576'])
        expect((await cat('-a', '/', '-m', msize, 'below/deep/large')).equals(large), msize).toBe(true);
      const several = await cat('-a', 'below', 'deep/large', 'deep/../../small', 'deep/large');
      expect(several.equals(Buffer.concat([large, Buffer.from('content\n'), large]))).toBe(true);
      expect((await cat('-a', '', 'empty', 'small')).toString()).toBe('content\n');
    });

    it('diodcat has the error of the kernel', async () => {
      const share = await Share.start(transport);
      share.file('file', 'content');
      const outcome = async (...args: string[]): Promise<string> =>
        (await share.run('diodcat', '-s', share.address, '-a', ...args)).stderr.trim();
      expect(await outcome('/', 'absent')).toMatch(/No such file or directory$/);
      expect(await outcome('/absent', 'file')).toMatch(/No such file or directory$/);
      expect(await outcome('/', 'file/below')).toMatch(/No such file or directory$|Not a directory$/);
      expect(await outcome('/', CONTROL)).toMatch(/Is a directory$/);
    });

    it('diodls lists directories, and what their entries are', async () => {
      const share = await Share.start(transport);
      mkdirSync(join(share.directory, 'many'));
      const names = Array.from({ length: 500 }, (_, number) => `entry-${number}`);
      for (const name of names) share.file(`many/${name}`, name);
      const list = async (...args: string[]): Promise<string[]> =>
        (await share.output('diodls', ...args)).toString().trimEnd().split('\n');
      expect((await list('-a', '/')).sort()).toEqual(readdirSync(share.directory).sort());
      expect((await list('-a', '/', '-m', '4096', 'many')).sort()).toEqual([...names].sort());
      const long = (await list('-a', '/', '-l', 'many')).map((line) => line.split(/\s+/));
      const found = long.map((words) => [words[0]!.slice(0, 10), words[2], words[4], words.at(-1)]);
      const expected = names.map((name) => ['-rw-r--r--', 'root', String(name.length), name]);
      const directories = ['.', '..'].map((name) => [
        'drwxr-xr-x',
        'root',
        expect.any(String) as string,
        name,
      ]);
      expect(found.sort(([, , , one], [, , , other]) => (one! < other! ? -1 : 1))).toEqual(
        [...directories, ...expected].sort(([, , , one], [, , , other]) => (one! < other! ? -1 : 1)),
      );
    });

    it('diodload copies and asks for attributes, on several connections', async () => {
      const share = await Share.start(transport);
      const block = randomBytes(65_536);
      share.file(`${CONTROL}/zero`, Buffer.concat(Array.from({ length: 64 }, () => block)));
      const copy = share.file(`${CONTROL}/null`, '');
      const load = async (...args: string[]): Promise<number> => {
        const { status, stdout, stderr } = await share.run('diodload', '-s', share.address, ...args);
        expect([status, stderr]).toEqual([0, expect.stringMatching(/^diodload: \d+ ops\/s/)]);
        return Number(/\d+/.exec(stderr + stdout.toString())?.[0]);
      };
      expect(await load('-n', '3', '-r', '2')).toBeGreaterThan(0);
      const copied = readFileSync(copy);
      expect(copied.length).toBeGreaterThan(60_000);
      expect(copied.equals(block.subarray(0, copied.length))).toBe(true);
      expect(await load('-g', '-n', '3', '-r', '1')).toBeGreaterThan(0);
    });

    it('dioddate, diodshowmount and dtop read what a diod tells of itself', async () => {
      const share = await Share.start(transport);
      share.file(`${CONTROL}/date`, '1000000000.500000 0.0\n');
      share.file(`${CONTROL}/connections`, 'guest.example 2\nother.example 1\n');
      share.file(`${CONTROL}/meminfo`, 'MemTotal: 1000 kB\nMemFree: 1000 kB\n');
      share.file(`${CONTROL}/tpools`, `default ${Array.from({ length: 54 }, () => 7).join(' ')}\n`);
      const date = await share.output('dioddate');
      expect(Date.parse(date.toString())).toBe(1_000_000_000_000);
      expect((await share.output('diodshowmount')).toString()).toBe('guest,other\n');
      if (transport !== 'tcp') return; // dtop knows hosts only
      // it wants a terminal, in whose foreground it is whatever shell `script` takes, and runs on
      const screen = 'timeout --foreground 3 dtop -h 127.0.0.1 -p 564 -P 0.1';
      const { stdout } = await share.run(
        'env',
        'TERM=xterm',
        'script',
        '--quiet',
        '--command',
        screen,
        '/dev/null',
      );
      expect(stdout.toString('latin1')).toContain('Live servers: 1/1');
    });
  },
);
