/** Runs the files of an image as a line of `docker run` says, by systemd-nspawn(1). */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

interface Volume {
  /** A directory of the host. */
  readonly outside: string;
  /** Its path in the container. */
  readonly inside: string;
  readonly readOnly: boolean;
}

/** What a `docker run` line asks for, as far as the helper's does. */
export interface RunLine {
  readonly readOnly: boolean;
  /** What is run instead of the image's entry point. */
  readonly entrypoint: string | undefined;
  /** undefined: root */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  /** Without CAP_, what is added to nothing. */
  readonly capabilities: readonly string[];
  readonly volumes: readonly Volume[];
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
      'no-healthcheck': { type: 'boolean' },
      entrypoint: { type: 'string' },
      user: { type: 'string' },
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
    entrypoint: values.entrypoint,
    user: values.user === undefined ? undefined : parseUser(values.user),
    capabilities: values['cap-add'],
    volumes: values.volume.map(parseVolume),
    words: words.slice(image + 1),
  };
}

const USER = 'container';

/** systemd-nspawn takes a user by name only, an engine by numbers that nobody needs to know. */
function addUser(root: string, { uid, gid }: { uid: number; gid: number }): void {
  fs.appendFileSync(path.join(root, 'etc/passwd'), `${USER}:x:${uid}:${gid}::/:/bin/false\n`);
}

function parseUser(given: string): RunLine['user'] {
  const [uid = Number.NaN, gid = Number.NaN] = given.split(':').map(Number);
  if (!Number.isInteger(uid) || !Number.isInteger(gid)) throw new Error(`--user ${given}: not two ids`);
  return { uid, gid };
}

function parseVolume(given: string): Volume {
  const [outside = '', inside = '', mode] = given.split(':');
  if (mode !== undefined && mode !== 'ro') throw new Error(`--volume ${given}: ${mode} is not known here`);
  return { outside, inside, readOnly: mode === 'ro' };
}

export class Container {
  readonly #nspawn: ChildProcess;
  /** An exit status, or the signal that ended it. */
  readonly end: Promise<number | string>;
  readonly #abandon = (): void => {
    if (this.#nspawn.exitCode === null) process.kill(this.pid, 'SIGKILL');
  };

  /** @param entrypoint of the image */
  constructor(root: string, entrypoint: readonly string[], line: RunLine, log: number) {
    // an engine makes these in a layer of the container's own
    for (const { inside } of line.volumes) fs.mkdirSync(path.join(root, inside), { recursive: true });
    if (line.user !== undefined) addUser(root, line.user);
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
        ...(line.user === undefined ? [] : [`--user=${USER}`]),
        ...line.volumes.map(
          ({ outside, inside, readOnly }) => `--bind${readOnly ? '-ro' : ''}=${outside}:${inside}`,
        ),
        ...[`--directory=${root}`, '--'],
        ...(line.entrypoint === undefined ? entrypoint : [line.entrypoint]),
        ...line.words,
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

  /** All its processes, the first one first. */
  get processes(): number[] {
    return withDescendants(this.pid);
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

function withDescendants(pid: number): number[] {
  const children = fs
    .readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => fs.readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' '))
    .filter((child) => child !== '');
  return [pid, ...children.flatMap((child) => withDescendants(Number(child)))];
}
