import { GuestCredentials } from './guest-credentials.js';

/** The guest's ids where this process may take them, else its own: for a helper that has few or no rights. */
export class OptionalCredentials extends GuestCredentials {
  protected override onRefused<At, How>(
    _refused: number,
    call: (at: At, how: How) => number,
    at: At,
    how: How,
  ): number {
    return call(at, how);
  }
}
