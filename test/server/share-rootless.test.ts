/** `share` by an ordinary user. */
import { chownSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  Installation,
  ordinaryUser,
  ordinaryUsers,
  ownedExportForTest,
  whyNoUserNamespaces,
} from '../../harness/ordinary-user.js';
import { BASIC } from './acceptance/scene.js';
import { attached, ShareProcess } from '../../harness/share-process.js';

const noNamespaces = whyNotRoot() ?? whyNoUserNamespaces();
describe.skipIf(noNamespaces !== undefined)(
  `share by an ordinary user (${noNamespaces ?? 'as root made one'})`,
  () => {
    const installation = new Installation();
    afterAll(() => {
      installation.remove();
    });

    it.each(Object.entries(ordinaryUsers))('%s, in a mapped model', async (_, wrapper) => {
      const { base, path: directory } = ownedExportForTest();
      const place = join(base, 'export', '.socket-place');
      mkdirSync(place, { mode: 0o777 });
      chownSync(place, ordinaryUser.uid, ordinaryUser.gid);
      const path = join(place, 's');
      const args = [`--path=${directory}`, `--listen=unix:${path}`, '--security-model=mapped-xattr'];
      const share = new ShareProcess(args, { wrapper, program: installation.program });
      await share.ready();
      const client = await attached(path, ordinaryUser.uid);
      await client.request('Twalk', { fid: 0, newfid: 1, names: [] });
      await client.request('Tlcreate', {
        fid: 1,
        name: Buffer.from('new'),
        flags: 0o102,
        mode: 0o640,
        gid: 77,
      });
      await client.request('Twrite', { fid: 1, offset: 0, data: Buffer.from('content') });
      expect(readFileSync(join(directory, 'new'), 'utf8')).toBe('content');
      expect(statSync(join(directory, 'new')).uid).toBe(ordinaryUser.uid);
      const attributes = await client.outcome('Tgetattr', { fid: 1, mask: BASIC });
      process.kill(share.helpers()[0]!, 'SIGKILL');
      await client.request('Twalk', { fid: 0, newfid: 2, names: ['new'] });
      // also of a file that the helper before has opened
      expect(await client.outcome('Tgetattr', { fid: 1, mask: BASIC })).toBe(attributes);
      client.close();
      expect(await share.end()).toMatchObject({ status: 0 });
    });

    it('is refused what takes root', async () => {
      const { path: directory } = ownedExportForTest();
      const wrapper = ordinaryUsers['in a user namespace of its own'];
      const options = { wrapper, program: installation.program };
      for (const [words, reason] of [
        [['--security-model=passthrough'], 'must be started as root'],
        [
          ['--security-model=mapped-xattr', '--run-as=65534'],
          'only root can run the server as somebody else',
        ],
      ] as const) {
        const share = new ShareProcess([`--path=${directory}`, '--listen=vsock:41222', ...words], options);
        const { status, report } = await share.end();
        expect([status, report]).toEqual([1, expect.stringContaining(reason)]);
      }
    });
  },
);
