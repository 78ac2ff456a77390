/**
 * To be imported before anything else: at SIGUSR1 Node starts its debugger, on a port that every user of the host
 * reaches, unless there is a handler.
 */
process.on('SIGUSR1', () => undefined);

/** `inspector.close`, without loading all of that module at every start. */
interface WithDebugger {
  readonly _debugEnd?: () => void;
}

/**
 * Ends the debugger that a SIGUSR1 started before this program's first line ran: one can only come that early. Node
 * starts it in one of two places, of which one has its turn only when the event loop does.
 */
export function endDebugger(): void {
  const end = (): void => (process as WithDebugger)._debugEnd?.();
  end();
  setImmediate(end);
}
