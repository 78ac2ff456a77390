/** Requests about a descriptor that the client passes with them: an empty path, and SCM_RIGHTS on the first byte. */
import { chmodSync, constants, fstatSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { about, closeLater, make, OPTION, owner, serve, TIME } from '../../harness/descriptor-requests.js';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName, statusFlags } from '../../harness/libc.js';
import { PATIENCE, serve as serveHost, until } from '../../harness/mounting-host.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { Reply } from '../../harness/wire-client.js';

const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_TRUNC, O_DIRECTORY } = constants;
const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`requests about descriptors skipped: ${skipped}`);

const mode = (reply: Reply): number => reply.payload.readUInt32LE(24);
const ids = (reply: Reply): number[] => [reply.payload.readUInt32LE(28), reply.payload.readUInt32LE(32)];
const size = (reply: Reply): bigint => reply.payload.readBigUInt64LE(44);
const mtime = (reply: Reply): bigint => reply.payload.readBigInt64LE(84);

const models: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['passthrough', []],
  ['passthrough with mapped ids', ['--map-uid', '0:100000:65536', '--map-gid', '0:100000:65536']],
  ['none', ['--security-model', 'none']],
  ['mapped-xattr', ['--security-model', 'mapped-xattr']],
];

describe.skipIf(skipped !== undefined)('a request about a descriptor', { timeout: 60_000 }, () => {
  describe.each([...models, ['mapped-file', ['--security-model', 'mapped-file']] as const])(
    'of %s',
    (_name, args) => {
      it('changes and tells what one with the path does', () => {
        const served = serve(args);
        const { client, about, error } = served;
        const file = make(served, '/file');
        const byPath = (): Reply => client.request(requests.lstat('/file'));
        const check = (): void => {
          const reply = about(requests.lstat(''), file);
          expect(errnoName(reply.errno)).toBe('success');
          expect(reply.payload).toEqual(byPath().payload);
        };
        check();
        expect(error(requests.chmod('', 0o4751), file)).toBe('success');
        check();
        expect(mode(byPath()) & 0o7777).toBe(0o4751);
        expect(error(requests.chown('', { uid: 7, gid: 8 }), file)).toBe('success');
        check();
        expect(ids(byPath())).toEqual([7, 8]);
        expect(error(requests.truncate('', 12_345), file)).toBe('success');
        check();
        expect(size(byPath())).toBe(12_345n);
        expect(error(requests.utime('', TIME, TIME), file)).toBe('success');
        check();
        expect(mtime(byPath())).toBe(TIME[0]);
        expect(error(requests.lsetxattr('', 'user.a', 'value'), file)).toBe('success');
        expect(
          about(requests.lgetxattr(100, '', 'user.a'), file)
            .payload.subarray(2)
            .toString(),
        ).toBe('value');
        expect(
          client
            .request(requests.lgetxattr(100, '/file', 'user.a'))
            .payload.subarray(2)
            .toString(),
        ).toBe('value');
        expect(about(requests.llistxattr(1000, ''), file).payload).toEqual(
          client.request(requests.llistxattr(1000, '/file')).payload,
        );
        expect(error(requests.lremovexattr('', 'user.a'), file)).toBe('success');
        expect(error(requests.lremovexattr('', 'user.a'), file)).toBe('ENODATA');
        expect(about(requests.getversion(''), file).payload).toEqual(
          client.request(requests.getversion('/file')).payload,
        );
      });

      it('is about a directory, and opens it again', () => {
        const served = serve(args);
        const { client, about, error } = served;
        expect(client.request(requests.mkdir(owner, '/d', 0o755)).errno).toBe(0);
        const d = closeLater(client.request(requests.open('/d', O_DIRECTORY)).descriptor!);
        expect(error(requests.chmod('', 0o2711), d)).toBe('success');
        expect(mode(about(requests.lstat(''), d)) & 0o7777).toBe(0o2711);
        expect(error(requests.truncate('', 0), d)).toBe('EISDIR');
        expect(error(requests.open('', O_RDWR), d)).toBe('EISDIR');
        const again = about(requests.open('', O_DIRECTORY), d);
        expect(errnoName(again.errno)).toBe('success');
        expect(fstatSync(closeLater(again.descriptor!)).ino).toBe(fstatSync(d).ino);
        const top = closeLater(client.request(requests.open('/', O_DIRECTORY)).descriptor!);
        expect(about(requests.lstat(''), top).payload).toEqual(client.request(requests.lstat('/')).payload);
      });

      it('opens a file again, as another open file with other flags', () => {
        const served = serve(args);
        const file = make(served, '/file', O_WRONLY);
        writeFileSync(file, 'content');
        const again = served.about(requests.open('', O_RDONLY), file);
        expect(errnoName(again.errno)).toBe('success');
        const opened = closeLater(again.descriptor!);
        expect(readFileSync(opened, 'utf8')).toBe('content');
        expect(statusFlags(opened) & 3).toBe(O_RDONLY);
        expect(served.error(requests.open('', O_WRONLY | O_TRUNC), opened)).toBe('success');
        expect(fstatSync(file).size).toBe(0);
      });

      it('is about the file that is open, wherever it is now', () => {
        const served = serve(args);
        const { client, error, about } = served;
        const file = make(served, '/file');
        expect(client.request(requests.rename('/file', '/moved')).errno).toBe(0);
        make(served, '/file');
        expect(error(requests.chmod('', 0o600), file)).toBe('success');
        expect(mode(client.request(requests.lstat('/file'))) & 0o7777).toBe(0o640);
        expect(mode(client.request(requests.lstat('/moved'))) & 0o7777).toBe(0o600);
        expect(about(requests.lstat(''), file).payload).toEqual(
          client.request(requests.lstat('/moved')).payload,
        );
      });
    },
  );

  it.each(models)('of %s works on a file that has no name any more', (_name, args) => {
    const served = serve(args);
    const { client, about, error } = served;
    const file = make(served, '/file');
    expect(client.request(requests.remove('/file')).errno).toBe(0);
    expect(error(requests.chmod('', 0o4700), file)).toBe('success');
    expect(error(requests.chown('', { uid: 7, gid: 8 }), file)).toBe('success');
    expect(error(requests.truncate('', 99), file)).toBe('success');
    expect(error(requests.utime('', TIME, TIME), file)).toBe('success');
    expect(error(requests.lsetxattr('', 'user.a', 'value'), file)).toBe('success');
    expect(
      about(requests.lgetxattr(100, '', 'user.a'), file)
        .payload.subarray(2)
        .toString(),
    ).toBe('value');
    const status = about(requests.lstat(''), file);
    expect([mode(status) & 0o777, size(status), mtime(status)]).toEqual([0o700, 99n, TIME[0]]);
    expect(ids(status)).toEqual([7, 8]);
    expect(status.payload.readBigUInt64LE(16)).toBe(0n);
    expect(error(requests.getversion(''), file)).toBe('success');
    expect(error(requests.open('', O_RDWR), file)).toBe('success');
  });

  it.each([...models, ['mapped-file', ['--security-model', 'mapped-file']] as const])(
    'of %s is one of what is mounted in the export, before the start and later',
    async (_name, args) => {
      const start = 'mount -t tmpfs disk disk; mkdir disk/in; mount -t tmpfs in disk/in';
      const { client, host, directory } = await serveHost([OPTION, ...args], start);
      host.run(`cd ${directory}; mount -t tmpfs later other; mkdir other/in; mount -t tmpfs in other/in`);
      await until(client, '/other/in', 0);
      const error = (request: Buffer, file: number): string =>
        errnoName(about(client, request, [file]).errno);
      for (const place of ['/disk', '/disk/in', '/other', '/other/in']) {
        const path = `${place}/file`;
        const { descriptor, errno } = await vi.waitFor(() => {
          const made = client.request(requests.create(path, O_RDWR | O_CREAT, 0o640, owner));
          expect(errnoName(made.errno)).toBe('success');
          return made;
        }, PATIENCE);
        expect([path, errnoName(errno)]).toEqual([path, 'success']);
        const file = closeLater(descriptor!);
        expect([path, error(requests.truncate('', 12_345), file)]).toEqual([path, 'success']);
        expect([path, error(requests.chmod('', 0o600), file)]).toEqual([path, 'success']);
        const status = about(client, requests.lstat(''), [file]);
        expect(status.payload).toEqual(client.request(requests.lstat(path)).payload);
        expect([mode(status) & 0o777, size(status)]).toEqual([0o600, 12_345n]);
        const again = about(client, requests.open('', O_RDONLY), [file]);
        expect(fstatSync(closeLater(again.descriptor!)).ino).toBe(fstatSync(file).ino);
        const top = closeLater(client.request(requests.open(place, O_DIRECTORY)).descriptor!);
        expect([place, error(requests.lstat(''), top)]).toEqual([place, 'success']);
      }
    },
  );

  it('of mapped-file is ESTALE where it takes the name that is gone, and works otherwise', () => {
    const served = serve(['--security-model', 'mapped-file']);
    const { client, error, about, directory } = served;
    const file = make(served, '/file');
    expect(client.request(requests.remove('/file')).errno).toBe(0);
    const stale = (): void => {
      for (const request of [
        requests.lstat(''),
        requests.chmod('', 0o700),
        requests.chown('', owner),
        requests.lgetxattr(100, '', 'security.capability'),
      ])
        expect(error(request, file)).toBe('ESTALE');
    };
    stale();
    // another file of the name that the kernel shows
    make(served, '/file (deleted)');
    make(served, '/file');
    stale();
    expect(mode(client.request(requests.lstat('/file'))) & 0o777).toBe(0o640);
    expect(error(requests.truncate('', 99), file)).toBe('success');
    expect(fstatSync(file).size).toBe(99);
    expect(error(requests.utime('', TIME, TIME), file)).toBe('success');
    expect(error(requests.lsetxattr('', 'user.a', 'value'), file)).toBe('success');
    expect(
      about(requests.lgetxattr(100, '', 'user.a'), file)
        .payload.subarray(2)
        .toString(),
    ).toBe('value');
    expect(error(requests.getversion(''), file)).toBe('success');
    const again = about(requests.open('', O_RDONLY), file);
    expect(fstatSync(closeLater(again.descriptor!)).ino).toBe(fstatSync(file).ino);
    // what keeps the records is not the guest's
    const records = openSync(join(directory, '.virtfs_metadata/file'), 'r');
    expect(error(requests.chmod('', 0o777), closeLater(records))).toBe('EBADF');
  });

  it('changes nothing of a read-only export', () => {
    const directory = exportForTest();
    writeFileSync(join(directory, 'file'), 'content');
    chmodSync(join(directory, 'file'), 0o644);
    const { client } = sessionForTest(directory, { args: [OPTION, '--readonly'] });
    const file = closeLater(client.request(requests.open('/file', O_RDONLY)).descriptor!);
    for (const request of [
      requests.chmod('', 0o700),
      requests.chown('', owner),
      requests.truncate('', 0),
      requests.utime('', TIME, TIME),
      requests.lsetxattr('', 'user.a', 'value'),
      requests.lremovexattr('', 'user.a'),
      requests.open('', O_RDWR),
      requests.open('', O_TRUNC),
    ])
      expect(errnoName(about(client, request, [file]).errno)).toBe('EROFS');
    expect(size(about(client, requests.lstat(''), [file]))).toBe(7n);
    const again = about(client, requests.open('', O_RDONLY), [file]);
    expect(readFileSync(closeLater(again.descriptor!), 'utf8')).toBe('content');
    expect(statSync(join(directory, 'file')).mode & 0o777).toBe(0o644);
  });

  it('with an id map leaves alone what is nobody of the guest', () => {
    const served = serve(['--map-uid', '0:100000:65536', '--map-gid', '0:100000:65536']);
    writeFileSync(join(served.directory, 'host'), 'content');
    const file = closeLater(served.client.request(requests.open('/host', O_RDONLY)).descriptor!);
    expect(served.error(requests.chmod('', 0o777), file)).toBe('EPERM');
    expect(served.error(requests.chown('', owner), file)).toBe('EPERM');
    expect(served.error(requests.chown('', { uid: 70_000, gid: 0 }), make(served, '/guest'))).toBe('EPERM');
  });

  it('works where the guest has taken away the right to search, as in Linux', () => {
    const served = serve();
    const { client, error } = served;
    expect(client.request(requests.mkdir(owner, '/d', 0)).errno).toBe(0);
    const file = make(served, '/d/file');
    expect(error(requests.chmod('', 0o600), file)).toBe('success');
    expect(errnoName(client.request(requests.lstat('/d/file')).errno)).toBe('success');
  });
});
