/** Attributes that have ids in their values. */
import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { translateCapability } from '../../src/helper/security-models/file-capability.js';
import { IdMap, UNMAPPED } from '../../src/helper/security-models/id-map.js';
import { translateAcl } from '../../src/helper/security-models/posix-acl.js';

const { EINVAL, EPERM, ENODATA } = constants.errno;

describe('an ACL', () => {
  // u::rw-,u:7:rw-,g::r--,g:7:r--,m::rw-,o::---
  const value = Buffer.from(
    '02000000' +
      '01000600ffffffff' +
      '0200060007000000' +
      '04000400ffffffff' +
      '0800040007000000' +
      '10000600ffffffff' +
      '20000000ffffffff',
    'hex',
  );
  const inFrame = (bytes: Buffer): Uint8Array => Uint8Array.from(Buffer.concat([Buffer.from('abc'), bytes]));

  it('has the ids of named users and groups replaced, and nothing else', () => {
    const frame = inFrame(value);
    const failed = translateAcl(
      frame.subarray(3),
      (id) => id + 0x100,
      (id) => id + 0x10000,
    );
    expect(failed).toBe(0);
    const expected = value.toString('hex').replace('0200060007000000', '0200060007010000');
    expect(Buffer.from(frame).toString('hex')).toBe(
      Buffer.from('abc').toString('hex') + expected.replace('0800040007000000', '0800040007000100'),
    );
  });

  it('is refused when one of its ids has no other', () => {
    const none = (): number => UNMAPPED;
    const same = (id: number): number => id;
    expect(translateAcl(inFrame(value).subarray(3), none, same)).toBe(-EPERM);
    expect(translateAcl(inFrame(value).subarray(3), same, none)).toBe(-EPERM);
  });

  it.each(['', '02', '020000', '03000000', '01000000', '0200000001000600', '02000000ffffffffffff'])(
    'is refused when it is none: %s',
    (hex) => {
      const bytes = Buffer.from(hex, 'hex');
      const called = (): number => {
        throw new Error('an id was read');
      };
      expect(translateAcl(inFrame(bytes).subarray(3), called, called)).toBe(-EINVAL);
    },
  );
});

describe("a file's capabilities", () => {
  const uids = new IdMap({
    ranges: [{ guest: 0, host: 100_000, count: 10 }],
    squash: undefined,
    forbidden: [],
  });
  const sets = '00200000000000000000000000000000';
  const root = (id: number): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(id);
    return bytes.toString('hex');
  };
  function translated(hex: string, map = uids): string | number {
    const bytes = new Uint8Array(24);
    bytes.set(Buffer.from(hex, 'hex'));
    const length = translateCapability(bytes, hex.length / 2, map);
    return length < 0 ? length : Buffer.from(bytes.subarray(0, length)).toString('hex');
  }

  it('are those of a root when they are of the root of the guest', () => {
    expect(translated(`01000003${sets}${root(100_000)}`)).toBe(`01000002${sets}`);
  });

  it('keep the root that they are for when it is another user of the guest', () => {
    expect(translated(`01000003${sets}${root(100_004)}`)).toBe(`01000003${sets}${root(4)}`);
  });

  it('are not there when they are of anybody else, or of the root of the host', () => {
    expect(translated(`01000003${sets}${root(100_010)}`)).toBe(-ENODATA);
    expect(translated(`01000002${sets}`)).toBe(-ENODATA);
    expect(translated('0100000100200000')).toBe(-ENODATA);
  });

  it("of the host's root are those of the user that he is in the guest", () => {
    const hostRoot = (guest: number): IdMap =>
      new IdMap({ ranges: [{ guest, host: 0, count: 1 }], squash: undefined, forbidden: [] });
    expect(translated(`01000002${sets}`, hostRoot(0))).toBe(`01000002${sets}`);
    expect(translated(`01000002${sets}`, hostRoot(9))).toBe(`01000003${sets}${root(9)}`);
  });
});
