/** What an argument of a system call must be for the call to be allowed. `seccomp-filter.ts` makes BPF of it. */
export type Matcher =
  | { readonly kind: 'any' }
  | { readonly kind: 'oneOf' | 'noneOf'; readonly values: readonly number[] }
  | { readonly kind: 'flags'; readonly required: number; readonly allowed: number }
  | { readonly kind: 'zero' };

export const any: Matcher = { kind: 'any' };

/** All 64 bits are zero: a pointer that is NULL. The others look at the low 32 bits, as the kernel does with an int. */
export const zero: Matcher = { kind: 'zero' };

export function oneOf(...values: readonly number[]): Matcher {
  return { kind: 'oneOf', values };
}

export function noneOf(...values: readonly number[]): Matcher {
  return { kind: 'noneOf', values };
}

/** All required bits are set, and none but these and the allowed ones. */
export function flags(required: number, allowed: number): Matcher {
  return { kind: 'flags', required, allowed };
}

/** The arguments with which a call is allowed. */
export interface Rule {
  /** The same in words, for people. */
  readonly only: string;
  /** Each lists the first arguments; one of these lists must match as a whole. */
  readonly when: readonly (readonly Matcher[])[];
  /** What becomes of the call otherwise: `refused` is ENOSYS, `forbidden` the end of the process (or a log line). */
  readonly otherwise: 'refused' | 'forbidden';
}

export function allowWhen(only: string, ...when: readonly (readonly Matcher[])[]): Rule {
  return { only, when, otherwise: 'refused' };
}

/** For what nobody calls by mistake with other arguments. */
export function forbidUnless(only: string, ...when: readonly (readonly Matcher[])[]): Rule {
  return { only, when, otherwise: 'forbidden' };
}
