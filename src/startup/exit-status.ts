/** How the process ended, for whoever started it. */
export const ExitStatus = {
  /** The client closed the connection, or a signal asked to stop. */
  OK: 0,
  /** The set-up failed, or the connection did. */
  FAILURE: 1,
  /** The command line was wrong. */
  USAGE: 2,
  /** The client broke the protocol. */
  PROTOCOL_VIOLATION: 3,
  /** Own ids or capabilities could not be restored: serving on would have been unsafe. */
  UNSAFE: 4,
} as const;

/** Something that keeps the helper from starting; the message says what was wrong and what to do. */
export class StartError extends Error {
  readonly status: number;

  constructor(message: string, status: number = ExitStatus.FAILURE) {
    super(message);
    this.status = status;
  }
}

/** Whether a failure is one of these, whichever of our programs' files it comes from: each has a class of its own. */
export function isStartError(error: unknown): error is StartError {
  return error instanceof Error && error.constructor.name === StartError.name;
}

/** A wrong use of the command line. `program` is whose help tells of the right one. */
export function usageError(message: string, program = 'virtfs-proxy-helper'): StartError {
  return new StartError(`${message} (see ${program} --help)`, ExitStatus.USAGE);
}
