/** What is made, and what it then is. */
import type { Behaviour } from './behaviour.js';
import { root, user } from './guest.js';

const FIFO = 0o010000;
const SOCKET = 0o140000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const LINK = 0o120000;

export const making: readonly Behaviour[] = [
  {
    title: 'a file has the mode and the owner that it was made with',
    steps: (guest) => [guest.create('/f', 0o640, user), guest.look('/f'), guest.status('/f').size],
    sees: ['ok', '100640 1000:1001', 0],
  },
  {
    title: 'a directory, too, with its set-id and sticky bits',
    steps: (guest) => [guest.mkdir('/d', 0o1750, user), guest.look('/d')],
    sees: ['ok', '41750 1000:1001'],
  },
  {
    title: 'a file without any permission can be opened all the same: the guest checks permissions',
    steps: (guest) => [guest.create('/f', 0, user), guest.open('/f', 2), guest.look('/f')],
    sees: ['ok', 'ok', '100000 1000:1001'],
  },
  {
    title: 'content that is written is read again',
    steps: (guest) => [
      guest.create('/f'),
      guest.write('/f', 'hello'),
      guest.read('/f'),
      guest.status('/f').size,
    ],
    sees: ['ok', 'ok', 'hello', 5],
  },
  {
    title: 'creating what is there opens it and changes neither mode nor owner, but with O_EXCL it is EEXIST',
    steps: (guest) => [
      guest.create('/f', 0o600, user),
      guest.create('/f', 0o666, root, 0o102),
      guest.look('/f'),
      guest.create('/f', 0o666, root),
      guest.create('/f', 0o666, root, 0o1102),
      guest.create('/new', 0o666, root, 0o2),
    ],
    sees: ['ok', 'ok', '100600 1000:1001', 'EEXIST', 'ok', 'ENOENT'],
  },
  {
    title: 'a directory is no file to create, a file no directory to make',
    steps: (guest) => [
      guest.mkdir('/d'),
      guest.create('/d', 0o644, root, 0o102),
      guest.create('/f'),
      guest.mkdir('/f'),
      guest.mkdir('/d'),
      guest.create('/f/below'),
      guest.mkdir('/missing/below'),
    ],
    sees: ['ok', 'EISDIR', 'ok', 'EEXIST', 'EEXIST', 'ENOTDIR', 'ENOENT'],
  },
  {
    title: 'fifos and sockets are made and never opened',
    steps: (guest) => [
      guest.mknod('/fifo', FIFO | 0o640, 0, user),
      guest.mknod('/socket', SOCKET | 0o755, 0, user),
      guest.look('/fifo'),
      guest.look('/socket'),
      guest.open('/fifo'),
      guest.open('/socket', 2),
      guest.create('/fifo', 0o644, root, 0o102),
      guest.truncate('/fifo', 0),
    ],
    sees: ['ok', 'ok', '10640 1000:1001', '140755 1000:1001', 'ENXIO', 'ENXIO', 'ENXIO', 'EINVAL'],
  },
  {
    title: "device nodes of the guest's root keep their numbers and are never opened",
    steps: (guest) => [
      guest.mknod('/character', 0o020620, 0x1111_2c70),
      guest.mknod('/block', 0o060660, 0x801),
      guest.look('/character'),
      guest.status('/character').device,
      guest.look('/block'),
      guest.status('/block').device,
      guest.open('/character'),
      guest.open('/block', 2),
    ],
    sees: ['ok', 'ok', '20620 0:0', '11112c70', '60660 0:0', '801', 'ENXIO', 'ENXIO'],
  },
  {
    title: 'mknod makes regular files, and nothing that has a request of its own',
    steps: (guest) => [
      guest.mknod('/regular', REGULAR | 0o600, 0, user),
      guest.look('/regular'),
      guest.mknod('/untyped', 0o600, 0, user),
      guest.look('/untyped'),
      guest.mknod('/directory', DIRECTORY | 0o700),
      guest.mknod('/link', LINK | 0o777),
    ],
    sees: ['ok', '100600 1000:1001', 'ok', '100600 1000:1001', 'EPERM', 'EINVAL'],
  },
  {
    title: 'a symbolic link has its target, its length, and all permissions',
    steps: (guest) => [
      guest.symlink('../no/where', '/l', user),
      guest.readlink('/l'),
      guest.look('/l'),
      guest.status('/l').size,
      guest.open('/l', 0o400000),
      guest.symlink('x', '/l'),
      guest.symlink('', '/empty'),
      guest.symlink('t'.repeat(4095), '/long'),
      guest.readlink('/long').length,
      guest.symlink('t'.repeat(4096), '/longer'),
    ],
    sees: [
      'ok',
      '../no/where',
      '120777 1000:1001',
      11,
      'ELOOP',
      'EEXIST',
      'ENOENT',
      'ok',
      4095,
      'ENAMETOOLONG',
    ],
  },
  {
    title: 'only a link can be read as one',
    steps: (guest) => [
      guest.create('/f'),
      guest.write('/f', 'no target'),
      guest.readlink('/f'),
      guest.mkdir('/d'),
      guest.readlink('/d'),
      guest.mknod('/fifo', FIFO | 0o600),
      guest.readlink('/fifo'),
      guest.readlink('/missing'),
    ],
    sees: ['ok', 'ok', 'EINVAL', 'ok', 'EINVAL', 'ok', 'EINVAL', 'ENOENT'],
  },
];
