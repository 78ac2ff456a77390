import { type CallNumbers, type SystemCall, systemCalls } from '../abi/system-calls.js';
import type { Matcher, Rule } from './argument-matchers.js';
import type { SystemCallPolicy } from './system-call-policy.js';

/** Classic BPF, bpf(4): an instruction is a code, two jump distances and a constant. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, constant: number];

const LOAD_WORD = 0x20;
const AND = 0x54;
const JUMP_EQUAL = 0x15;
const JUMP_GREATER_EQUAL = 0x35;
const JUMP_BITS_SET = 0x45;
const RETURN = 0x06;
/** In place of a distance: to behind the arguments that are looked at. */
const MISMATCH = -1;

/** Offsets in `struct seccomp_data`, seccomp(2). */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const ARGUMENT_BYTES = 8;
const UPPER_HALF = 4;

const ALLOW = 0x7fff0000;
/** The call fails with ENOSYS. */
const REFUSE = 0x00050000 | 38;

/** `<linux/audit.h>` */
const auditArchitecture: CallNumbers = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** Numbers of x86's other ABI (x32) begin here; no architecture has as many calls of its own. */
const OTHER_ABI = 0x40000000;

const give = (action: number): Instruction => [RETURN, 0, 0, action];

/** Goes on behind its end when the argument matches, else to MISMATCH. */
function compileMatcher(matcher: Matcher, index: number): Instruction[] {
  const at = FIRST_ARGUMENT + ARGUMENT_BYTES * index;
  const load: Instruction = [LOAD_WORD, 0, 0, at];
  switch (matcher.kind) {
    case 'any':
      return [];
    case 'oneOf':
      return [
        load,
        ...matcher.values.map((value, nth): Instruction => {
          const others = matcher.values.length - nth - 1;
          return [JUMP_EQUAL, others, others === 0 ? MISMATCH : 0, value];
        }),
      ];
    case 'noneOf':
      return [load, ...matcher.values.map((value): Instruction => [JUMP_EQUAL, MISMATCH, 0, value])];
    case 'flags':
      return [
        load,
        [JUMP_BITS_SET, MISMATCH, 0, ~(matcher.required | matcher.allowed) >>> 0],
        [AND, 0, 0, matcher.required],
        [JUMP_EQUAL, 0, MISMATCH, matcher.required],
      ];
    case 'zero':
      return [
        load,
        [JUMP_EQUAL, 0, MISMATCH, 0],
        [LOAD_WORD, 0, 0, at + UPPER_HALF],
        [JUMP_EQUAL, 0, MISMATCH, 0],
      ];
  }
}

/** Allows the call when all arguments match, else goes on behind its end. */
function compileArguments(matchers: readonly Matcher[]): Instruction[] {
  const body = [...matchers.flatMap(compileMatcher), give(ALLOW)];
  return body.map(([code, ifTrue, ifFalse, constant], index) => {
    const resolve = (distance: number): number =>
      distance === MISMATCH ? body.length - index - 1 : distance;
    return [code, resolve(ifTrue), resolve(ifFalse), constant];
  });
}

/** Runs `body`, which returns, when the call is this one. */
function onCall(name: SystemCall, body: readonly Instruction[]): Instruction[] {
  const call: CallNumbers = systemCalls[name];
  const number = call[process.arch];
  return number === undefined ? [] : [[JUMP_EQUAL, 0, body.length, number], ...body];
}

/**
 * The filter of a policy. It looks for the call in the order of the lists.
 *
 * @param forbidden the action for what must not happen
 */
export function compileFilter(policy: SystemCallPolicy, forbidden: number): Instruction[] {
  const decide = (rule: Rule | undefined): Instruction[] =>
    rule === undefined
      ? [give(ALLOW)]
      : [...rule.when.flatMap(compileArguments), give(rule.otherwise === 'forbidden' ? forbidden : REFUSE)];
  return [
    [LOAD_WORD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, auditArchitecture[process.arch] ?? 0],
    give(forbidden),
    [LOAD_WORD, 0, 0, NUMBER],
    [JUMP_GREATER_EQUAL, 0, 1, OTHER_ABI],
    give(forbidden),
    ...policy.allowed.flatMap((name) => onCall(name, decide(policy.rules[name]))),
    ...policy.forbidden.flatMap((name) => onCall(name, [give(forbidden)])),
    // among them socket, connect and clone3, for which glibc then takes clone
    give(REFUSE),
  ];
}

/** A filter that answers ENOSYS to one call. */
export function compileRefusal(call: SystemCall): Instruction[] {
  return [[LOAD_WORD, 0, 0, NUMBER], ...onCall(call, [give(REFUSE)]), give(ALLOW)];
}
