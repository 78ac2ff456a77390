/** Runs the helper under test, in the foreground, for one share. */
import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { repositoryRoot } from './repository.js';

/** `VIRTFS_HELPER` puts another helper to the test, such as the C one, to compare. */
export const helperUnderTest = process.env['VIRTFS_HELPER'] ?? path.join(repositoryRoot, 'dist', 'main.js');

/** The Node that runs it; `VIRTFS_NODE` names another one (see support/helper-node.ts). */
export const helperNode = process.env['VIRTFS_NODE'] ?? process.execPath;

export type HelperEndpoint =
  { readonly socket: string; readonly uid: number; readonly gid: number } | { readonly descriptor: number };

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
    const argv = [...(isScript ? [helperNode] : []), helperUnderTest, '-n', '-p', exported, ...options];
    const log = fs.openSync(logFile, 'a');
    if ('socket' in endpoint) {
      argv.push('-s', endpoint.socket, '-u', String(endpoint.uid), '-g', String(endpoint.gid));
    } else {
      argv.push('--fd', '3');
    }
    const inherited = 'socket' in endpoint ? [] : [endpoint.descriptor];
    this.#logFile = logFile;
    this.commandLine = argv.join(' ');
    this.#process = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log, ...inherited] });
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

  openDescriptors(): string[] {
    if (this.#ended) throw new Error(`the helper has ended; its log:\n${this.log}`);
    const directory = `/proc/${this.pid}/fd`;
    return fs.readdirSync(directory).map((fd) => `${fd} -> ${fs.readlinkSync(`${directory}/${fd}`)}`);
  }

  kill(): void {
    if (this.running) this.#process.kill('SIGKILL');
  }

  async #socketExists(socket: string): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!fs.existsSync(socket)) {
      if (this.#ended)
        throw new Error(`the helper ended (${await this.end}) before it listened:\n${this.log}`);
      if (Date.now() > deadline) throw new Error(`the helper made no socket within 10 s:\n${this.log}`);
      await sleep(10);
    }
  }
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
