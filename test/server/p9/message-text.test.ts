/** The trace of every message of every dialect, and of what is none. */
import { describe, expect, it } from 'vitest';
import type { Dialect, RequestType } from '../../../src/server/p9/messages.js';
import { messageText } from '../../../src/server/session/message-text.js';
import { frames } from './golden-requests.js';
import { message, str, u16, u32, u64 } from './wire.js';

const fid = 'fid=4294967294';
const record =
  'stat={type=7, dev=8, qid={type=128, version=9, path=10}, mode=DMDIR|0755, atime=11, mtime=12, ' +
  'length=18446744073709551615, name="n", uid="u", gid="", muid="\\377\\376 "';
const extended = ', extended={extension="b 8 1", uid=13, gid=14, muid=-1}';
const who = 'fid=1, afid=NOFID, uname="root", aname=""';
const lock = 'fid=1, lock_type=F_UNLCK';
const range = 'start=3, length=18446744073709551615, proc_id=4, client_id="host"';

/** What follows the tag; where dialects differ, for each. A message without a line here is a type error. */
const expected: Readonly<Record<RequestType, string | Partial<Record<Dialect, string>>>> = {
  Tstatfs: fid,
  Tlopen: 'fid=1, flags=O_RDWR|O_LARGEFILE',
  Tlcreate: 'fid=1, name="\\377\\376 ", flags=O_RDWR, mode=0100644, gid=3',
  Tsymlink: 'dfid=1, name="n", target="../a/b", gid=3',
  Tmknod: 'dfid=1, name="n", mode=060600, major=8, minor=9, gid=3',
  Trename: 'fid=1, dfid=2, name="n"',
  Treadlink: fid,
  Tgetattr: 'fid=1, mask=BASIC|BTIME|GEN|DATA_VERSION',
  Tsetattr:
    'fid=1, valid=MODE|UID|GID|SIZE|ATIME|MTIME|CTIME|ATIME_SET|MTIME_SET, mode=02, uid=3, gid=4, ' +
    'size=1099511627776, atime=-5.000000006, mtime=4611686018427387904.000000007',
  Txattrwalk: 'fid=1, newfid=2, name=""',
  Txattrcreate: 'fid=1, name="user.a/b", size=5, flags=XATTR_CREATE',
  Treaddir: 'fid=1, offset=9223372036854775808, count=4096',
  Tfsync: 'fid=1, datasync=1',
  Tlock: `${lock}, flags=LOCK_BLOCK, ${range}`,
  Tgetlock: `${lock}, ${range}`,
  Tlink: 'dfid=1, fid=2, name="n"',
  Tmkdir: 'dfid=1, name="n", mode=0755, gid=3',
  Trenameat: 'olddirfid=1, oldname="a", newdirfid=2, newname="b"',
  Tunlinkat: 'dirfid=1, name="n", flags=AT_REMOVEDIR',
  Tversion: 'msize=8192, version="9P2000.L"',
  Tauth: {
    '9P2000': 'afid=1, uname="root", aname="x", n_uname=-1',
    '9P2000.u': 'afid=1, uname="root", aname="x", n_uname=0',
    '9P2000.L': 'afid=1, uname="root", aname="x", n_uname=1000',
  },
  Tattach: {
    '9P2000': `${who}, n_uname=-1`,
    '9P2000.u': `${who}, n_uname=0`,
    '9P2000.L': `${who}, n_uname=1000`,
  },
  Tflush: 'oldtag=65534',
  Twalk: 'fid=1, newfid=2, names=["a", "..", "\\377\\376 "]',
  Topen: 'fid=1, mode=OWRITE|OTRUNC',
  Tcreate: {
    '9P2000': 'fid=1, name="n", permissions=DMDIR|0755, mode=ORDWR|OTRUNC, extension=""',
    '9P2000.u': 'fid=1, name="n", permissions=DMDIR|0755, mode=ORDWR|OTRUNC, extension="b 8 1"',
  },
  Tread: 'fid=1, offset=9007199254740994, count=512',
  Twrite: 'fid=1, offset=9007199254740991, data="\\377\\376 ", count=3',
  Tclunk: fid,
  Tremove: fid,
  Tstat: fid,
  Twstat: { '9P2000': `fid=1, ${record}}`, '9P2000.u': `fid=1, ${record}${extended}}` },
};

const text = (frame: Buffer, dialect: Dialect = '9P2000.L', absent = 0): string =>
  messageText({ frame, absent }, dialect);

describe('the trace', () => {
  it.each(frames.map(({ type, dialect, frame }) => [type, dialect, frame] as const))(
    'has a line for %s of %s',
    (type, dialect, frame) => {
      const fields = expected[type];
      const line = typeof fields === 'string' ? fields : fields[dialect];
      expect(text(frame, dialect)).toBe(`${type}(tag=4660, ${line})`);
    },
  );

  it('tells what cannot be decoded, and what no file can be called', () => {
    expect(text(message(24, 1, u32(1)))).toBe('Tgetattr(tag=1, malformed)');
    expect(text(message(14, 0xffff, u32(1), str('a/b'), u32(0), u32(0), u32(0)))).toBe(
      'Tlcreate(tag=NOTAG, refused)',
    );
    expect(text(message(99, 2))).toBe('message 99(tag=2, malformed)');
    expect(text(message(12, 2, u32(1), u32(0)), '9P2000')).toBe('Tlopen(tag=2, refused)');
  });

  it('has the beginning of data, names and whole messages alone', () => {
    const write = [u32(1), u64(0)];
    expect(text(message(118, 1, ...write, u32(100), Buffer.alloc(100, 'x')))).toBe(
      `Twrite(tag=1, fid=1, offset=0, data="${'x'.repeat(32)}"..., count=100)`,
    );
    const absent = message(118, 1, ...write, u32(100));
    absent.writeUInt32LE(absent.length + 100);
    expect(text(absent, '9P2000.L', 100)).toBe('Twrite(tag=1, fid=1, offset=0, data=..., count=100)');
    const long = text(message(100, 1, u32(8192), str('v'.repeat(60_000))));
    expect(long).toBe(`Tversion(tag=1, msize=8192, version="${'v'.repeat(256)}"...)`);
    const names = Array.from({ length: 16 }, () => str('\u0001'.repeat(255)));
    const walk = text(message(110, 1, u32(1), u32(2), u16(16), ...names));
    expect(walk.length).toBeLessThan(2100);
    expect(walk).toMatch(/^Twalk\(tag=1, fid=1, newfid=2, names=\["(\\001)+.*\.\.\.\)$/);
  });

  it('has nothing but printable ASCII, whatever a guest sends', () => {
    const name = Buffer.from(
      Array.from({ length: 255 }, (_, code) => code + 1).filter((code) => code !== 0x2f),
    );
    expect(text(message(110, 1, u32(1), u32(2), u16(1), str(name)))).toMatch(/^[ -~]+$/);
  });
});
