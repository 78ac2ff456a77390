/** What one helper does when it is asked, as text. */
import { closeSync, constants, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoName, mknod } from '../../harness/libc.js';
import type { Session } from '../../harness/helper-process.js';
import { type Reply, WireError } from '../../harness/wire-client.js';

export interface Observed extends Session {
  readonly root: string;
}

export function attempt(act: () => Reply, success: (reply: Reply) => string = () => 'success'): string {
  try {
    const reply = act();
    try {
      return reply.errno === 0 ? success(reply) : errnoName(reply.errno);
    } finally {
      if (reply.descriptor !== undefined) closeSync(reply.descriptor);
    }
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return error.message;
  }
}

export const SILENCE = 'no answer within the time allowed';
export const CLOSED = 'the helper closed the connection instead of answering';

/** Makes a file with that name in the export. */
export const touch = (name: string) => (root: string) => {
  writeFileSync(join(root, name), 'text');
};

export const link = (name: string, target: string) => (root: string) => {
  symlinkSync(target, join(root, name));
};

export const fifo = (root: string): void => {
  mknod(Buffer.from(join(root, 'fifo')), constants.S_IFIFO | 0o666, 0);
};

/** The string a reply carries. */
export const textOf = (payload: Buffer): string => payload.subarray(2).toString();

/** Sends one request. */
export const ask =
  (bytes: Buffer, success?: (reply: Reply) => string) =>
  ({ client }: Observed): string =>
    attempt(() => client.request(bytes), success);

/** Sends several requests; the answers in one line. */
export const askAll =
  (...requests: readonly Buffer[]) =>
  (observed: Observed): string =>
    requests.map((bytes) => ask(bytes)(observed)).join(', ');

/** Fields of /proc/PID/status of a helper that has answered something, so that it is past its start. */
export const processStatus =
  (probe: Buffer, ...fields: readonly string[]) =>
  ({ client, helper }: Observed): string => {
    client.request(probe);
    const status = readFileSync(`/proc/${helper.pid}/status`, 'utf8');
    return fields
      .map((field) => new RegExp(`^${field}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? 'none')
      .join(', ');
  };
