/** The `status` command, and what else there is to ask a helper by. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { commandLine, OURS } from './helper-process.js';

export interface Shown {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `virtfs-proxy-helper status`, as root or as somebody else. */
export function status(args: readonly string[], uid?: number): Shown {
  const [command, all] = commandLine(OURS, ['status', ...args]);
  return spawnSync(command, all, {
    encoding: 'utf8',
    timeout: 30_000,
    ...(uid === undefined ? {} : { uid }),
  });
}

export interface OperationCounters {
  readonly requests: number;
  readonly errors: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly latency: Readonly<Record<'count' | 'sum' | 'p50' | 'p90' | 'p99', number>> & {
    readonly below: readonly number[];
  };
}

/** The documented part of the JSON that a helper answers with. */
export interface HelperCounters {
  readonly socket: string;
  readonly pid: number;
  readonly export: string;
  readonly readOnly: boolean;
  readonly uptime: number;
  readonly client: { readonly pid: number; readonly uid: number } | null;
  readonly descriptors: { readonly passed: number; readonly held: number };
  readonly logLinesLost: number;
  readonly operations: Readonly<Record<string, OperationCounters | undefined>>;
}

/** The same of a 9P server. */
export interface ServerCounters {
  readonly socket: string;
  readonly pid: number;
  readonly uptime: number;
  readonly transport: 'unix' | 'tcp' | 'vsock' | 'vhost-user';
  readonly connected: boolean;
  readonly client: { readonly pid: number; readonly uid: number } | null;
  readonly dialect: string | null;
  readonly msize: number | null;
  readonly fids: number;
  readonly openFiles: number;
  readonly descriptors: number;
  readonly locks: number;
  readonly fileBytes: { readonly read: number; readonly written: number };
  readonly helper: { readonly requests: number; readonly trips: number; readonly replacements: number };
  readonly logLinesLost: number;
  readonly messages: Readonly<Record<string, OperationCounters | undefined>>;
}

/** Both halves of a pair. */
export interface PairCounters extends HelperCounters {
  readonly server: ServerCounters;
}

export function statusJson(socket: string): HelperCounters {
  const shown = status(['--json', socket]);
  if (shown.status !== 0) throw new Error(`status ended with ${shown.status}: ${shown.stderr}`);
  return JSON.parse(shown.stdout) as HelperCounters;
}

/** A path for a control socket, in a directory of its own that goes with the test. */
export function controlPathForTest(name = 'control'): string {
  const directory = mkdtempSync(join(tmpdir(), 'helper-control-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return join(directory, name);
}

export function pairJson(socket: string): PairCounters {
  return statusJson(socket) as PairCounters;
}
