/** Where clients come from. */
import { closeSync, lstatSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { parseListenAddress } from '../../src/server/transports/address.js';
import { boundPort } from '../../src/syscalls/network-sockets.js';
import { umask } from '../../src/syscalls/files.js';
import { socketpair } from '../../harness/libc.js';
import { exportForTest } from '../../harness/tree.js';
import { accepting, client, listening, own } from './sockets.js';

const refusal = (text: string, allowNetwork = false): string => {
  try {
    parseListenAddress(text, allowNetwork, 'virtfs-proxy-helper share');
    return 'accepted';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('the address of --listen', () => {
  it('is a path, an IP address, a port of AF_VSOCK or a descriptor', () => {
    expect(parseListenAddress('unix:/run/a:b', false, 'virtfs-proxy-helper share')).toMatchObject({
      kind: 'unix',
      path: '/run/a:b',
    });
    expect(parseListenAddress('unix:a', false, 'virtfs-proxy-helper share')).toMatchObject({
      path: join(process.cwd(), 'a'),
    });
    expect(parseListenAddress('vsock:564', false, 'virtfs-proxy-helper share')).toMatchObject({
      kind: 'vsock',
      port: 564,
    });
    expect(parseListenAddress('fd:7', false, 'virtfs-proxy-helper share')).toMatchObject({
      kind: 'descriptor',
      descriptor: 7,
    });
    const tcp = parseListenAddress('tcp:127.0.0.1:564', false, 'virtfs-proxy-helper share');
    expect(tcp).toMatchObject({ kind: 'tcp', port: 564, address: Uint8Array.of(127, 0, 0, 1) });
    const six = parseListenAddress('tcp:[::1]:564', false, 'virtfs-proxy-helper share');
    expect(six).toMatchObject({
      kind: 'tcp',
      address: Uint8Array.from({ length: 16 }, (_, at) => +(at === 15)),
    });
  });

  it.each(['tcp:127.9.9.9:1', 'tcp:[::ffff:127.0.0.1]:1'])('%s is of this machine', (text) => {
    expect(refusal(text)).toBe('accepted');
  });

  it.each([
    'tcp:0.0.0.0:564',
    'tcp:192.0.2.1:564',
    'tcp:[::]:564',
    'tcp:[::2]:564',
    'tcp:[::ffff:10.0.0.1]:5',
  ])('%s is for the network, which has to be allowed', (text) => {
    expect(refusal(text)).toContain('9P has no authentication');
    expect(refusal(text)).toContain('--allow-network');
    expect(refusal(text, true)).toBe('accepted');
  });

  it.each([
    ['', 'must be unix:PATH, tcp:ADDRESS:PORT'],
    ['/run/socket', 'must be unix:PATH'],
    ['udp:127.0.0.1:5', 'must be unix:PATH'],
    ['unix:', 'the path is missing'],
    [`unix:/${'x'.repeat(107)}`, 'longer than the 107 bytes'],
    ['tcp:564', 'numeric address'],
    ['tcp:localhost:564', 'numeric address'],
    ['tcp:::1:564', 'numeric address'],
    ['tcp:[127.0.0.1]:564', 'numeric address'],
    ['tcp:[::1%lo]:564', 'numeric address'],
    ['tcp:127.1:564', 'numeric address'],
    ['tcp:127.0.0.1:0', 'the port must be'],
    ['tcp:127.0.0.1:65536', 'the port must be'],
    ['tcp:127.0.0.1:+1', 'the port must be'],
    ['tcp:127.0.0.1:1\n', 'the port must be'],
    ['vsock:4294967295', 'must be vsock:PORT'],
    ['vsock:3:564', 'must be vsock:PORT'],
    ['fd:-1', 'must be fd:N'],
    ['fd:2', 'the log goes there'],
  ])('%j is wrong, in one line', (text, reason) => {
    expect(refusal(text)).toContain(reason);
    expect(refusal(text)).toMatch(/^--listen [^]*\(see virtfs-proxy-helper share --help\)$/);
  });
});

describe('a listening socket', () => {
  it('of a path has its mode and owner, and takes the place of one that nobody has any more', async () => {
    const before = umask(0);
    onTestFinished(() => {
      umask(before);
    });
    const path = join(exportForTest(), 'socket');
    const first = listening(`unix:${path}`);
    expect(statSync(path)).toMatchObject({ uid: own.uid, gid: own.gid });
    expect(statSync(path).mode & 0o7777).toBe(0o770);
    expect(() => listening(`unix:${path}`)).toThrow('another process uses it');
    closeSync(first.descriptor);
    const { peers } = accepting(listening(`unix:${path}`));
    client(path);
    await vi.waitFor(() => {
      expect(peers).toEqual([{ uid: own.uid }]);
    });
  });

  it('never replaces anything else, and never leaves anything behind', () => {
    const directory = exportForTest();
    writeFileSync(join(directory, 'file'), 'kept');
    mkdirSync(join(directory, 'directory'));
    for (const name of ['file', 'directory']) {
      expect(() => listening(`unix:${join(directory, name)}`)).toThrow('something else is there');
      expect(lstatSync(join(directory, `.${name}.starting`), { throwIfNoEntry: false })).toBeUndefined();
    }
  });

  it.each([
    ['127.0.0.1', 'tcp:127.0.0.1:'],
    ['::1', 'tcp:[::1]:'],
  ])('of TCP takes clients at %s', async (host, text) => {
    const port = 20_000 + Math.trunc(Math.random() * 10_000);
    const socket = listening(`${text}${port}`);
    expect(socket).toMatchObject({ listening: true, kind: 'tcp' });
    expect(boundPort(socket.descriptor)).toBe(port);
    expect(() => listening(`${text}${port}`)).toThrow('(EADDRINUSE)');
    const { peers } = accepting(socket);
    client(port, host);
    await vi.waitFor(() => {
      expect(peers).toEqual([{}]);
    });
  });

  it('of AF_VSOCK has its port', () => {
    const socket = listening('vsock:40564');
    expect(socket).toMatchObject({ listening: true, kind: 'vsock' });
    expect(boundPort(socket.descriptor)).toBe(40_564);
    accepting(socket);
  });

  it('that is passed is a stream socket, listening or connected', () => {
    const [one, other] = socketpair();
    expect(listening(`fd:${one}`)).toEqual({ descriptor: one, listening: false, kind: 'unix' });
    closeSync(one);
    closeSync(other);
    expect(() => listening(`fd:${one}`)).toThrow('no such descriptor was passed');
    const file = openSync('/dev/null', 'r');
    onTestFinished(() => {
      closeSync(file);
    });
    expect(() => listening(`fd:${file}`)).toThrow('must be a connected or listening stream socket');
  });

  it('sends others away, and goes on', async () => {
    const path = join(exportForTest(), 'socket');
    const allowed: { uids: readonly number[]; cids: undefined } = { uids: [4711], cids: undefined };
    const { peers, refused } = accepting(listening(`unix:${path}`), allowed);
    if (own.uid === 0) {
      client(path);
      await vi.waitFor(() => {
        expect(peers).toHaveLength(1);
      });
    } else {
      client(path);
      await vi.waitFor(() => {
        expect(refused).toEqual([{ uid: own.uid }]);
      });
    }
  });

  it('takes one client, and refuses those who wait', async () => {
    const path = join(exportForTest(), 'socket');
    const { peers } = accepting(listening(`unix:${path}`), undefined, false);
    const ends = vi.fn();
    for (let count = 0; count < 3; count++) client(path).on('close', ends);
    await vi.waitFor(() => {
      expect(ends).toHaveBeenCalledTimes(2);
    });
    expect(peers).toHaveLength(1);
  });
});
