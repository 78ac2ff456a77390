import { absolutePath, isUtf8 } from '../../cli/path-bytes.js';
import type { PassedSocket } from '../../service/activation.js';
import { usageError } from '../../startup/start-errors.js';
import { ipAddress } from '../../syscalls/network-sockets.js';
import { MAX_PATH_BYTES } from '../../syscalls/sockets.js';

/** A client's own 9P, or the protocol by which an emulator leaves a device to another process. */
export type Carried = '9p' | 'vhost-user';

/** Where clients come from. `origin` is what was given, for messages. */
export type ListenAddress = {
  readonly origin: string;
  /** What is spoken there. */
  readonly carries: Carried;
} & (
  | { readonly kind: 'unix'; readonly path: string }
  /** 4 bytes or 16. */
  | { readonly kind: 'tcp'; readonly address: Uint8Array; readonly port: number }
  | { readonly kind: 'vsock'; readonly port: number }
  | { readonly kind: 'descriptor'; readonly descriptor: number }
);

const FORMS =
  'unix:PATH, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, vsock:PORT, fd:N, vhost-user:PATH or vhost-user-fd:N';
const MAX_TCP_PORT = 0xffff;
/** 2^32 - 1 means any port. */
const MAX_VSOCK_PORT = 0xffff_fffe;
const STDERR = 2;

/**
 * A socket that the service manager passed. Throws a usage error when it passed none, or several.
 *
 * @param command whose socket it is
 */
export function passedAddress(
  passed: readonly PassedSocket[],
  carries: Carried,
  command: string,
): ListenAddress {
  const [socket] = passed;
  if (socket === undefined || passed.length > 1) {
    const names = passed.map(({ name }) => name).join(', ');
    const count = socket === undefined ? 'no socket' : `${passed.length} sockets (${names})`;
    throw usageError(
      `systemd passed ${count} (LISTEN_FDS); one is needed, or --listen`,
      command,
      'wrong-passed-sockets',
    );
  }
  const { descriptor, name } = socket;
  return {
    origin: `LISTEN_FDS, descriptor ${descriptor} (${name})`,
    carries,
    kind: 'descriptor',
    descriptor,
  };
}

/**
 * Reads the value of --listen. Throws a usage error.
 *
 * @param allowNetwork whether others than this machine may connect
 * @param command whose option it is
 */
export function parseListenAddress(text: string, allowNetwork: boolean, command: string): ListenAddress {
  const origin = `--listen ${text}`;
  const wrong = (reason: string): Error => usageError(`${origin}: ${reason}`, command);
  const [, kind = '', rest = ''] = /^([a-z-]+):(.*)$/s.exec(text) ?? [];
  const carries = kind.startsWith('vhost-user') ? 'vhost-user' : '9p';
  switch (kind) {
    case 'unix':
      return { origin, carries, kind, path: unixPath(rest, wrong) };
    case 'tcp':
      return { origin, carries, kind, ...tcpAddress(rest, allowNetwork, wrong) };
    case 'vsock':
      return {
        origin,
        carries,
        kind,
        port: number(rest, 1, MAX_VSOCK_PORT, () => wrong('must be vsock:PORT')),
      };
    case 'vhost-user':
      return { origin, carries, kind: 'unix', path: unixPath(rest, wrong) };
    case 'fd':
    case 'vhost-user-fd':
      return { origin, carries, kind: 'descriptor', descriptor: inherited(rest, wrong) };
    default:
      throw wrong(`must be ${FORMS}`);
  }
}

/** Makes the usage error of a reason. */
export type Wrong = (reason: string) => Error;

/** A path that fits into the address of a socket. Throws a usage error. */
export function unixPath(given: string, wrong: Wrong): string {
  if (given === '') throw wrong('the path is missing');
  const path = absolutePath(given);
  if (!isUtf8(path)) throw wrong('the path is not UTF-8; choose one that is');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw wrong(`longer than the ${MAX_PATH_BYTES} bytes that a socket's path can have`);
  }
  return path;
}

function tcpAddress(
  text: string,
  allowNetwork: boolean,
  wrong: Wrong,
): { readonly address: Uint8Array; readonly port: number } {
  const [, bracketed, plain, port = ''] = /^(?:\[([^[\]]*)\]|([^:]*)):([^:]*)$/.exec(text) ?? [];
  const address = ipAddress(bracketed ?? plain ?? '');
  if (address === undefined || (bracketed !== undefined) !== (address.length === 16)) {
    throw wrong('must be tcp:ADDRESS:PORT with a numeric address; one of IPv6 is written in brackets');
  }
  if (!allowNetwork && !isLoopback(address)) {
    throw wrong(
      '9P has no authentication: whoever reaches the port has the whole share; give 127.0.0.1 or [::1], or add --allow-network',
    );
  }
  const badPort = (): Error => wrong(`the port must be a number from 1 to ${MAX_TCP_PORT}`);
  return { address, port: number(port, 1, MAX_TCP_PORT, badPort) };
}

/** 127.0.0.0/8 and ::1. */
function isLoopback(address: Uint8Array): boolean {
  const { length } = address;
  const version4 = asVersion4(address);
  if (version4 !== undefined) return version4[0] === 127;
  return address.every((byte, at) => byte === Number(at === length - 1));
}

/** The 4 bytes of an address of IPv4, also of one that is written in IPv6: ::ffff:0:0/96. */
function asVersion4(address: Uint8Array): Uint8Array | undefined {
  if (address.length === 4) return address;
  const isMapped = address.subarray(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 0xff));
  return isMapped ? address.subarray(12) : undefined;
}

/**
 * Where a client comes from: an address of IPv4, or a network of IPv6, as who has one of its addresses has all of them.
 * Undefined for this machine.
 */
export function networkOf(address: Uint8Array): string | undefined {
  if (isLoopback(address)) return undefined;
  const version4 = asVersion4(address);
  if (version4 !== undefined) return version4.join('.');
  const groups = [0, 2, 4, 6].map((at) => (((address[at] ?? 0) << 8) | (address[at + 1] ?? 0)).toString(16));
  return `${groups.join(':')}::/64`;
}

function inherited(text: string, wrong: Wrong): number {
  const descriptor = number(text, 0, 999_999_999, () =>
    wrong('must be fd:N, the number of an inherited descriptor'),
  );
  if (descriptor === STDERR) throw wrong('the log goes there; pass the socket as another one');
  return descriptor;
}

function number(text: string, least: number, most: number, wrong: () => Error): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most) throw wrong();
  return value;
}
