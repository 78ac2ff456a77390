/** Makes system calls under the filter of one of our programs. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { helperNode } from '../../harness/guest/helper.js';
import { patience } from '../../harness/patience.js';
import type { Form } from './system-call-forms.js';

/** A program that goes under the filter and then makes system calls, given by their numbers and arguments. */
const filtered = buildSync({
  stdin: {
    resolveDir: fileURLToPath(new URL('../../src', import.meta.url)),
    loader: 'ts',
    contents: `
      import { stat } from 'node:fs';
      import { filterSystemCalls, refuseIoUring } from './confinement/seccomp.js';
      import { descriptorRequestsPolicy, helperPolicy } from './helper/confinement/system-call-policy.js';
      import { serverPolicy, vhostUserPolicy } from './server/confinement/system-call-policy.js';
      import { addressOf, syscall } from './syscalls/libc.js';
      import { cString, stableMemory } from './syscalls/memory.js';
      import { execve, keepOverExec, setNoNewPrivileges, StringVector } from './syscalls/process.js';
      setNoNewPrivileges();
      if (process.argv[3] === '"thread"' && process.argv[5] === undefined) {
        // libuv waits for the thread, and must not do so on a ring: what the starting program sees to
        refuseIoUring('kill');
        for (const standard of [0, 1, 2]) keepOverExec(standard);
        const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1), 'again'];
        execve(cString(process.execPath), new StringVector(again), new StringVector([]));
      }
      const policies = {
        helper: helperPolicy, 'descriptor requests': descriptorRequestsPolicy,
        server: serverPolicy, 'vhost-user': vhostUserPolicy,
      };
      const [mode, socket, calls] = [process.argv[1], Number(process.argv[2]), JSON.parse(process.argv[3])];
      const policy = process.argv[4];
      const unix = (type) => syscall(socket, 1, type, 0, 0, 0, 0);
      const values = {
        self: process.pid, other: process.ppid, stream: unix(1), datagram: unix(2), memory: addressOf(stableMemory(64)),
      };
      filterSystemCalls(mode, policies[policy]);
      if (calls === 'thread') stat('/', (error) => process.stdout.write(JSON.stringify(error)));
      else process.stdout.write(JSON.stringify(calls.map(([number, ...args]) => {
        const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args.map((value) => values[value] ?? value);
        return Number(syscall(number, a, b, c, d, e, f));
      })));
    `,
  },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  // what loads koffi asks for it from here
  define: { 'import.meta.url': JSON.stringify(import.meta.url) },
  write: false,
}).outputFiles[0]!.text;

/** What a header of the kernel defines. */
function kernelNumbers(header: string): ReadonlyMap<string, number> {
  const text = readFileSync(header, 'utf8');
  return new Map(
    [...text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm)].map(([, name = '', number]) => [
      name,
      Number(number),
    ]),
  );
}

/** The kernel's own numbers, by architecture. asm-generic/unistd.h, which arm64 has, knows one call by another name. */
export const kernelCalls = {
  x64: kernelNumbers('/usr/include/x86_64-linux-gnu/asm/unistd_64.h'),
  arm64: new Map(
    [...kernelNumbers('/usr/include/asm-generic/unistd.h')].map(([name, number]) => [
      name === 'fstatat' ? 'newfstatat' : name,
      number,
    ]),
  ),
};
const numbers = kernelCalls[process.arch === 'arm64' ? 'arm64' : 'x64'];
export const ENOSYS = -38;

/** Whether this architecture has a call: arm64 has none that a newer one has taken the place of. */
export function isCall(name: string): boolean {
  if (!Object.values(kernelCalls).some((calls) => calls.has(name))) throw new Error(`${name} is no call`);
  return numbers.has(name);
}

export interface UnderFilter {
  /** Whose filter. */
  readonly policy?: 'helper' | 'descriptor requests' | 'server' | 'vhost-user';
  readonly milliseconds?: number;
}

/** A call and its arguments. */
export type Call = readonly [name: string, form: Form];

export interface Outcome {
  readonly signal: string | null;
  readonly status: number | null;
  /** What each call returned: a number or -errno. */
  readonly results: readonly number[];
}

export function underFilter(
  mode: string,
  calls: readonly Call[] | 'thread',
  { policy = 'helper', milliseconds = 20_000 * patience }: UnderFilter = {},
): Outcome {
  const argument = calls === 'thread' ? calls : calls.map(([name, form]) => [numbers.get(name), ...form]);
  const { signal, status, stdout } = spawnSync(
    helperNode,
    ['--eval', filtered, mode, String(numbers.get('socket')), JSON.stringify(argument), policy],
    {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      encoding: 'utf8',
      timeout: milliseconds,
      killSignal: 'SIGKILL',
    },
  );
  return { signal, status, results: JSON.parse(stdout === '' ? '[]' : stdout) as number[] };
}
