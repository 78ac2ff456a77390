/** What a program that was taken over could still call: every call of the filter, in its allowed and its other forms. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { helperNode } from '../guest/helper.js';
import { systemCalls } from '../../src/abi/system-calls.js';
import {
  allowedCalls,
  descriptorRequestCalls,
  forbiddenCalls,
} from '../../src/helper/confinement/system-call-policy.js';
import { absent, ends, type Form, forms } from './system-call-forms.js';

/** A program that goes under the filter and then makes system calls, given by their numbers and arguments. */
const filtered = buildSync({
  stdin: {
    resolveDir: fileURLToPath(new URL('../../src', import.meta.url)),
    loader: 'ts',
    contents: `
      import { stat } from 'node:fs';
      import { filterSystemCalls, refuseIoUring } from './confinement/seccomp.js';
      import { descriptorRequestsPolicy, helperPolicy } from './helper/confinement/system-call-policy.js';
      import { addressOf, result, syscall } from './syscalls/libc.js';
      import { cString, stableMemory } from './syscalls/memory.js';
      import { execve, keepOverExec, setNoNewPrivileges, StringVector } from './syscalls/process.js';
      setNoNewPrivileges();
      if (process.argv[3] === '"thread"' && process.argv[4] === undefined) {
        // libuv waits for the thread, and must not do so on a ring: what the starting program sees to
        refuseIoUring('kill');
        for (const standard of [0, 1, 2]) keepOverExec(standard);
        const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1), 'again'];
        execve(cString(process.execPath), new StringVector(again), new StringVector([]));
      }
      const [mode, socket, calls] = [process.argv[1], Number(process.argv[2]), JSON.parse(process.argv[3])];
      const unix = (type) => result(syscall(socket, 1, type, 0, 0, 0, 0));
      const values = {
        self: process.pid, other: process.ppid, stream: unix(1), datagram: unix(2), memory: addressOf(stableMemory(64)),
      };
      if (mode === 'descriptor requests') filterSystemCalls('kill', descriptorRequestsPolicy);
      else filterSystemCalls(mode, helperPolicy);
      if (calls === 'thread') stat('/', (error) => process.stdout.write(JSON.stringify(error)));
      else process.stdout.write(JSON.stringify(calls.map(([number, ...args]) => {
        const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args.map((value) => values[value] ?? value);
        return Number(result(syscall(number, a, b, c, d, e, f)));
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

/** The kernel's own numbers: what its headers define for this architecture. */
function kernelNumbers(header: string): ReadonlyMap<string, number> {
  const text = readFileSync(header, 'utf8');
  return new Map(
    [...text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm)].map(([, name = '', number]) => [
      name,
      Number(number),
    ]),
  );
}
const numbers = kernelNumbers('/usr/include/x86_64-linux-gnu/asm/unistd_64.h');
const ENOSYS = -38;

type Call = readonly [name: string, form: Form];

interface Outcome {
  readonly signal: string | null;
  readonly status: number | null;
  /** What each call returned: a number or -errno. */
  readonly results: readonly number[];
}

function underFilter(mode: string, calls: readonly Call[] | 'thread', milliseconds = 20_000): Outcome {
  const argument = calls === 'thread' ? calls : calls.map(([name, form]) => [numbers.get(name), ...form]);
  const { signal, status, stdout } = spawnSync(
    helperNode,
    ['--eval', filtered, mode, String(numbers.get('socket')), JSON.stringify(argument)],
    {
      cwd: fileURLToPath(new URL('../../', import.meta.url)),
      encoding: 'utf8',
      timeout: milliseconds,
      killSignal: 'SIGKILL',
    },
  );
  return { signal, status, results: JSON.parse(stdout === '' ? '[]' : stdout) as number[] };
}

const describeCall = ([name, form]: Call): string => `${name}(${form.join(', ')})`;
const formsOf = (kind: 'allowed' | 'refused' | 'forbidden'): Call[] =>
  Object.entries(forms).flatMap(([name, { [kind]: found = [] }]) => found.map((form): Call => [name, form]));
/** What the kernel does not look at: no descriptor, no memory, no flag. */
const NONSENSE: Form = [-1, -1, -1, -1, -1, -1];

function survivors(calls: readonly Call[]): string[] {
  return calls.filter((call) => underFilter('kill', [call]).signal !== 'SIGSYS').map(describeCall);
}

describe('the system call filter', { timeout: 120_000 }, () => {
  it('has the numbers of the kernel', () => {
    const generic = kernelNumbers('/usr/include/asm-generic/unistd.h');
    for (const [name, call] of Object.entries(systemCalls)) {
      const { x64, arm64 }: { x64?: number; arm64?: number } = call;
      expect([name, x64]).toEqual([name, numbers.get(name)]);
      // asm-generic/unistd.h knows it by its other name
      if (arm64 !== undefined) expect([name, arm64]).toEqual([name, generic.get(name.replace(/^newf/, 'f'))]);
    }
  });

  it('allows every call of its list in the forms that are needed', () => {
    const unconditional = allowedCalls.filter((name) => !(name in forms) && !ends.includes(name));
    const calls = [...formsOf('allowed'), ...unconditional.map((name): Call => [name, NONSENSE])];
    const [without, under] = ['none', 'kill'].map((mode) => underFilter(mode, calls));
    expect(under!.results).toHaveLength(calls.length);
    // what this kernel does not have is not the filter's doing
    const refused = calls.filter(
      (_, index) => under!.results[index] === ENOSYS && without!.results[index] !== ENOSYS,
    );
    expect(refused.map(describeCall)).toEqual([]);
  });

  it('lets threads start and end, and the process end', () => {
    expect(underFilter('kill', 'thread')).toMatchObject({ signal: null, status: 0 });
    expect(underFilter('kill', [['exit_group', [7]]])).toMatchObject({ signal: null, status: 7 });
    expect(underFilter('kill', [['rt_sigreturn', []]]).signal).toBe('SIGSEGV');
    // the other threads stay, and with them the process, until the time is over
    expect(underFilter('kill', [['exit', [0]]], 2_000)).toMatchObject({ signal: 'SIGKILL', results: [] });
  });

  it('answers ENOSYS in every other form, and for every call that a run-time may try', () => {
    const calls = [...formsOf('refused'), ...absent.map((name): Call => [name, NONSENSE])];
    const { results } = underFilter('kill', calls);
    expect(calls.filter((_, index) => results[index] !== ENOSYS).map(describeCall)).toEqual([]);
    expect(results).toHaveLength(calls.length);
  });

  it('lets descriptors be received only where there are requests about them', () => {
    const calls = descriptorRequestCalls.map((name): Call => [name, NONSENSE]);
    expect(underFilter('kill', calls).results).toEqual(calls.map(() => ENOSYS));
    const { results } = underFilter('descriptor requests', [...calls, ['socket', [1, 1, 0]]]);
    expect(results.slice(0, -1)).not.toContain(ENOSYS);
    expect(results.at(-1)).toBe(ENOSYS);
  });

  it('kills where a form reaches beyond the process', () => {
    const calls = formsOf('forbidden');
    expect(calls.length).toBeGreaterThan(15);
    expect(survivors(calls)).toEqual([]);
  });

  it('kills at every forbidden call', () => {
    const calls = forbiddenCalls.map((name): Call => [name, []]);
    expect(calls.length).toBeGreaterThan(30);
    expect(survivors(calls)).toEqual([]);
  });

  it('only reports with --seccomp=log, and is not there with none', () => {
    expect(underFilter('log', [['unshare', [0]]])).toMatchObject({ signal: null, results: [0] });
    expect(underFilter('log', [['tgkill', ['other', 'other', 0]]])).toMatchObject({
      signal: null,
      results: [0],
    });
    expect(underFilter('none', [['socket', [0, 0, 0]]]).results).not.toEqual([ENOSYS]);
  });
});
