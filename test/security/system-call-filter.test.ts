/** What a program that was taken over could still call: every call of the filter, in its allowed and its other forms. */
import { describe, expect, it } from 'vitest';
import { systemCalls } from '../../src/abi/system-calls.js';
import {
  allowedCalls,
  descriptorRequestCalls,
  forbiddenCalls,
} from '../../src/helper/confinement/system-call-policy.js';
import { absent, ends, type Form, forms } from './system-call-forms.js';
import { patience } from '../../harness/patience.js';
import { type Call, ENOSYS, isCall, kernelCalls, underFilter } from './under-filter.js';

const describeCall = ([name, form]: Call): string => `${name}(${form.join(', ')})`;
const formsOf = (kind: 'allowed' | 'refused' | 'forbidden'): Call[] =>
  Object.entries(forms)
    .filter(([name]) => isCall(name))
    .flatMap(([name, { [kind]: found = [] }]) => found.map((form): Call => [name, form]));
/** What the kernel does not look at: no descriptor, no memory, no flag. */
const NONSENSE: Form = [-1, -1, -1, -1, -1, -1];

function survivors(calls: readonly Call[]): string[] {
  return calls.filter((call) => underFilter('kill', [call]).signal !== 'SIGSYS').map(describeCall);
}

describe('the system call filter', { timeout: 120_000 * patience }, () => {
  it('has the numbers of the kernel', () => {
    for (const [name, call] of Object.entries(systemCalls)) {
      const { x64, arm64 }: { x64?: number; arm64?: number } = call;
      expect([name, x64]).toEqual([name, kernelCalls.x64.get(name)]);
      if (arm64 !== undefined) expect([name, arm64]).toEqual([name, kernelCalls.arm64.get(name)]);
    }
  });

  it('allows every call of its list in the forms that are needed', () => {
    const unconditional = allowedCalls.filter(
      (name) => isCall(name) && !(name in forms) && !ends.includes(name),
    );
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
    expect(underFilter('kill', [['exit', [0]]], { milliseconds: 2_000 * patience })).toMatchObject({
      signal: 'SIGKILL',
      results: [],
    });
  });

  it('answers ENOSYS in every other form, and for every call that a run-time may try', () => {
    const calls = [...formsOf('refused'), ...absent.filter(isCall).map((name): Call => [name, NONSENSE])];
    const { results } = underFilter('kill', calls);
    expect(calls.filter((_, index) => results[index] !== ENOSYS).map(describeCall)).toEqual([]);
    expect(results).toHaveLength(calls.length);
  });

  it('lets descriptors be received only where there are requests about them', () => {
    const calls = descriptorRequestCalls.map((name): Call => [name, NONSENSE]);
    expect(underFilter('kill', calls).results).toEqual(calls.map(() => ENOSYS));
    const { results } = underFilter('kill', [...calls, ['socket', [1, 1, 0]]], {
      policy: 'descriptor requests',
    });
    expect(results.slice(0, -1)).not.toContain(ENOSYS);
    expect(results.at(-1)).toBe(ENOSYS);
  });

  it('kills where a form reaches beyond the process', () => {
    const calls = formsOf('forbidden');
    expect(calls.length).toBeGreaterThan(15);
    expect(survivors(calls)).toEqual([]);
  });

  it('kills at every forbidden call', () => {
    const calls = forbiddenCalls.filter(isCall).map((name): Call => [name, []]);
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
