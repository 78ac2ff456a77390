/** Runs the helper under test, in the foreground, for one share: by itself, or with a 9P server for guests. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from './patience.js';
import { repositoryRoot } from './repository.js';

/** `VIRTFS_HELPER` puts another helper to the test, such as the C one, to compare. */
export const helperUnderTest = process.env['VIRTFS_HELPER'] ?? path.join(repositoryRoot, 'dist', 'main.js');

/** The Node that runs it; `VIRTFS_NODE` names another one (see harness/helper-node.ts). */
export const helperNode = process.env['VIRTFS_NODE'] ?? process.execPath;

export type HelperEndpoint =
  | { readonly socket: string; readonly uid: number; readonly gid: number }
  | { readonly descriptor: number }
  /** An address of `share`, with the owner of its socket. */
  | { readonly listen: string; readonly uid: number; readonly gid: number };

const READY_FD = 3;
const START_MS = 20_000 * patience;

export class Helper {
  readonly #process: ChildProcess;
  readonly #logFile: string;
  readonly commandLine: string;
  /** An exit status, or the name of the signal that ended it. */
  readonly end: Promise<number | string>;
  #ended = false;

  private constructor(
    exported: string,
    endpoint: HelperEndpoint,
    logFile: string,
    options: readonly string[],
  ) {
    const isScript = helperUnderTest.endsWith('.js');
    const argv = [...(isScript ? [helperNode] : []), helperUnderTest];
    argv.push(...('listen' in endpoint ? ['share'] : ['-n']), '-p', exported, ...options);
    const log = fs.openSync(logFile, 'a');
    if ('socket' in endpoint) {
      argv.push('-s', endpoint.socket, '-u', String(endpoint.uid), '-g', String(endpoint.gid));
    } else if ('listen' in endpoint) {
      argv.push('--listen', endpoint.listen);
      if (/^(unix|vhost-user):/.test(endpoint.listen))
        argv.push(`--uid=${endpoint.uid}`, `--gid=${endpoint.gid}`);
    } else {
      argv.push('--fd', '3');
    }
    const third =
      'socket' in endpoint ? [] : 'listen' in endpoint ? ['pipe' as const] : [endpoint.descriptor];
    this.#logFile = logFile;
    this.commandLine = argv.join(' ');
    if ('listen' in endpoint) argv.push(`--ready-fd=${READY_FD}`);
    this.#process = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log, ...third] });
    fs.closeSync(log);
    this.end = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        this.#ended = true;
        resolve(error.message);
      });
      this.#process.once('exit', (status, signal) => {
        this.#ended = true;
        resolve(status ?? String(signal));
      });
    });
  }

  /** Returns when the helper can be connected to. `options` are more words for its command line. */
  static async start(
    exported: string,
    endpoint: HelperEndpoint,
    logFile: string,
    options: readonly string[] = [],
  ): Promise<Helper> {
    if (!fs.existsSync(helperUnderTest)) throw new Error(`${helperUnderTest} is missing: npm run build`);
    const helper = new Helper(exported, endpoint, logFile, options);
    if ('socket' in endpoint) await helper.#socketExists(endpoint.socket);
    if ('listen' in endpoint) await helper.#tells();
    return helper;
  }

  get running(): boolean {
    return !this.#ended;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  get log(): string {
    return fs.readFileSync(this.#logFile, 'utf8');
  }

  /** Those of the processes that it started, too. */
  openDescriptors(): string[] {
    if (this.#ended) throw new Error(`the helper has ended; its log:\n${this.log}`);
    return [this.pid, ...descendants(this.pid)].flatMap((pid) => {
      const directory = `/proc/${pid}/fd`;
      return fs.readdirSync(directory).map((fd) => `${fd} -> ${fs.readlinkSync(`${directory}/${fd}`)}`);
    });
  }

  kill(): void {
    if (this.running) this.#process.kill('SIGKILL');
  }

  async #socketExists(socket: string): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (!fs.existsSync(socket)) {
      if (this.#ended)
        throw new Error(`the helper ended (${await this.end}) before it listened:\n${this.log}`);
      if (Date.now() > deadline)
        throw new Error(`the helper made no socket within ${START_MS / 1000} s:\n${this.log}`);
      await sleep(10);
    }
  }

  /** What `share` tells the descriptor of --ready-fd, once. */
  async #tells(): Promise<void> {
    const pipe = this.#process.stdio[READY_FD] as Readable;
    const report = new Promise<string>((resolve) => {
      let text = '';
      pipe.setEncoding('utf8').on('data', (part: string) => (text += part));
      pipe.once('close', () => {
        resolve(text);
      });
    });
    const late = sleep(START_MS, `not ready within ${START_MS / 1000} s`, { ref: false });
    const told = await Promise.race([report, late]);
    if (told !== 'ready\n') throw new Error(`share did not start: ${told}\n${this.log}`);
  }
}

function descendants(pid: number): number[] {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

/** The lines of a helper's log that tell of an error, or that no logger wrote (a stack trace, a message of Node's). */
export function errorLines(log: string): string[] {
  return log.split('\n').filter((line) => line !== '' && !isOrdinary(line));
}

/** Lines of the text format below `error`, and all that the C helper says of a good run. */
const ordinaryText = /^((trace|debug|info|warn): .*|Started|Done)$/;

function isOrdinary(line: string): boolean {
  if (ordinaryText.test(line)) return true;
  try {
    const { level } = JSON.parse(line) as { level?: number | string };
    return typeof level === 'number' ? level < 50 : ['trace', 'debug', 'info', 'warn'].includes(level ?? '');
  } catch {
    return false;
  }
}
