/** Ids inside the values of attributes, with `--map-uid` and `--map-gid`. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { whyNotRoot } from '../../harness/helper-process.js';
import {
  ACL,
  acl,
  aclFor,
  DEFAULT_ACL,
  mapped,
  FIRST,
  NO_ID,
  O_CREATE,
  onHost,
  OVERFLOW,
  root,
  start,
} from '../../harness/id-mapping.js';
import { setXattr, xattrs } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import { compareSnapshots, snapshot } from '../../harness/tree.js';

const CAPABILITY = 'security.capability';
const skipped = whyNotRoot();
if (skipped !== undefined) console.warn(`tests of mapped ids in attributes skipped: ${skipped}`);

describe.skipIf(skipped !== undefined)('with mapped ids, an ACL', () => {
  it('that the guest sets names the ids of the map on the host', () => {
    const { directory, ask } = start();
    expect(ask(requests.mkdir(root, '/d', 0o755))).toBe('success');
    expect(ask(requests.lsetxattr('/d', ACL, aclFor(7, 9)))).toBe('success');
    expect(ask(requests.lsetxattr('/d', DEFAULT_ACL, aclFor(0, 65_535)))).toBe('success');
    expect(acl(directory, 'd')).toEqual(
      expect.arrayContaining([
        `user:${FIRST + 7}:rw-`,
        `group:${FIRST + 9}:r--`,
        `default:user:${FIRST}:rw-`,
        `default:group:${FIRST + 65_535}:r--`,
      ]),
    );
  });

  it('of the host names the ids of the guest, and the overflow id for everybody else', () => {
    const { directory, client } = start();
    mkdirSync(join(directory, 'd'));
    onHost('setfacl', '-m', `u::rw,u:${FIRST + 7}:rw,g::r,g:${FIRST + 9}:r,m::rw,o::-`, join(directory, 'd'));
    onHost('setfacl', '-d', '-m', 'u::rw,u:1000:rw,g::r,g:0:r,m::rw,o::-', join(directory, 'd'));
    const read = (name: string): Buffer =>
      client.request(requests.lgetxattr(1000, '/d', name)).payload.subarray(2);
    expect(read(ACL).toString('hex')).toBe(aclFor(7, 9).toString('hex'));
    expect(read(DEFAULT_ACL).toString('hex')).toBe(aclFor(OVERFLOW, OVERFLOW).toString('hex'));
    expect(client.request(requests.lgetxattr(0, '/d', ACL)).payload.readUInt32LE(0)).toBe(
      aclFor(7, 9).length,
    );
  });

  it('with an id outside the map is EPERM, with anything else in it EINVAL, and nothing changes', () => {
    const { directory, ask } = start();
    expect(ask(requests.mkdir(root, '/d', 0o755))).toBe('success');
    const before = snapshot(directory);
    for (const value of [aclFor(65_536, 0), aclFor(0, 65_536), aclFor(FIRST, FIRST), aclFor(NO_ID, 0)]) {
      expect(ask(requests.lsetxattr('/d', ACL, value))).toBe('EPERM');
      expect(ask(requests.lsetxattr('/d', DEFAULT_ACL, value))).toBe('EPERM');
    }
    const right = aclFor(7, 9);
    for (const value of [
      '',
      'text',
      right.subarray(0, -1),
      right.subarray(0, 12),
      Buffer.from('03000000', 'hex'),
    ]) {
      expect(ask(requests.lsetxattr('/d', ACL, value))).toBe('EINVAL');
    }
    expect(compareSnapshots(snapshot(directory), before)).toEqual([]);
  });
});

describe.skipIf(skipped !== undefined)("with mapped ids, a file's capabilities", () => {
  const sets = '00200000000000000000000000000000';
  const ofHost = Buffer.from(`01000002${sets}`, 'hex');
  const ofFirst = Buffer.from(`01000003${sets}a0860100`, 'hex');

  it("are those of the guest's root, or none", () => {
    const { directory, client, ask } = start();
    for (const [name, value] of Object.entries({ ofHost, ofFirst })) {
      writeFileSync(join(directory, name), '');
      setXattr(Buffer.from(join(directory, name)), Buffer.from(CAPABILITY), value);
    }
    expect(ask(requests.lgetxattr(100, '/ofHost', CAPABILITY))).toBe('ENODATA');
    expect(client.request(requests.lgetxattr(0, '/ofFirst', CAPABILITY)).payload.readUInt32LE(0)).toBe(20);
    expect(ask(requests.lgetxattr(19, '/ofFirst', CAPABILITY))).toBe('ERANGE');
    const read = client.request(requests.lgetxattr(100, '/ofFirst', CAPABILITY)).payload.subarray(2);
    expect(read.toString('hex')).toBe(`01000002${sets}`);
  });

  it("with --file-capabilities can be given to the guest's files, and count for its root alone", () => {
    const { directory, client, ask } = start([...mapped, '--file-capabilities']);
    const read = (name: string): string =>
      client
        .request(requests.lgetxattr(100, name, CAPABILITY))
        .payload.subarray(2)
        .toString('hex');
    const kept = (name: string): string[] =>
      xattrs(Buffer.from(join(directory, name))).map(([, value]) => value.toString('hex'));
    expect(ask(requests.create('/f', O_CREATE, 0o755, { uid: 7, gid: 7 }))).toBe('success');
    expect(ask(requests.lsetxattr('/f', CAPABILITY, ofHost))).toBe('success');
    expect(kept('f')).toEqual([ofFirst.toString('hex')]);
    expect(read('/f')).toBe(ofHost.toString('hex'));
    // of a container in the guest, whose root is the guest's user 5
    const ofContainer = Buffer.from(`01000003${sets}05000000`, 'hex');
    expect(ask(requests.lsetxattr('/f', CAPABILITY, ofContainer))).toBe('success');
    expect(kept('f')).toEqual([`01000003${sets}a5860100`]);
    expect(read('/f')).toBe(ofContainer.toString('hex'));
    expect(ask(requests.lremovexattr('/f', CAPABILITY))).toBe('success');
    expect(kept('f')).toEqual([]);
  });

  it("with --file-capabilities are EPERM for the host's files and for a root outside the map", () => {
    const { directory, ask } = start([...mapped, '--file-capabilities']);
    writeFileSync(join(directory, 'host'), '');
    expect(ask(requests.lsetxattr('/host', CAPABILITY, ofHost))).toBe('EPERM');
    expect(ask(requests.create('/f', O_CREATE, 0o755, root))).toBe('success');
    expect(ask(requests.lsetxattr('/f', CAPABILITY, ofFirst))).toBe('EPERM');
    expect(ask(requests.lsetxattr('/f', CAPABILITY, 'text'))).toBe('EINVAL');
    for (const name of ['host', 'f']) expect(xattrs(Buffer.from(join(directory, name)))).toEqual([]);
    setXattr(Buffer.from(join(directory, 'host')), Buffer.from(CAPABILITY), ofHost);
    expect(ask(requests.lremovexattr('/host', CAPABILITY))).toBe('EPERM');
    expect(xattrs(Buffer.from(join(directory, 'host')))).toHaveLength(1);
  });

  it('cannot be set: they would be those of the root of the host', () => {
    const { directory, ask } = start();
    expect(ask(requests.create('/f', O_CREATE, 0o755, root))).toBe('success');
    for (const value of [ofHost, ofFirst])
      expect(ask(requests.lsetxattr('/f', CAPABILITY, value))).toBe('EPERM');
    expect(xattrs(Buffer.from(join(directory, 'f')))).toEqual([]);
  });
});
