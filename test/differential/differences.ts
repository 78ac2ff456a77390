/**
 * Every deliberate difference between the C helper and ours, with its reason. The random stream keeps away from these;
 * differences.test.ts observes each of them on both helpers, so that none is merely tolerated.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setXattr } from '../../harness/libc.js';
import { d, frame, requests, requestTypes, s } from '../../harness/requests.js';
import type { Difference } from './difference.js';
import { ask, askAll, CLOSED, link, type Observed, processStatus, textOf, touch } from './observation.js';
import { openFlags, specialFiles } from './opening-differences.js';

const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1000 };
const TMPFS = '/dev/shm';

const stored = ({ client }: Observed): string => {
  const reply = client.request(requests.lgetxattr(100, '/f', 'user.a'));
  return reply.errno === 0 ? reply.payload.subarray(2).toString() : 'nothing';
};

const sizes: readonly Difference[] = [
  {
    name: 'READLINK into too small a buffer',
    reason: 'the reference cuts the target silently, and one byte early: a wrong target is worse than none',
    prepare: link('link', 'target'),
    observe: ask(requests.readlink('/link', 6), ({ payload }) => textOf(payload)),
    reference: 'targe',
    ours: 'ENAMETOOLONG',
  },
  ...(
    [
      ['READLINK', requests.readlink('/link', -1)],
      ['LGETXATTR', requests.lgetxattr(-1, '/f', 'user.a')],
      ['LLISTXATTR', requests.llistxattr(-1, '/f')],
    ] as const
  ).map(([name, bytes]) => ({
    name: `${name} with a negative size`,
    reason: 'the reference allocates what the peer names, fails and aborts',
    prepare: (path: string) => {
      touch('f')(path);
      link('link', 'target')(path);
    },
    observe: ask(bytes),
    reference: CLOSED,
    ours: 'EINVAL',
  })),
  {
    name: 'LGETXATTR of a value that needs a 17-bit length',
    reason: 'the reference sends it as an empty value; a value is sent whole or not at all',
    directory: TMPFS,
    prepare: (path) => {
      touch('f')(path);
      setXattr(Buffer.from(join(path, 'f')), Buffer.from('security.big'), Buffer.alloc(65_536, 'x'));
    },
    observe: ask(
      requests.lgetxattr(65_536, '/f', 'security.big'),
      ({ payload }) => `${payload.length - 2} bytes`,
    ),
    reference: '0 bytes',
    ours: 'ENOBUFS',
  },
  ...(
    [
      [3, 'success abc', 'the reference stores a part'],
      [9, /^success abcdef.{3}$/s, 'the reference reads past the end of the value'],
      [70_000, 'E2BIG nothing', 'the kernel refuses before it reads'],
    ] as const
  ).map(([size, reference, reason]) => ({
    name: `LSETXATTR of 6 bytes with size ${size}`,
    reason: `${reason}; the two lengths have to agree`,
    prepare: touch('f'),
    observe: (helper: Observed) => {
      const answer = ask(requests.lsetxattr('/f', 'user.a', 'abcdef', 0, size))(helper);
      return `${answer} ${stored(helper)}`;
    },
    reference,
    ours: 'EINVAL nothing',
  })),
  {
    name: 'a path of 5,000 bytes',
    reason:
      'a guest reaches such depths with relative paths; the wire carries 65,535 bytes, and ours walks them',
    prepare: touch('f'),
    observe: ask(requests.lstat(`${'/.'.repeat(2_499)}/f`)),
    reference: 'ENAMETOOLONG',
    ours: 'success',
  },
];

const NUL_REASON = 'cut at the NUL, the request would work on another object than it names';

const nulBytes: readonly Difference[] = (
  [
    ['path', requests.lstat('/f\0/x'), 'success'],
    ['new name', requests.mkdir(root, '/new\0name', 0o755), 'success'],
    ['symlink target', requests.symlink(root, 'tar\0get', '/new'), 'success'],
    ['attribute name', requests.lsetxattr('/f', 'user.a\0b', 'v'), 'success'],
  ] as const
).map(([what, bytes, reference]) => ({
  name: `a NUL inside a ${what}`,
  reason: NUL_REASON,
  prepare: touch('f'),
  observe: ask(bytes),
  reference,
  ours: 'EINVAL',
}));

const generations: readonly Difference[] = [
  {
    name: 'upper half of GETVERSION',
    reason: 'the kernel fills four of the eight bytes; the reference sends stack content for the others',
    // What lies there depends on the processor and on where the kernel put the stack: on some, zero in 3 of 4 starts.
    starts: 100,
    prepare: touch('f'),
    observe: ask(requests.getversion('/f'), ({ payload }) =>
      payload.readUInt32LE(4) === 0 ? 'zero' : 'stack content',
    ),
    reference: 'stack content',
    ours: 'zero',
  },
  {
    name: 'GETVERSION on a file system mounted inside the export',
    reason:
      'the reference decides once, by the export itself; a file system without generations has generation 0',
    prepare: (path) => {
      mkdirSync(join(path, 'mounted'));
    },
    wrapper: (path) => ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none "$0/mounted" && exec "$@"', path],
    observe: ask(requests.getversion('/mounted'), ({ payload }) => payload.toString('hex')),
    reference: 'ENOTTY',
    ours: '0000000000000000',
  },
];

const privileges: readonly Difference[] = [
  {
    name: 'creating as uid 0 with another gid',
    reason:
      "the set-gid directory's case: the reference loses its capabilities over it, and dies at the next such request",
    prepare: touch('f'),
    observe: askAll(
      requests.mkdir({ uid: 0, gid: 500 }, '/a', 0o755),
      requests.chown('/f', user),
      requests.mkdir(user, '/b', 0o755),
    ),
    reference: `success, EPERM, ${CLOSED}`,
    ours: 'success, success, success',
  },
  {
    name: 'creating as uid -1 and gid -1',
    reason:
      'as above: to the kernel they mean "leave the id", so the object becomes root\'s and the capabilities go',
    prepare: touch('f'),
    observe: askAll(requests.mkdir({ uid: -1, gid: -1 }, '/a', 0o755), requests.chown('/f', user)),
    reference: 'success, EPERM',
    ours: 'success, success',
  },
  {
    name: 'bounding set and no_new_privs',
    reason: 'ours is started anew with what the bounding set holds; nothing may ever gain more',
    observe: processStatus(requests.lstat('/'), 'CapBnd', 'NoNewPrivs'),
    reference: '0000000000000000, 0',
    ours: '00000000080000db, 1',
  },
  {
    name: 'supplementary groups of the caller',
    reason: "they are not the guest's",
    wrapper: () => ['setpriv', '--groups', '500,501'],
    observe: processStatus(requests.lstat('/'), 'Groups'),
    reference: '500 501',
    ours: '',
  },
];

const ends: readonly Difference[] = [
  ...(
    [
      ['of an unknown type', frame(99, s('/'))],
      ['of more than 65,536 bytes', Buffer.concat([d(requestTypes.LSTAT), d(65_537)])],
      ['that stops half way', Buffer.concat([d(requestTypes.LSTAT), d(10), s('/')])],
    ] as const
  ).map(([what, bytes]) => ({
    name: `exit status after a request ${what}`,
    reason: 'whoever started the helper has to see that the session did not end well',
    observe: async ({ client, helper }: Observed) => {
      client.send(bytes);
      client.finishSending();
      const { status } = await helper.exit();
      return String(status);
    },
    reference: '0',
    ours: '3',
  })),
];

export const differences: readonly Difference[] = [
  ...specialFiles,
  ...openFlags,
  ...sizes,
  ...nulBytes,
  ...generations,
  ...privileges,
  ...ends,
];
