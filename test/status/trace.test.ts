/** --log-level trace: what a client asked and what it was answered, one line each. */
import { closeSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { d, frame, requests, requestTypes, s } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';

const skipped = whyNotRoot();
const user = { uid: 1000, gid: 1000 };

/** What the log says after these requests, the lines of other levels left out. */
function trace(frames: readonly Buffer[], format = 'text'): string[] {
  const directory = exportForTest();
  writeFileSync(join(directory, 'file'), 'content');
  const { client, helper } = sessionForTest(directory, {
    args: ['--log-level', 'trace', '--log-format', format],
  });
  for (const bytes of frames) {
    const { descriptor } = client.request(bytes);
    if (descriptor !== undefined) closeSync(descriptor);
  }
  return helper
    .stderr()
    .split('\n')
    .filter((line) => line.includes('trace'));
}

describe.skipIf(skipped !== undefined)('a trace', () => {
  it('shows every request with its fields by name, and its result', () => {
    expect(
      trace([
        requests.lstat('/'),
        requests.lstat('//missing'),
        requests.open('/file', 0o2000002),
        requests.open('/', 0o200000),
        requests.open('/file', 0o4010001),
        requests.create('/new', 0o100301, 0o640, user),
        requests.mknod(user, '/fifo', 0o10644, 0),
        requests.mkdir(user, '/directory', 0o755),
        requests.symlink(user, 'to', '/link'),
        requests.link('/file', '/hard'),
        requests.readlink('/link', 4096),
        requests.statfs('/'),
        requests.chmod('/file', 0o4711),
        requests.chown('/file', { uid: 1000, gid: -1 }),
        requests.truncate('/file', 2n ** 40n),
        requests.truncate('/file', -1n),
        requests.utime('/file', [1n, 2n], [-3n, 2n ** 30n - 2n]),
        requests.rename('/hard', '/moved'),
        requests.remove('/directory'),
        requests.lsetxattr('/file', 'user.a', 'value', 1),
        requests.lgetxattr(0, '/file', 'user.a'),
        requests.llistxattr(100, '/file'),
        requests.lremovexattr('/file', 'user.b'),
        requests.getversion('/'),
      ]),
    ).toEqual(
      [
        'lstat "/" = 0',
        'lstat "//missing" = -1 ENOENT (no such file or directory)',
        'open "/file" O_RDWR|O_CLOEXEC = fd',
        'open "/" O_RDONLY|O_DIRECTORY = fd',
        'open "/file" O_WRONLY|O_SYNC = fd',
        'create "/new" O_WRONLY|O_CREAT|O_EXCL|O_LARGEFILE 0640 1000 1000 = fd',
        'mknod 1000 1000 "/fifo" 010644 0 = 0',
        'mkdir 1000 1000 "/directory" 0755 = 0',
        'symlink 1000 1000 "to" "/link" = 0',
        'link "/file" "/hard" = 0',
        'readlink "/link" 4096 = 0',
        'statfs "/" = 0',
        'chmod "/file" 04711 = 0',
        'chown "/file" 1000 -1 = 0',
        'truncate "/file" 1099511627776 = 0',
        'truncate "/file" -1 = -1 EINVAL (invalid argument)',
        'utime "/file" 1 2 -3 UTIME_OMIT = 0',
        'rename "/hard" "/moved" = 0',
        'remove "/directory" = 0',
        'lsetxattr "/file" "user.a" "value" 5 XATTR_CREATE = 0',
        'lgetxattr 0 "/file" "user.a" = 0',
        'llistxattr 100 "/file" = 0',
        'lremovexattr "/file" "user.b" = -1 ENODATA (no data available)',
        'getversion "/" = 0',
      ].map((line) => `trace: ${line}`),
    );
  });

  it('shows any bytes on one line, as a string of C, and not more of them than a line can have', () => {
    const awkward = Buffer.from('2f0a5c22 1b5b326d 09 c3a9 ff 31'.replaceAll(' ', ''), 'hex');
    const [short, long, malformed] = trace([
      requests.lstat(awkward),
      requests.lstat(`/${'x'.repeat(60_000)}`),
      frame(requestTypes.CHMOD, s('/file'), d(0).subarray(1)),
    ]);
    expect(short).toBe(
      'trace: lstat "/\\n\\\\\\"\\033[2m\\t\\303\\251\\3771" = -1 ENOENT (no such file or directory)',
    );
    expect(long).toBe(`trace: lstat "/${'x'.repeat(255)}"... = -1 ENAMETOOLONG (name too long)`);
    expect(malformed).toBe('trace: chmod (malformed) = -1 ENOBUFS (no buffer space available)');
  });

  it('is the message of a line of JSON', () => {
    const [line = ''] = trace([requests.lstat('/"\n')], 'json');
    expect(JSON.parse(line)).toMatchObject({
      level: 'trace',
      msg: 'lstat "/\\"\\n" = -1 ENOENT (no such file or directory)',
    });
  });

  it('is not written on any other level', () => {
    const { client, helper } = sessionForTest(exportForTest(), { args: ['--log-level', 'debug'] });
    client.request(requests.lstat('/'));
    expect(helper.stderr()).not.toContain('lstat');
  });
});
