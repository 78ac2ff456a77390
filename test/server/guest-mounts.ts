/** 9P servers inside a guest of User Mode Linux, and the ways in which its kernel mounts them. */
import { helperNode, helperUnderTest } from '../../harness/guest/helper.js';
import type { UmlGuest } from '../../harness/uml-guest.js';

/** How the guest's kernel reaches a server. */
export type Transport = 'tcp' | 'unix' | 'vsock';

const PORT = 564;
const SOCKET = '/tmp/server.sock';
const LOG = '/tmp/server.log';

export interface Server {
  readonly name: string;
  /** The command line, in the guest's shell. */
  readonly command: (directory: string, transport: Transport) => string;
  /** What it needs to be told by the mount. */
  readonly mountOptions: (directory: string) => readonly string[];
}

export const diod: Server = {
  name: 'diod',
  command: (directory, transport) =>
    `diod -f -n -N -e ${directory} -U root -L stderr -l ${transport === 'unix' ? SOCKET : `127.0.0.1:${PORT}`}`,
  mountOptions: (directory) => [`aname=${directory}`, 'uname=root'],
};

const listenOn: Record<Transport, string> = {
  tcp: `tcp:127.0.0.1:${PORT}`,
  unix: `unix:${SOCKET}`,
  vsock: `vsock:${PORT}`,
};

/** The share command. */
export const share = (...options: readonly string[]): Server => ({
  name: ['share', ...options].join(' '),
  command: (directory, transport) =>
    [
      ...[helperNode, helperUnderTest, 'share'],
      ...['--path', directory, '--listen', listenOn[transport], ...options],
    ].join(' '),
  mountOptions: () => [],
});

export const ours = share();

/** Waits without connecting, which a server might take for its only client. */
const ready: Record<Transport, string> = {
  tcp: `grep -q ':${PORT.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A' /proc/net/tcp`,
  unix: `test -S ${SOCKET}`,
  // nothing tells; a connection is tried until it is taken
  vsock: 'true',
};

/** Starts a server in the guest, which exports a directory of the guest's. */
export async function startServer(
  guest: UmlGuest,
  server: Server,
  directory: string,
  transport: Transport,
): Promise<void> {
  if (transport === 'vsock') await guest.load('vsock_loopback');
  await guest.run(`
rm -f ${SOCKET}
${server.command(directory, transport)} </dev/null >${LOG} 2>&1 &
echo $! >/tmp/server.pid
for attempt in {1..300}; do
  ${ready[transport]} && exit
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
echo 'the server does not listen' >&2; cat ${LOG} >&2; exit 1`);
}

/** @returns what it logged */
export async function stopServer(guest: UmlGuest): Promise<string> {
  const { stdout } = await guest.attempt(`
kill $(cat /tmp/server.pid) 2>/dev/null
for attempt in {1..100}; do kill -0 $(cat /tmp/server.pid) 2>/dev/null || break; sleep 0.1; done
cat ${LOG}`);
  return stdout;
}

/** Mounts the server that runs in the guest. */
export async function mount(
  guest: UmlGuest,
  place: string,
  transport: Transport,
  options: readonly string[],
): Promise<void> {
  const words = options.join(',');
  const script = {
    tcp: `mount -t 9p -o trans=tcp,port=${PORT},${words} 127.0.0.1 ${place}`,
    unix: `mount -t 9p -o trans=unix,${words} ${SOCKET} ${place}`,
    // the guest connects and gives the kernel the socket
    vsock: `socat VSOCK-CONNECT:1:${PORT},retry=100,interval=0.1 EXEC:"mount -t 9p -o trans=fd\\\\,rfdno=0\\\\,wfdno=1\\\\,${words.replaceAll(',', '\\\\,')} vsock ${place}",nofork`,
  }[transport];
  await guest.run(`mkdir -p ${place}\n${script}`);
}
