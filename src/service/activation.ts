/** A socket that the service manager opened and passed: sd_listen_fds(3). */
export interface PassedSocket {
  readonly descriptor: number;
  /** FileDescriptorName= of the socket unit; empty when it tells none. */
  readonly name: string;
}

const FIRST_DESCRIPTOR = 3;

/**
 * The sockets that systemd passed to this process; undefined when it passed none, or passed them to another process
 * (LISTEN_PID) whose environment this one only inherited.
 */
export function passedSockets(environment: NodeJS.ProcessEnv, pid: number): PassedSocket[] | undefined {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  if (LISTEN_PID !== String(pid)) return undefined;
  const count = /^\d{1,4}$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0;
  const names = LISTEN_FDNAMES.split(':');
  return Array.from({ length: count }, (_, index) => ({
    descriptor: FIRST_DESCRIPTOR + index,
    name: names[index] ?? '',
  }));
}
