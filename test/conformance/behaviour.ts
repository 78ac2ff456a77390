import type { Guest } from './guest.js';

/** Every model that a helper can have, started as root. */
export const models = ['passthrough', 'none', 'mapped-xattr', 'mapped-file'] as const;

export type Model = (typeof models)[number];

/** Something that a guest does in an empty export, and what it sees of it: the same in all models. */
export interface Behaviour {
  readonly title: string;
  /** Whether it changes the export's own attributes, so that nothing else can use it afterwards. */
  readonly usesUp?: true;
  /** What the guest sees, in the order in which it looks. */
  readonly steps: (guest: Guest) => readonly unknown[];
  readonly sees: readonly unknown[];
}

/** The same where the models differ by design. */
export interface Difference extends Omit<Behaviour, 'sees'> {
  readonly why: string;
  readonly sees: Readonly<Record<Model, readonly unknown[]>>;
  /** What a guest of the 9P server sees instead, which looks up name by name and follows links itself. */
  readonly seesByName?: Partial<Record<Model, readonly unknown[]>>;
}
