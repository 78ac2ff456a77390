import { GuestCredentials } from './guest-credentials.js';

/** The guest's ids where this process may take them, else its own: for a helper that has few or no rights. */
export class OptionalCredentials extends GuestCredentials {
  protected override without<A, B, C>(
    _refused: number,
    call: (a: A, b: B, c: C) => number,
    a: A,
    b: B,
    c: C,
  ): number {
    return call(a, b, c);
  }
}
