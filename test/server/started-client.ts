/** A client of a helper, and what its tests say of paths and values. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { HelperClient } from '../../src/server/helper-client/helper-client.js';
import { HelperProcess } from '../../harness/helper-process.js';
import { socketpair } from '../../harness/libc.js';

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const text = (value: unknown): string => Buffer.from(value as Uint8Array).toString();
export const path = (name: string): { path: Uint8Array } => ({ path: bytes(`/${name}`) });

export interface Started {
  readonly client: HelperClient;
  readonly helper: HelperProcess;
  readonly directory: string;
  readonly lost: string[];
}

/** A client with a helper of its own that serves a new directory. */
export function started(): Started {
  const directory = mkdtempSync(join(tmpdir(), 'helper-client-'));
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'file'), 'content');
  const [ours, theirs] = socketpair();
  const helper = new HelperProcess(['-n', '-p', directory, '-f', '3'], {
    inherit: [theirs],
  });
  const lost: string[] = [];
  const client = new HelperClient(ours, {
    onLost: (reason) => {
      lost.push(reason);
    },
  });
  onTestFinished(async () => {
    client.close();
    await helper.stop();
    rmSync(directory, { recursive: true });
  });
  return { client, helper, directory, lost };
}

/** How many descriptors this process has. */
export function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
