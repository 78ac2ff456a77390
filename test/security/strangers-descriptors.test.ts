/** What a client can do with the descriptors that it has, where the helper takes requests about them: nothing, but to its own. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { about, closeLater, make, owner, serve, type Served, TIME } from '../support/descriptor-requests.js';
import { errnoName, socketpair } from '../support/libc.js';
import { serve as serveHost, until } from '../support/mounting-host.js';
import { requests } from '../support/requests.js';
import { exportForTest } from '../support/tree.js';
import { openDescriptors } from './process-usage.js';
import { skipUnlessRoot } from './root-only.js';

const skip = skipUnlessRoot("descriptors that are not the export's");
const { O_RDONLY, O_RDWR, O_NONBLOCK, O_DIRECTORY } = constants;
const O_PATH = 0o10000000;

/** Descriptors that are none of the export's. */
const strangers: Readonly<Record<string, (served: Served) => number>> = {
  'a file of the host': () => {
    const path = join(exportForTest(), 'outside');
    writeFileSync(path, 'outside', { mode: 0o640 });
    return openSync(path, 'r+');
  },
  'the file of the export, opened on the host': (served) => {
    make(served, '/file');
    return openSync(join(served.directory, 'file'), 'r+');
  },
  'a directory of the host': () => openSync(exportForTest(), 'r'),
  'the export, opened on the host': ({ directory }) => openSync(directory, 'r'),
  'another file system': () => openSync('/proc/self/status', 'r'),
  'a socket': () => {
    const [one, other] = socketpair();
    closeLater(one);
    return other;
  },
  'a FIFO of the export': ({ directory, client }) => {
    spawnSync('mkfifo', [join(directory, 'fifo')]);
    const top = client.request(requests.open('/', O_DIRECTORY)).descriptor!;
    const fifo = openSync(`/proc/self/fd/${top}/fifo`, O_RDWR | O_NONBLOCK);
    closeSync(top);
    return fifo;
  },
  'an O_PATH descriptor of the export': (served) => {
    const { client } = served;
    make(served, '/file');
    const top = client.request(requests.open('/', O_DIRECTORY)).descriptor!;
    const file = openSync(`/proc/self/fd/${top}/file`, O_PATH);
    closeSync(top);
    return file;
  },
};

describe.skipIf(skip)('a descriptor that is not of the export', { timeout: 60_000 }, () => {
  it.each(Object.entries(strangers))('is EBADF, and nothing happens to it: %s', async (_what, open) => {
    const served = serve();
    const stranger = closeLater(open(served));
    const before = fstatSync(stranger, { bigint: true });
    const base = openDescriptors(served.helper.pid);
    for (const request of [
      requests.lstat(''),
      requests.chmod('', 0o7777),
      requests.chown('', owner),
      requests.truncate('', 0),
      requests.utime('', TIME, TIME),
      requests.lgetxattr(100, '', 'user.a'),
      requests.llistxattr(100, ''),
      requests.lsetxattr('', 'user.a', 'value'),
      requests.lremovexattr('', 'user.a'),
      requests.getversion(''),
      requests.open('', O_RDONLY),
    ])
      expect(served.error(request, stranger)).toBe('EBADF');
    expect(fstatSync(stranger, { bigint: true })).toEqual(before);
    expect(errnoName(served.client.request(requests.lstat('/')).errno)).toBe('success');
    await expect.poll(() => openDescriptors(served.helper.pid) <= base + 4).toBe(true);
  });

  it('is EBADF: a file of a mount inside the export', async () => {
    const { client, host, directory } = await serveHost(['--descriptor-requests']);
    host.run(`mount -t tmpfs disk ${directory}/disk; touch ${directory}/disk/file`);
    await until(client, '/disk/file', 0);
    const file = closeLater(client.request(requests.open('/disk/file', O_RDWR)).descriptor!);
    expect(errnoName(about(client, requests.chmod('', 0o7777), [file]).errno)).toBe('EBADF');
    expect(fstatSync(file).mode & 0o7777).toBe(0o644);
  });
});
