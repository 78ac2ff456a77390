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
