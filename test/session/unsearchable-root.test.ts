/** The guest, the owner of the export, takes away the right to search it: it is answered, and can give it back. */
import { chmodSync, closeSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HelperProcess, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { errnoName } from '../../harness/libc.js';
import {
  Installation,
  ordinaryUsers,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { requests } from '../../harness/requests.js';

const skipped = whyNotRoot() ?? whyNoUserNamespaces();
if (skipped !== undefined) console.warn(`tests of an unsearchable root skipped: ${skipped}`);

const owner = { uid: 0, gid: 0 };
const LONG = '/'.repeat(5_000);
const paths = ['/file', 'file', `${LONG}file`, '/directory/file', `${LONG}directory/file`];
const ways = Object.keys(ordinaryUsers) as (keyof typeof ordinaryUsers)[];

let installation: Installation;
beforeAll(() => {
  installation = new Installation();
});
afterAll(() => {
  installation.remove();
});

interface Asked {
  readonly path: string;
  readonly helper: HelperProcess;
  readonly ask: (bytes: Buffer) => string;
  readonly mode: (path: string) => string;
}

function start(way: keyof typeof ordinaryUsers, model: string): Asked {
  const { path } = ownedExportForTest();
  const wrapper = ordinaryUsers[way];
  const args = ['--security-model', model];
  const { client, helper } = sessionForTest(path, { program: installation.program, wrapper, args });
  const ask = (bytes: Buffer): string => {
    const { errno, descriptor } = client.request(bytes);
    if (descriptor !== undefined) closeSync(descriptor);
    return errnoName(errno);
  };
  const mode = (of: string): string => {
    const { payload, errno } = client.request(requests.lstat(of));
    return errno === 0 ? payload.readUInt32LE(24).toString(8) : errnoName(errno);
  };
  expect(ask(requests.mkdir(owner, '/directory', 0o755)), helper.stderr()).toBe('success');
  expect(ask(requests.create('/file', 0x42, 0o644, owner))).toBe('success');
  expect(ask(requests.create('/directory/file', 0x42, 0o644, owner))).toBe('success');
  return { path, helper, ask, mode };
}

/** Whatever needs the right to search the root. */
function refusals(ask: (bytes: Buffer) => string): Record<string, string> {
  const answers: Record<string, string> = {};
  for (const path of paths) {
    const name = path.replace(LONG, '(long)');
    answers[`lstat ${name}`] = ask(requests.lstat(path));
    answers[`open ${name}`] = ask(requests.open(path, 0));
    answers[`create ${name}`] = ask(requests.create(path, 0x42, 0o644, owner));
    answers[`chmod ${name}`] = ask(requests.chmod(path, 0o600));
    answers[`rename ${name}`] = ask(requests.rename(path, '/directory/other'));
    answers[`rename to ${name}`] = ask(requests.rename('/directory/file', path));
    answers[`remove ${name}`] = ask(requests.remove(path));
  }
  return answers;
}

const allOf = (answers: Record<string, string>, answer: string): Record<string, string> =>
  Object.fromEntries(Object.keys(answers).map((name) => [name, answer]));

describe.skipIf(skipped !== undefined).each(ways)('chmod 000 of the root of a helper %s', (way) => {
  it('by the guest is answered as the kernel would, and taken back by the guest', () => {
    const { ask, mode, helper } = start(way, 'none');
    expect(mode(`${LONG}file`)).toBe('100644');
    const lines = helper.stderr().length;
    for (let round = 0; round < 3; round++) {
      expect(ask(requests.chmod('/', 0))).toBe('success');
      const answers = refusals(ask);
      expect(answers).toEqual(allOf(answers, 'EACCES'));
      for (const root of ['/', '//']) {
        expect(mode(root), root).toBe('40000');
        expect(ask(requests.statfs(root)), root).toBe('success');
        expect(ask(requests.utime(root, [1n, 0n], [1n, 0n])), root).toBe('success');
        expect(ask(requests.open(root, constants.O_DIRECTORY)), root).toBe('EACCES');
      }
      expect(ask(requests.chmod('/', 0o755))).toBe('success');
      for (const path of ['/file', 'file', `${LONG}file`, '/directory/file'])
        expect(mode(path), path).toBe('100644');
      expect(mode(`${LONG}directory/file`)).toBe('100644');
    }
    expect(helper.stderr().slice(lines)).toBe('');
  });

  it.each(['mapped-xattr', 'mapped-file'])('by the host is no bug, and can be taken back, in %s', (model) => {
    const { ask, mode, helper, path } = start(way, model);
    const lines = helper.stderr().length;
    chmodSync(path, 0);
    const answers = refusals(ask);
    expect(answers).toEqual(allOf(answers, 'EACCES'));
    chmodSync(path, 0o700);
    for (const name of paths) expect(mode(name), name).toBe('100644');
    expect(helper.stderr().slice(lines)).toBe('');
  });

  it('reaches nothing by the working directory that an earlier request left', () => {
    const { ask, mode, path } = start(way, 'none');
    mkdirSync(join(path, 'directory/inner'));
    writeFileSync(join(path, 'directory/inner/secret'), '');
    expect(mode('/directory/inner/secret')).toBe('100644');
    expect(mode(`${LONG}directory/inner/secret`)).toBe('100644');
    chmodSync(path, 0);
    for (const name of ['secret', '/secret', './secret', '../secret', '0', '3'])
      expect(ask(requests.lstat(name)), name).toBe('EACCES');
    chmodSync(path, 0o755);
    expect(mode('/secret')).toBe('ENOENT');
  });
});
