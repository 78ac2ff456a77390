/** A directory on a disk that does not answer for a while: a file system of FUSE, whose one file's reads wait. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { repositoryRoot } from './guest/repository.js';

/** Why there is none here, or undefined if there can be. */
export function whyNoStallingDisk(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to mount a file system';
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  try {
    accessSync('/usr/bin/python3');
    return undefined;
  } catch {
    return 'there is no /usr/bin/python3';
  }
}

export class StallingDisk {
  readonly #directory: string;
  readonly #program: ChildProcess;
  readonly #ended: Promise<unknown>;
  #said = '';
  /** Reads that it was asked for. */
  #reads = 0;
  #answered = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    const script = join(repositoryRoot, 'harness', 'stalling-disk.py');
    this.#program = spawn('/usr/bin/python3', [script, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#ended = once(this.#program, 'exit');
    this.#output.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
      this.#reads = this.#said.split('read\n').length - 1;
    });
  }

  /** Mounts it on a directory. */
  static async mount(directory: string): Promise<StallingDisk> {
    const disk = new StallingDisk(directory);
    await disk.#until(() => disk.#said.startsWith('mounted\n'));
    return disk;
  }

  /** Returns when so many reads wait. */
  async stalls(count = 1): Promise<void> {
    await this.#until(() => this.#reads - this.#answered >= count);
  }

  /** Answers the reads that wait. */
  release(): void {
    this.#answered = this.#reads;
    this.#program.stdin!.write('go\n');
  }

  /** What still waits gets an error. */
  async unmount(): Promise<void> {
    this.#program.stdin!.end();
    await this.#ended;
    // where the program was killed
    try {
      execFileSync('umount', ['--lazy', this.#directory], { stdio: 'ignore' });
    } catch {
      // it is not mounted any more
    }
  }

  get #output(): Readable {
    return this.#program.stdout!;
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await Promise.race([once(this.#output, 'data'), this.#ended]);
      if (this.#program.exitCode !== null) throw new Error('the stalling disk ended');
    }
  }
}
