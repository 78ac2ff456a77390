/** Places to log to that take nothing: full, stopped or gone. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { MSG_DONTWAIT, send, setSocketTimeout, socketpair, terminalOf } from './libc.js';

export interface UnreadOutput {
  /** Of the writer. It is closed when the helper has it. */
  readonly descriptor: number;
  /** Reads what was written, and takes what is written from now on; undefined where that cannot be. */
  readonly read: (() => string) | undefined;
}

/** Goes on until it throws. */
function untilRefused(step: () => void): void {
  try {
    for (;;) step();
  } catch {
    // full, or empty
  }
}

function reader(descriptor: number): () => string {
  const chunk = Buffer.alloc(65_536);
  return () => {
    let text = '';
    untilRefused(() => {
      const length = readSync(descriptor, chunk);
      if (length === 0) throw new Error('the end');
      text += chunk.toString('utf8', 0, length);
    });
    return text;
  };
}

function closedAtTheEnd(descriptor: number): number {
  onTestFinished(() => {
    closeSync(descriptor);
  });
  return descriptor;
}

function fifo(): string {
  const directory = mkdtempSync(join(tmpdir(), 'unread-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  return join(directory, 'fifo');
}

const { O_RDWR, O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;

export const unreadOutputs: Readonly<Record<string, () => UnreadOutput>> = {
  'a full pipe': () => {
    const path = fifo();
    const own = closedAtTheEnd(openSync(path, O_RDWR | O_NONBLOCK));
    const descriptor = openSync(path, 'w');
    untilRefused(() => writeSync(own, Buffer.alloc(4_096)));
    return { descriptor, read: reader(own) };
  },
  'a pipe that nobody reads any more': () => {
    const path = fifo();
    const own = openSync(path, O_RDONLY | O_NONBLOCK);
    const descriptor = openSync(path, 'w');
    closeSync(own);
    return { descriptor, read: undefined };
  },
  'a full socket': () => {
    const [own, descriptor] = socketpair();
    closedAtTheEnd(own);
    untilRefused(() => send(descriptor, Buffer.alloc(4_096), MSG_DONTWAIT));
    setSocketTimeout(own, 0.01);
    return { descriptor, read: reader(own) };
  },
  'a stopped terminal': () => {
    const own = closedAtTheEnd(openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK));
    const descriptor = openSync(terminalOf(own), O_RDWR | O_NOCTTY);
    // ^S, and later ^Q
    writeSync(own, '\x13');
    const read = reader(own);
    return {
      descriptor,
      read: () => {
        writeSync(own, '\x11');
        return read();
      },
    };
  },
  'a full disk': () => ({ descriptor: openSync('/dev/full', 'w'), read: undefined }),
};
