/** The part of differences.ts about opening and creating files. */
import { constants, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { mknod, statusFlags } from '../../harness/libc.js';
import { requests } from '../../harness/requests.js';
import type { Difference } from './difference.js';
import { ask, askAll, fifo, link, SILENCE, touch } from './observation.js';

const { O_RDWR, O_CREAT, O_DIRECTORY, O_NONBLOCK, S_IFCHR } = constants;
const O_NOATIME = 0o1000000;
const O_PATH = 0o10000000;
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const root = { uid: 0, gid: 0 };
const user = { uid: 1000, gid: 1000 };

export const specialFiles: readonly Difference[] = [
  {
    name: 'OPEN of a fifo',
    reason: 'the reference opens it and waits for the other end: one mkfifo in a guest stops the whole share',
    prepare: fifo,
    observe: ask(requests.open('/fifo', 0)),
    reference: SILENCE,
    ours: 'ENXIO',
  },
  {
    name: 'CREATE of an existing fifo',
    reason: 'as OPEN',
    prepare: fifo,
    observe: ask(requests.create('/fifo', O_CREAT, 0o644, root)),
    reference: SILENCE,
    ours: 'ENXIO',
  },
  {
    name: 'GETVERSION of a fifo',
    reason: 'the reference opens it to ask for its generation; ours asks without opening',
    prepare: fifo,
    observe: ask(requests.getversion('/fifo')),
    reference: SILENCE,
    ours: 'success',
  },
  {
    name: 'CREATE of an existing device in a sticky directory',
    reason:
      'ours never opens what exists with O_CREAT, so it finds a special file before the kernel finds a stranger',
    prepare: (path) => {
      mkdirSync(join(path, 'tmp'));
      mknod(Buffer.from(join(path, 'tmp/null')), S_IFCHR | 0o666, 0x103);
    },
    observe: askAll(
      requests.chmod('/tmp', 0o1777),
      requests.chown('/tmp', user),
      requests.create('/tmp/null', O_RDWR | O_CREAT, 0o644, user),
    ),
    reference: 'success, success, EACCES',
    ours: 'success, success, ENXIO',
  },
];

export const openFlags: readonly Difference[] = [
  {
    name: 'CREATE through a dangling symlink',
    reason:
      'ours creates exclusively, else a special file could appear in between and be opened; a guest resolves its symlinks itself',
    prepare: link('dangling', 'target'),
    observe: (helper) =>
      `${ask(requests.create('/dangling', O_RDWR | O_CREAT, 0o644, root))(helper)}, ` +
      (existsSync(join(helper.root, 'target')) ? 'target made' : 'nothing made'),
    reference: 'success, target made',
    ours: 'ENOENT, nothing made',
  },
  {
    name: 'OPEN with O_CREAT',
    reason:
      'it is not a request to create: the reference creates with a mode that nobody gave, owned by root',
    observe: (helper) =>
      `${ask(requests.open('/new', O_RDWR | O_CREAT))(helper)}, ` +
      (existsSync(join(helper.root, 'new')) ? 'file made' : 'nothing made'),
    reference: 'success, file made',
    ours: 'ENOENT, nothing made',
  },
  {
    name: 'OPEN with O_TMPFILE',
    reason: 'as O_CREAT',
    observe: ask(requests.open('/', O_RDWR | O_TMPFILE)),
    reference: 'success',
    ours: 'EISDIR',
  },
  {
    name: 'OPEN with O_PATH',
    reason: 'no 9p client has a use for such a descriptor; the flag is dropped',
    prepare: touch('f'),
    observe: ask(requests.open('/f', O_PATH), (reply) =>
      (statusFlags(reply.descriptor!) & O_PATH) === 0 ? 'a readable descriptor' : 'an O_PATH descriptor',
    ),
    reference: 'an O_PATH descriptor',
    ours: 'a readable descriptor',
  },
  {
    name: 'O_NONBLOCK of an opened file',
    reason:
      'ours opens with it so as not to wait for the holder of a lease; reading and writing a file ignore it',
    prepare: touch('f'),
    observe: ask(requests.open('/f', O_RDWR), (reply) =>
      (statusFlags(reply.descriptor!) & O_NONBLOCK) === 0 ? 'not set' : 'set',
    ),
    reference: 'not set',
    ours: 'set',
  },
  {
    name: "CREATE with O_NOATIME of somebody else's file",
    reason: 'the flag is the right of the owner alone; without it the file is the same',
    observe: askAll(
      requests.create('/f', O_RDWR | O_CREAT, 0o666, root),
      requests.create('/f', O_RDWR | O_CREAT | O_NOATIME, 0o666, user),
    ),
    reference: 'success, EPERM',
    ours: 'success, success',
  },
  {
    name: 'CREATE with O_DIRECTORY',
    reason: 'what the kernel makes of O_CREAT with O_DIRECTORY depends on its version; the flag is dropped',
    observe: ask(requests.create('/f', O_RDWR | O_CREAT | O_DIRECTORY, 0o644, root)),
    reference: /EINVAL|ENOTDIR/,
    ours: 'success',
  },
];
