/** How a session and the process end: exit status, what stderr says, and that nothing is left behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { helperForTest, sessionForTest, whyNotRoot } from '../../harness/helper-process.js';
import { d, frame, requests, requestTypes, s } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import { errorLines } from './error-lines.js';

const skipped = whyNotRoot();

describe.skipIf(skipped !== undefined)('the end of a session', () => {
  it('is 0 when the client closes, without a complaint', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.close();
    const { status, stderr } = await helper.exit();
    expect([status, errorLines(stderr)]).toEqual([0, []]);
  });

  it('is 0 when the client closes without a request', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    client.close();
    const { status, stderr } = await helper.exit();
    expect([status, errorLines(stderr)]).toEqual([0, []]);
  });

  it('is 0 when the client goes without reading its last reply', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.send(requests.lstat('/'));
    client.close();
    const { status, stderr } = await helper.exit();
    expect([status, errorLines(stderr)]).toEqual([0, []]);
  });

  it.each([
    ['an unknown type', frame(1), /unknown type 1\b/],
    ['type 0', frame(0, s('/')), /unknown type 0\b/],
    ['the type after the last', frame(22, s('/')), /unknown type 22\b/],
    ['a negative type', frame(0xffff_ffff, s('/')), /unknown type/],
    ['a payload over the limit', Buffer.concat([d(requestTypes.LSTAT), d(65_537)]), /65537 bytes/],
    ['a negative size', Buffer.concat([d(requestTypes.LSTAT), d(-1)]), /bytes/],
  ])('is 3 after %s, with one clear line, and no reply', async (_what, bytes, reason) => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    client.send(bytes);
    expect(client.atEnd()).toBe(true);
    const { status, stderr } = await helper.exit();
    expect([status, errorLines(stderr)]).toEqual([3, [expect.stringMatching(reason)]]);
  });

  it.each([
    ['a part of a header', requests.lstat('/').subarray(0, 7)],
    ['a header alone', requests.lstat('/').subarray(0, 8)],
    ['a part of a payload', requests.lstat('/').subarray(0, 10)],
  ])('is 3 when the client closes after %s', async (_what, bytes) => {
    const { client, helper } = sessionForTest(exportForTest());
    client.send(bytes);
    client.close();
    const { status, stderr } = await helper.exit();
    expect([status, errorLines(stderr)]).toEqual([3, [expect.stringMatching(/middle of a request/)]]);
  });

  it('answers what came before a violation', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    client.send(Buffer.concat([requests.mkdir({ uid: 0, gid: 0 }, '/a', 0o755), frame(99)]));
    expect(client.receive(requestTypes.MKDIR).errno).toBe(0);
    expect(client.atEnd()).toBe(true);
    expect((await helper.exit()).status).toBe(3);
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('comes at once with %s while idle', async (signal) => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    await wait(50);
    helper.child.kill(signal);
    const { status, stderr } = await helper.exit(2_000);
    expect([status, errorLines(stderr)]).toEqual([0, []]);
    expect(client.atEnd()).toBe(true);
  });

  it('comes with SIGTERM under constant load', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    const until = Date.now() + 300;
    while (Date.now() < until) client.request(requests.lstat('/'));
    helper.child.kill('SIGTERM');
    // Goes on asking without a pause: the helper has to look at its signals by itself.
    const start = Date.now();
    expect(() => {
      while (Date.now() < start + 5_000) client.request(requests.lstat('/'));
    }).toThrow();
    expect(Date.now() - start).toBeLessThan(1_000);
    expect((await helper.exit(2_000)).status).toBe(0);
  });

  it('comes with SIGTERM even if the client does not read its replies', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    const bytes = requests.lstat('/');
    expect(client.request(bytes).errno).toBe(0);
    let sent = 0;
    // Until both directions are full: then the helper has a reply it cannot get rid of.
    for (let idle = 0; idle < 20;) {
      if (client.trySend(bytes)) {
        sent++;
        idle = 0;
      } else {
        idle++;
        await wait(10);
      }
    }
    expect(sent).toBeGreaterThan(100);
    helper.child.kill('SIGTERM');
    expect((await helper.exit(2_000)).status).toBe(0);
  });

  it('leaves a client that reads late nothing to complain of', async () => {
    const { client } = sessionForTest(exportForTest());
    const count = 3_000;
    let sent = 0;
    let read = 0;
    // Fills the socket, then empties it: the helper goes on where it stopped, in order, with whole replies.
    while (read < count) {
      while (sent < count && client.trySend(requests.lstat('/'))) sent++;
      await wait(2);
      for (; read < sent; read++) expect(client.receiveExactly(124).readUInt32LE(4)).toBe(116);
    }
  });

  it('leaves no process and no zombie', async () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    const { pid } = helper;
    client.close();
    await helper.exit();
    const orphans = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => {
        try {
          return readFileSync(`/proc/${name}/stat`, 'latin1');
        } catch {
          return '';
        }
      })
      // "pid (name) state parent group session ..."
      .filter((stat) => stat.split(') ').at(-1)?.split(' ')[1] === String(pid) || stat.startsWith(`${pid} `));
    expect(orphans).toEqual([]);
  });

  it('leaves no child of the helper waiting while it serves', () => {
    const { client, helper } = sessionForTest(exportForTest());
    expect(client.request(requests.lstat('/')).errno).toBe(0);
    expect(readFileSync(`/proc/${helper.pid}/task/${helper.pid}/children`, 'utf8').trim()).toBe('');
  });
});

describe.skipIf(skipped !== undefined)('a start that fails', () => {
  const root = ['-n', '-p', '/tmp'];

  it.each<[number, string, RegExp, string[]]>([
    [2, 'no arguments', /--path/, []],
    [2, 'no socket', /--socket|--fd/, root],
    [2, 'no path', /--path/, ['-n', '-f', '3']],
    [2, 'both kinds of socket', /--socket.*--fd|--fd.*--socket/, [...root, '-f', '3', '-s', '/tmp/socket']],
    [2, 'an unknown option', /--bogus/, ['--bogus', ...root, '-f', '3']],
    [2, 'an option without its value', /--path|-p/, ['-n', '-p']],
    [2, 'a descriptor that is no number', /--fd/, [...root, '-f', 'three']],
    [2, 'an argument too many', /extra/, [...root, '-f', '3', 'extra']],
    [2, 'an unknown user', /nosuchuser/, [...root, '-s', '/tmp/nosuchdir/s', '-u', 'nosuchuser']],
    [2, 'a socket path that is too long', /longer/, [...root, '-s', `/tmp/${'s'.repeat(110)}`]],
    [2, 'an unknown log level', /--log-level/, [...root, '-f', '3', '--log-level', 'loud']],
    [1, 'an export that is not there', /nosuchdir/, ['-n', '-p', '/tmp/nosuchdir', '-f', '3']],
    [1, 'an export that is no directory', /passwd/, ['-n', '-p', '/etc/passwd', '-f', '3']],
    [1, 'a descriptor that was not passed', /--fd 77/, [...root, '-f', '77']],
    [1, 'a descriptor that is no socket', /--fd 0.*socket/, [...root, '-f', '0']],
    [1, 'a socket where nothing can be made', /nosuchdir/, [...root, '-s', '/tmp/nosuchdir/socket']],
    [1, 'the same as a daemon', /nosuchdir/, ['-p', '/tmp', '-s', '/tmp/nosuchdir/socket']],
    [
      1,
      'a daemon without its export',
      /nosuchdir/,
      ['-p', '/tmp/nosuchdir', '-s', '/tmp/virtfs-test-socket'],
    ],
  ])('ends with %i for %s, with one clear line', async (status, _what, reason, args) => {
    const helper = helperForTest(args);
    const exit = await helper.exit();
    expect(exit.status).toBe(status);
    expect(exit.stderr).toMatch(/^virtfs-proxy-helper: [^\n]+\n$/);
    expect(exit.stderr).toMatch(reason);
  });

  it.each([['--help'], ['-h'], ['--version']])('is none of them with %s', async (option) => {
    const { status, stderr } = await helperForTest([option]).exit();
    expect([status, stderr]).toEqual([0, '']);
  });
});
