/** Runs in a private kernel: tells for each value of fs.suid_dumpable who could look into a helper, and its core files. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { requests } from '../../harness/requests.js';
import { WireClient } from '../../harness/wire-client.js';

/** kernel.core_pattern: a file in the working directory, which is the export, or a program that takes the core. */
export type Pattern = 'file' | 'program';

export interface Seen {
  readonly value: number;
  readonly pattern: Pattern;
  /** errno of creating with the ids of a guest's user. */
  readonly created: number;
  /** Whether root with the helper's own capabilities, so without CAP_SYS_PTRACE, may look: before and after that. */
  readonly before: boolean;
  readonly after: boolean;
  /** What is in the export when the helper has died of a signal that dumps core. */
  readonly files: readonly string[];
}

const [helper = '', directory = '', seenFromInit = ''] = process.argv.slice(2);
const REQUEST_SECONDS = 60;
const SEVEN = '-all,+chown,+dac_override,+fowner,+fsetid,+setgid,+setuid,+mknod';

const mayLook = (pid: number): boolean =>
  spawnSync('setpriv', ['--inh-caps=-all', `--bounding-set=${SEVEN}`, 'head', '-c', '1', `/proc/${pid}/maps`])
    .status === 0;

async function see(value: number, pattern: Pattern): Promise<Seen> {
  writeFileSync('/proc/sys/fs/suid_dumpable', String(value));
  const name = `${value}-${pattern}`;
  const exported = `${directory}/${name}`;
  mkdirSync(exported);
  // the kernel starts it in the root of the first process
  const taker = `|/bin/busybox dd of=${seenFromInit}/${name}/core`;
  writeFileSync('/proc/sys/kernel/core_pattern', pattern === 'file' ? 'core' : taker);
  const { client, peer } = WireClient.pair(REQUEST_SECONDS);
  const script = 'ulimit -c unlimited; exec "$0" "$@"';
  const words = [process.execPath, helper, '-n', '-p', exported, '-f', '3'];
  const child = spawn('sh', ['-c', script, ...words], { stdio: ['ignore', 'inherit', 'inherit', peer] });
  closeSync(peer);
  const pid = child.pid!;
  client.request(requests.lstat('/'));
  const before = mayLook(pid);
  const { errno, descriptor } = client.request(requests.create('/f', 0x42, 0o644, { uid: 1000, gid: 1000 }));
  if (descriptor !== undefined) closeSync(descriptor);
  const after = mayLook(pid);
  child.kill('SIGABRT');
  await once(child, 'exit');
  client.close();
  return { value, pattern, created: errno, before, after, files: readdirSync(exported) };
}

const seen: Seen[] = [];
seen.push(await see(0, 'file'));
seen.push(await see(1, 'file'));
seen.push(await see(1, 'program'));
seen.push(await see(2, 'program'));
process.stdout.write(JSON.stringify(seen));
