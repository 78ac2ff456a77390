/** Names that are swapped while the helper looks at what the guest made of an object, in mapped-xattr. */
import { readFileSync, renameSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Guest } from '../conformance/guest.js';
import { ProxyGuest } from '../conformance/proxy-guest.js';
import { sessionForTest } from '../../harness/helper-process.js';
import { inject, whyNoInjection } from '../../harness/injection.js';
import { errnoName } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { exportForTest } from '../../harness/tree.js';
import type { Reply } from '../../harness/wire-client.js';
import { skipUnlessRoot } from '../../harness/root-only.js';

const noInjection = whyNoInjection();
if (noInjection !== undefined) console.warn(`swapped objects skipped: ${noInjection}`);
const skip = skipUnlessRoot('swapped objects') || noInjection !== undefined;

const pause = (milliseconds: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
};

describe.skipIf(skip)('mapped-xattr, when an object gets the name of another one meanwhile,', () => {
  /** Makes a request of `/x`, and has `/other` become `/x` when it has looked at the first. */
  async function swapped(
    make: (guest: Guest) => void,
    bytes: Buffer,
  ): Promise<{ reply: Reply; guest: Guest }> {
    const directory = exportForTest();
    const session = sessionForTest(directory, { args: ['--security-model=mapped-xattr'] });
    const guest = new ProxyGuest(session, directory);
    make(guest);
    const letGo = await inject(session.helper.pid, 'statx:delay_exit=400000');
    session.client.send(bytes);
    pause(200);
    renameSync(guest.host('/x'), guest.host('/moved'));
    renameSync(guest.host('/other'), guest.host('/x'));
    const reply = session.client.receive(bytes.readUInt32LE(0));
    expect(await letGo()).not.toEqual([]);
    return { reply, guest };
  }

  const setUid = (guest: Guest): void => {
    guest.create('/x', 0o600);
    guest.chown('/x', 1000, 1000);
    guest.chmod('/x', 0o4755);
    guest.create('/other', 0o644);
  };

  it('LSTAT shows all of one of them', async () => {
    const { reply } = await swapped(setUid, requests.lstat('/x'));
    expect([reply.payload.readUInt32LE(24).toString(8), reply.payload.readUInt32LE(28)]).toEqual([
      '104755',
      1000,
    ]);
  });

  it('CHMOD and CHOWN change the one that was looked at', async () => {
    for (const [bytes, moved] of [
      [requests.chmod('/x', 0o600), '100600 1000:1000'],
      [requests.chown('/x', { uid: 5, gid: 6 }), '100755 5:6'],
    ] as const) {
      const { reply, guest } = await swapped(setUid, bytes);
      expect([errnoName(reply.errno), guest.look('/moved'), guest.look('/x')]).toEqual([
        'success',
        moved,
        '100644 0:0',
      ]);
    }
  });

  it('READLINK and OPEN read the one that was looked at', async () => {
    const link = await swapped(
      (guest) => {
        guest.symlink('target', '/x');
        guest.create('/other', 0o600);
        guest.write('/other', 'secret');
      },
      requests.readlink('/x', 100),
    );
    expect(link.reply.payload.toString('latin1', 2)).toBe('target');
    const file = await swapped(
      (guest) => {
        guest.create('/x', 0o644);
        guest.write('/x', 'content');
        guest.symlink('target', '/other');
      },
      requests.open('/x', 0),
    );
    expect(readFileSync(file.reply.descriptor!, 'latin1')).toBe('content');
  });
});
