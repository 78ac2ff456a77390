/** Symbolic links that the host made, in the mapped models, whose own links are files. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine, OURS, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of the host's symbolic links skipped: ${skipped}`);

const root = { uid: 0, gid: 0 };
const S_IFLNK = 0o120000;
const links = {
  file: 'target',
  tree: 'directory',
  absolute: '/etc/passwd',
  up: '../../../etc/passwd',
  dangling: 'nowhere',
  loop: 'loop',
  bytes: Buffer.from([0x66, 0xff, 0xfe]),
  long: 'x'.repeat(4000),
};

function start(model: string, ...args: string[]) {
  const path = exportForTest();
  writeFileSync(join(path, 'target'), 'of the host', { mode: 0o644 });
  mkdirSync(join(path, 'directory'));
  writeFileSync(join(path, 'directory/inside'), '');
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(path, name));
  const session = sessionForTest(path, { args: ['--security-model', model, ...args] });
  const ask = (bytes: Buffer): string => {
    const { errno, descriptor } = session.client.request(bytes);
    if (descriptor !== undefined) closeSync(descriptor);
    return errnoName(errno);
  };
  const target = (link: string, size = 4096): string => {
    const { errno, payload } = session.client.request(requests.readlink(link, size));
    return errno === 0 ? payload.subarray(2).toString('latin1') : errnoName(errno);
  };
  return { path, ask, target, ...session };
}

const models = ['mapped-xattr', 'mapped-file'];

describe.skipIf(skipped !== undefined).each(models)("the host's symbolic links in %s", (model) => {
  it('lead nowhere without the option', () => {
    const { target } = start(model);
    for (const name of Object.keys(links)) expect([name, target(`/${name}`)]).toEqual([name, 'ELOOP']);
  });

  it.each([[], ['--readonly']])('are links with their targets with --host-symlinks %j', (...more) => {
    const { client, target } = start(model, '--host-symlinks', ...more);
    for (const [name, text] of Object.entries(links)) {
      expect([name, target(`/${name}`)]).toEqual([name, Buffer.from(text).toString('latin1')]);
      const { payload } = client.request(requests.lstat(`/${name}`));
      expect([name, payload.readUInt32LE(24) & 0o170000]).toEqual([name, S_IFLNK]);
      expect(Number(payload.readBigUInt64LE(48 - 4))).toBe(Buffer.from(text).length);
    }
    expect(target('/long', 100)).toBe('ENAMETOOLONG');
    expect([target('/target'), target('/directory')]).toEqual(['EINVAL', 'EINVAL']);
  });

  it('are never followed, by no request', () => {
    const { path, ask, target } = start(model, '--host-symlinks');
    for (const link of ['/file', '/tree', '/absolute', '/up', '/dangling']) {
      expect([link, ask(requests.open(link, 0))]).toEqual([link, 'ELOOP']);
      expect([link, ask(requests.open(link, 0o200000))]).not.toEqual([link, 'success']);
      expect([link, ask(requests.open(link, 1))]).toEqual([link, 'ELOOP']);
      expect([link, ask(requests.create(link, 0o101, 0o644, root))]).toEqual([link, 'ELOOP']);
      expect([link, ask(requests.truncate(link, 0))]).not.toEqual([link, 'success']);
      expect([link, ask(requests.chmod(link, 0o777))]).toEqual([link, 'EOPNOTSUPP']);
      for (const through of [
        requests.lstat(`${link}/inside`),
        requests.readlink(`${link}/inside`, 100),
        requests.open(`${link}/inside`, 0),
        requests.mkdir(root, `${link}/made`, 0o755),
        requests.symlink(root, 'x', `${link}/made`),
        requests.rename('/target', `${link}/made`),
      ]) {
        expect(['ELOOP', 'ENOTDIR', 'ENOENT']).toContain(ask(through));
      }
    }
    expect(readFileSync(join(path, 'target'), 'utf8')).toBe('of the host');
    expect(existsSync(join(path, 'nowhere'))).toBe(false);
    // nor is one that the guest puts in the place of its own
    expect(ask(requests.symlink(root, 'target', '/guest'))).toBe('success');
    expect(target('/guest')).toBe('target');
    expect(lstatSync(join(path, 'guest')).isFile()).toBe(true);
  });

  it('can be moved and removed, as any name', () => {
    const { path, ask, target } = start(model, '--host-symlinks');
    expect(ask(requests.rename('/absolute', '/directory/moved'))).toBe('success');
    expect(target('/directory/moved')).toBe('/etc/passwd');
    expect(readlinkSync(join(path, 'directory/moved'))).toBe('/etc/passwd');
    expect(ask(requests.remove('/file'))).toBe('success');
    expect(existsSync(join(path, 'target'))).toBe(true);
  });
});

describe('--host-symlinks', () => {
  it.each(['passthrough', 'none'])("is refused in %s, where all links are the host's", (model) => {
    const [command, words] = commandLine(OURS, [
      '-n',
      '-p',
      '/',
      '-f',
      '3',
      '--host-symlinks',
      '--security-model',
      model,
    ]);
    const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/^virtfs-proxy-helper: --host-symlinks is only for mapped/),
    ]);
  });
});
