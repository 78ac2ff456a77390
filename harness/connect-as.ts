import { spawnSync } from 'node:child_process';

const SERVED = 0;
const CLOSED = 9;
const RESET = 8;

/** Connects as a user with another program, since the kernel tells the uid of the process that did; asks one thing. 'served' or 'refused'. */
export function connectAs(uid: number, path: string): string {
  const script = `
    const socket = require('net').connect(process.argv[1], () => socket.write(Buffer.from([8, 0, 0, 0, 3, 0, 0, 0, 1, 0, 47])));
    socket.on('data', () => process.exit(${SERVED}));
    socket.on('close', () => process.exit(${CLOSED}));
    socket.on('error', ({ code }) => process.exit(code === 'EACCES' ? 7 : ${RESET}));`;
  const { status } = spawnSync(
    'setpriv',
    [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath, '--eval', script, path],
    { timeout: 20_000, env: {} },
  );
  if (status === SERVED) return 'served';
  // closed, or reset when it had written something already
  return status === CLOSED || status === RESET ? 'refused' : `status ${status}`;
}
