/** Runs the files of an image as a line of `docker run` says, by systemd-nspawn(1). */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

/** What a `docker run` line asks for, as far as the helper's does. */
export interface RunLine {
  readonly readOnly: boolean;
  /** Without CAP_, what is added to nothing. */
  readonly capabilities: readonly string[];
  /** Directories of the host by the path in the container. */
  readonly volumes: ReadonlyMap<string, string>;
  /** What follows the image's name. */
  readonly words: readonly string[];
}

/** What systemd-nspawn leaves to a container when not told, or may be told to. */
const dropped = [
  ...[
    'AUDIT_CONTROL',
    'AUDIT_WRITE',
    'CHOWN',
    'DAC_OVERRIDE',
    'DAC_READ_SEARCH',
    'FOWNER',
    'FSETID',
    'IPC_OWNER',
  ],
  ...[
    'KILL',
    'LEASE',
    'LINUX_IMMUTABLE',
    'MKNOD',
    'NET_ADMIN',
    'NET_BIND_SERVICE',
    'NET_BROADCAST',
    'NET_RAW',
  ],
  ...[
    'SETFCAP',
    'SETGID',
    'SETPCAP',
    'SETUID',
    'SYS_ADMIN',
    'SYS_BOOT',
    'SYS_CHROOT',
    'SYS_NICE',
    'SYS_PTRACE',
  ],
  ...['SYS_RESOURCE', 'SYS_TTY_CONFIG'],
];

/** Reads the words after `docker run`. Throws at what this cannot do. */
export function parseRunLine(words: readonly string[]): RunLine {
  const image = words.indexOf('virtfs-proxy-helper');
  const { values } = parseArgs({
    args: words.slice(0, image),
    options: {
      detach: { type: 'boolean' },
      name: { type: 'string' },
      restart: { type: 'string' },
      'read-only': { type: 'boolean', default: false },
      network: { type: 'string' },
      'security-opt': { type: 'string' },
      'cap-drop': { type: 'string' },
      'cap-add': { type: 'string', multiple: true, default: [] },
      volume: { type: 'string', multiple: true, default: [] },
    },
  });
  const { network, 'security-opt': security, 'cap-drop': drop } = values;
  if (network !== 'none' || security !== 'no-new-privileges' || drop !== 'ALL') {
    throw new Error('the line gives more than this can take away again');
  }
  return {
    readOnly: values['read-only'],
    capabilities: values['cap-add'],
    volumes: new Map(values.volume.map((volume) => volume.split(':').toReversed() as [string, string])),
    words: words.slice(image + 1),
  };
}

export class Container {
  readonly #nspawn: ChildProcess;
  /** An exit status, or the signal that ended it. */
  readonly end: Promise<number | string>;
  readonly #abandon = (): void => {
    if (this.#nspawn.exitCode === null) process.kill(this.pid, 'SIGKILL');
  };

  constructor(root: string, entrypoint: readonly string[], line: RunLine, log: number) {
    // an engine makes these in a layer of the container's own
    for (const inside of line.volumes.keys()) fs.mkdirSync(path.join(root, inside), { recursive: true });
    const drop = dropped.filter((name) => !line.capabilities.includes(name)).map((name) => `CAP_${name}`);
    this.#nspawn = spawn(
      'systemd-nspawn',
      [
        ...[
          '--quiet',
          '--register=no',
          '--keep-unit',
          '--console=pipe',
          '--timezone=off',
          '--resolv-conf=off',
        ],
        ...['--private-network', '--no-new-privileges=yes', `--drop-capability=${drop.join(',')}`],
        ...(line.readOnly ? ['--read-only'] : []),
        ...[...line.volumes].map(([inside, outside]) => `--bind=${outside}:${inside}`),
        ...[`--directory=${root}`, '--', ...entrypoint, ...line.words],
      ],
      { stdio: ['ignore', log, log] },
    );
    this.end = new Promise((resolve) => {
      this.#nspawn.once('error', (error) => {
        resolve(error.message);
      });
      this.#nspawn.once('exit', (status, signal) => {
        resolve(status ?? String(signal));
      });
    });
    process.once('exit', this.#abandon);
  }

  /** The container's first process, as this machine numbers it. */
  get pid(): number {
    const child = fs.readFileSync(`/proc/${this.#nspawn.pid}/task/${this.#nspawn.pid}/children`, 'utf8');
    return Number.parseInt(child, 10);
  }

  /** `docker exec`: fails when the command does. */
  exec(words: readonly string[]): string {
    return execFileSync('nsenter', ['--target', String(this.pid), '--all', '--', ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
  }

  /** `docker stop` */
  async stop(): Promise<number | string> {
    process.kill(this.pid, 'SIGTERM');
    return this.end;
  }

  kill(): void {
    this.#abandon();
    process.off('exit', this.#abandon);
  }
}
