/** `--readonly`: the helper itself refuses every change, whatever the emulator asks. */
import { closeSync, lstatSync, mkdirSync, readSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { requests } from '../../harness/requests.js';
import { compareSnapshots, exportForTest, snapshot } from '../../harness/tree.js';

const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const { EROFS } = constants.errno;
const owner = { uid: 1000, gid: 1000 };

const changes = {
  'OPEN for writing': requests.open('/f', O_WRONLY),
  'OPEN for both': requests.open('/f', O_RDWR),
  'OPEN that truncates': requests.open('/f', O_TRUNC),
  'CREATE of a new file': requests.create('/new', O_CREAT, 0o644, owner),
  'CREATE of an exclusive file': requests.create('/new', O_CREAT | O_EXCL, 0o644, owner),
  'CREATE for writing of a file that is there': requests.create('/f', O_CREAT | O_RDWR, 0o644, owner),
  MKNOD: requests.mknod(owner, '/new', 0o10644, 0),
  MKDIR: requests.mkdir(owner, '/new', 0o755),
  SYMLINK: requests.symlink(owner, 'f', '/new'),
  LINK: requests.link('/f', '/new'),
  CHMOD: requests.chmod('/f', 0o777),
  CHOWN: requests.chown('/f', owner),
  TRUNCATE: requests.truncate('/f', 0),
  UTIME: requests.utime('/f', [1n, 0n], [1n, 0n]),
  RENAME: requests.rename('/f', '/new'),
  'REMOVE of a file': requests.remove('/f'),
  'REMOVE of a directory': requests.remove('/d'),
  LSETXATTR: requests.lsetxattr('/f', 'user.a', 'value'),
  LREMOVEXATTR: requests.lremovexattr('/f', 'user.a'),
};

function exportWithFiles(): string {
  const path = exportForTest();
  writeFileSync(join(path, 'f'), 'content');
  mkdirSync(join(path, 'd'));
  symlinkSync('f', join(path, 'link'));
  return path;
}

const skipped = whyNotRoot();
describe.skipIf(skipped !== undefined)(
  `a read-only export${skipped === undefined ? '' : ` (${skipped})`}`,
  () => {
    it('refuses every change with EROFS and changes nothing', () => {
      const path = exportWithFiles();
      const before = snapshot(path);
      const { client, helper } = sessionForTest(path, { args: ['--readonly'] });
      const answers = Object.entries(changes).map(([name, bytes]) => [name, client.request(bytes).errno]);
      expect(answers).toEqual(Object.keys(changes).map((name) => [name, EROFS]));
      expect(compareSnapshots(snapshot(path), before)).toEqual([]);
      expect(helper.stderr()).toContain('refused a change of a read-only export (request=open, error=EROFS)');
    });

    it('serves everything that changes nothing, and leaves the access time alone', () => {
      const path = exportWithFiles();
      // so old that a mount with relatime would renew it
      utimesSync(join(path, 'f'), 1, 2);
      const { client } = sessionForTest(path, { args: ['--readonly'] });
      for (const bytes of [
        requests.lstat('/f'),
        requests.readlink('/link', 4096),
        requests.statfs('/'),
        requests.llistxattr(100, '/f'),
        requests.getversion('/f'),
        requests.create('/f', O_CREAT, 0o644, owner),
        requests.open('/d', 0o200000),
      ]) {
        const { errno, descriptor } = client.request(bytes);
        expect(errno).toBe(0);
        if (descriptor !== undefined) closeSync(descriptor);
      }
      const { descriptor } = client.request(requests.open('/f', 0));
      const content = Buffer.alloc(7);
      expect(readSync(descriptor!, content)).toBe(7);
      closeSync(descriptor!);
      expect(content.toString()).toBe('content');
      expect(lstatSync(join(path, 'f')).atimeMs).toBe(1000);
    });
  },
);
