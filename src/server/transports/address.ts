import { absolutePath, isUtf8 } from '../../cli/path-bytes.js';
import { usageError } from '../../startup/exit-status.js';
import { ipAddress } from '../../syscalls/network-sockets.js';
import { MAX_PATH_BYTES } from '../../syscalls/sockets.js';

/** Where clients come from. `origin` is what was given, for messages. */
export type ListenAddress = { readonly origin: string } & (
  | { readonly kind: 'unix'; readonly path: string }
  /** 4 bytes or 16. */
  | { readonly kind: 'tcp'; readonly address: Uint8Array; readonly port: number }
  | { readonly kind: 'vsock'; readonly port: number }
  | { readonly kind: 'descriptor'; readonly descriptor: number }
);

const FORMS = 'unix:PATH, tcp:ADDRESS:PORT, tcp:[ADDRESS]:PORT, vsock:PORT or fd:N';
const MAX_TCP_PORT = 0xffff;
/** 2^32 - 1 means any port. */
const MAX_VSOCK_PORT = 0xffff_fffe;
const STDERR = 2;

/**
 * Reads the value of --listen. Throws a usage error.
 *
 * @param allowNetwork whether others than this machine may connect
 */
export function parseListenAddress(text: string, allowNetwork: boolean): ListenAddress {
  const origin = `--listen ${text}`;
  const wrong = (reason: string): Error => usageError(`${origin}: ${reason}`, 'virtfs-proxy-helper share');
  const [, kind = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case 'unix':
      return { origin, kind, path: unixPath(rest, wrong) };
    case 'tcp':
      return { origin, kind, ...tcpAddress(rest, allowNetwork, wrong) };
    case 'vsock':
      return { origin, kind, port: number(rest, 1, MAX_VSOCK_PORT, () => wrong('must be vsock:PORT')) };
    case 'fd':
      return { origin, kind: 'descriptor', descriptor: inherited(rest, wrong) };
    default:
      throw wrong(`must be ${FORMS}`);
  }
}

type Wrong = (reason: string) => Error;

function unixPath(given: string, wrong: Wrong): string {
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

/** 127.0.0.0/8, ::1, and the former as ::ffff:127.0.0.0/104. */
function isLoopback(address: Uint8Array): boolean {
  if (address.length === 4) return address[0] === 127;
  const prefix = Array.from(address.subarray(0, 12)).join();
  const last = address.subarray(12);
  if (prefix === '0,0,0,0,0,0,0,0,0,0,255,255') return last[0] === 127;
  return prefix === '0,0,0,0,0,0,0,0,0,0,0,0' && Array.from(last).join() === '0,0,0,1';
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
