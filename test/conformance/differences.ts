/** Where the models differ, and why: the only place. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Difference } from './behaviour.js';
import { root, user } from './guest.js';

/** An ACL as the kernel stores it: version 2, then tag, permissions and id of each entry. */
function acl(...entries: readonly (readonly [tag: number, permissions: number, id: number])[]): Buffer {
  return Buffer.concat([
    Buffer.of(2, 0, 0, 0),
    ...entries.map(([tag, permissions, id]) => {
      const entry = Buffer.alloc(8);
      entry.writeUInt16LE(tag, 0);
      entry.writeUInt16LE(permissions, 2);
      entry.writeUInt32LE(id >>> 0, 4);
      return entry;
    }),
  ]);
}

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';
const someAcl = acl([1, 6, -1], [2, 6, 1000], [4, 4, -1], [16, 6, -1], [32, 0, -1]);
const asText = (value: Buffer): string => value.toString('latin1');

const metadataNames = ['.virtfs_metadata', '.virtfs_metadata_root', '.virtfs_metadata_links'];

/** What comes of requests with such a name. @param below of those in which it is a directory */
const refused = (below: string): readonly string[] => [
  ...[
    'ok',
    'ok',
    'ENOENT',
    'EINVAL',
    'EINVAL',
    'ENOENT',
    below,
    'ENOENT',
    below,
    'ENOENT',
    'ENOENT',
    'ENOENT',
  ],
  ...['EINVAL', 'ENOENT', 'EINVAL', 'ENOENT', 'EINVAL', 'ENOENT', 'EINVAL'],
  ...['ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ENOENT', 'ok', 'ok'],
];

export const differences: readonly Difference[] = [
  {
    title: 'POSIX ACLs',
    why: 'an ACL names ids, which in none are not those of the files; mapped-xattr only records them',
    steps: (guest) => [
      guest.create('/f', 0o640),
      guest.setxattr('/f', ACCESS, someAcl),
      guest.getxattr('/f', ACCESS),
      guest.listxattr('/f'),
      guest.mkdir('/d'),
      guest.setxattr('/d', DEFAULT, someAcl),
      guest.listxattr('/d'),
      guest.removexattr('/f', ACCESS),
      guest.removexattr('/f', ACCESS),
      guest.getxattr('/f', ACCESS),
    ],
    sees: {
      passthrough: ['ok', 'ok', asText(someAcl), ACCESS, 'ok', 'ok', DEFAULT, 'ok', 'ok', 'ENODATA'],
      none: [
        'ok',
        'EOPNOTSUPP',
        'EOPNOTSUPP',
        '',
        'ok',
        'EOPNOTSUPP',
        '',
        'EOPNOTSUPP',
        'EOPNOTSUPP',
        'EOPNOTSUPP',
      ],
      'mapped-xattr': ['ok', 'ok', asText(someAcl), ACCESS, 'ok', 'ok', DEFAULT, 'ok', 'ok', 'ENODATA'],
      'mapped-file': ['ok', 'ok', asText(someAcl), ACCESS, 'ok', 'ok', DEFAULT, 'ok', 'ok', 'ENODATA'],
    },
  },
  {
    title: 'attributes that are neither user.* nor ACLs',
    why: "the mapped models leave the host's own attributes to the host; without CAP_SYS_ADMIN none can be set anyway",
    steps: (guest) => [
      guest.create('/f'),
      guest.setxattr('/f', 'trusted.a', 'x'),
      guest.getxattr('/f', 'trusted.a'),
      guest.removexattr('/f', 'trusted.a'),
    ],
    sees: {
      passthrough: ['ok', 'EPERM', 'ENODATA', 'EPERM'],
      none: ['ok', 'EPERM', 'ENODATA', 'EPERM'],
      'mapped-xattr': ['ok', 'EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP'],
      'mapped-file': ['ok', 'EOPNOTSUPP', 'EOPNOTSUPP', 'EOPNOTSUPP'],
    },
  },
  {
    title: 'user.virtfs.*',
    why: 'mapped-xattr keeps its own there',
    steps: (guest) => [
      guest.create('/f', 0o640, user),
      guest.setxattr('/f', 'user.virtfs.uid', Buffer.alloc(4)),
      guest.setxattr('/f', 'user.virtfs.other', 'x'),
      guest.getxattr('/f', 'user.virtfs.mode').length,
      guest.removexattr('/f', 'user.virtfs.uid'),
      guest.getxattr('/f', 'user.virtfs.system.posix_acl_access'),
      guest.look('/f'),
      guest.listxattr('/f'),
    ],
    sees: {
      passthrough: ['ok', 'ok', 'ok', 7, 'ok', 'ENODATA', '100640 1000:1001', 'user.virtfs.other'],
      none: ['ok', 'ok', 'ok', 7, 'ok', 'ENODATA', '100640 1000:1001', 'user.virtfs.other'],
      'mapped-xattr': ['ok', 'EACCES', 'EACCES', 7, 'EACCES', 'ENODATA', '100640 1000:1001', ''],
      'mapped-file': ['ok', 'ok', 'ok', 7, 'ok', 'ENODATA', '100640 1000:1001', 'user.virtfs.other'],
    },
  },
  {
    title: 'the names in which mapped-file keeps its own, anywhere',
    why: 'the guest must not forge what is recorded; elsewhere they are names like any other',
    steps: (guest) =>
      metadataNames.flatMap((name) => [
        guest.create('/f'),
        guest.mkdir('/d', 0o755, user),
        guest.exists(`/${name}`),
        guest.mkdir(`/${name}`),
        guest.mkdir(`/d/${name}`),
        guest.exists(`/d/${name}`),
        guest.create(`/d/${name}/d`),
        guest.remove(`/d/${name}/d`),
        guest.rename('/f', `/d/${name}/f`),
        guest.rename(`/d/${name}/f`, '/f'),
        guest.remove(`/d/${name}`),
        guest.remove(`/${name}`),
        guest.symlink('t', `/d/${name}`),
        guest.remove(`/d/${name}`),
        guest.mknod(`/d/${name}`, 0o010600),
        guest.remove(`/d/${name}`),
        guest.link('/f', `/d/${name}`),
        guest.remove(`/d/${name}`),
        guest.create(`/d/${name}`),
        guest.open(`/d/${name}`),
        guest.chmod(`/d/${name}`, 0o777),
        guest.truncate(`/d/${name}`, 0),
        guest.listxattr(`/d/${name}`),
        guest.remove(`/d/${name}`),
        guest.remove('/f'),
        guest.remove('/d'),
      ]),
    sees: (() => {
      const ordinary = metadataNames.flatMap(() => [
        ...['ok', 'ok', 'ENOENT', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok'],
        ...['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', '', 'ok', 'ok', 'ok'],
      ]);
      return {
        passthrough: ordinary,
        none: ordinary,
        'mapped-xattr': ordinary,
        'mapped-file': metadataNames.flatMap(() => refused('EINVAL')),
      };
    })(),
    seesByName: { 'mapped-file': metadataNames.flatMap(() => refused('ENOENT')) },
  },
  {
    title: "device nodes of the guest's users",
    why: 'a device node of the host takes CAP_MKNOD, which is not effective while the guest creates; a recorded one takes nothing',
    steps: (guest) => [
      guest.mknod('/c', 0o020666, 0x103, user),
      guest.exists('/c') === 'ok' ? guest.look('/c') : 'none',
    ],
    sees: {
      passthrough: ['EPERM', 'none'],
      none: ['EPERM', 'none'],
      'mapped-xattr': ['ok', '20666 1000:1001'],
      'mapped-file': ['ok', '20666 1000:1001'],
    },
  },
  {
    title: 'what is made in a set-gid directory, by a client that does not ask for its group',
    why: "the kernel's rule of the host; a guest of a mapped model applies it itself and names the group",
    steps: (guest) => [
      guest.mkdir('/d', 0o777),
      guest.chown('/d', 0, 50),
      guest.chmod('/d', 0o2777),
      guest.create('/d/f', 0o644, user),
      guest.look('/d/f'),
      guest.mkdir('/d/e', 0o755, user),
      guest.look('/d/e'),
    ],
    sees: {
      passthrough: ['ok', 'ok', 'ok', 'ok', '100644 1000:50', 'ok', '42755 1000:50'],
      none: ['ok', 'ok', 'ok', 'ok', '100644 1000:50', 'ok', '42755 1000:50'],
      'mapped-xattr': ['ok', 'ok', 'ok', 'ok', '100644 1000:1001', 'ok', '40755 1000:1001'],
      'mapped-file': ['ok', 'ok', 'ok', 'ok', '100644 1000:1001', 'ok', '40755 1000:1001'],
    },
  },
  {
    title: 'a path through a symbolic link of the guest',
    why: 'a guest resolves links itself; to a mapped model they are files',
    steps: (guest) => [
      guest.mkdir('/d'),
      guest.create('/d/f', 0o640, user),
      guest.symlink('d', '/l'),
      guest.symlink('d/f', '/m'),
      guest.exists('/l/f'),
      guest.open('/m'),
      guest.chmod('/m', 0o600),
      guest.truncate('/m', 0),
      guest.look('/d/f'),
    ],
    sees: {
      passthrough: ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', '100600 1000:1001'],
      none: ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', '100600 1000:1001'],
      'mapped-xattr': ['ok', 'ok', 'ok', 'ok', 'ENOTDIR', 'ELOOP', 'EOPNOTSUPP', 'ELOOP', '100640 1000:1001'],
      'mapped-file': ['ok', 'ok', 'ok', 'ok', 'ENOTDIR', 'ELOOP', 'EOPNOTSUPP', 'ELOOP', '100640 1000:1001'],
    },
    seesByName: {
      'mapped-xattr': ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', '100600 1000:1001'],
      'mapped-file': ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', '100600 1000:1001'],
    },
  },
  {
    title: 'a symbolic link that the host made',
    why: "a mapped model follows no link of the host, and reads none, as QEMU's local",
    steps: (guest) => {
      mkdirSync(guest.host('/d'));
      writeFileSync(guest.host('/d/f'), 'content');
      symlinkSync('d', guest.host('/l'));
      symlinkSync('d/f', guest.host('/m'));
      return [
        guest.look('/l'),
        guest.readlink('/l'),
        guest.exists('/l/f'),
        guest.open('/m'),
        guest.create('/m', 0o600, root, 0o102),
        guest.create('/l/new'),
        guest.exists('/d/new'),
        guest.getxattr('/l/f', 'user.a'),
        guest.rename('/d/f', '/l/moved'),
        guest.remove('/l'),
      ];
    },
    sees: {
      passthrough: ['120777 0:0', 'd', 'ok', 'ok', 'ok', 'ok', 'ok', 'ENODATA', 'ok', 'ok'],
      none: ['120777 0:0', 'd', 'ok', 'ok', 'ok', 'ok', 'ok', 'ENODATA', 'ok', 'ok'],
      'mapped-xattr': [
        '120777 0:0',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ENOENT',
        'ELOOP',
        'ELOOP',
        'ok',
      ],
      'mapped-file': [
        '120777 0:0',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ELOOP',
        'ENOENT',
        'ELOOP',
        'ELOOP',
        'ok',
      ],
    },
  },
  {
    title: 'links of a directory',
    why: 'the directory in which mapped-file keeps its own counts as one of the directories in it',
    steps: (guest) => [
      guest.mkdir('/d'),
      guest.create('/d/f'),
      guest.status('/d').links,
      guest.mkdir('/d/e'),
      guest.status('/d').links,
    ],
    sees: {
      passthrough: ['ok', 'ok', 2, 'ok', 3],
      none: ['ok', 'ok', 2, 'ok', 3],
      'mapped-xattr': ['ok', 'ok', 2, 'ok', 3],
      'mapped-file': ['ok', 'ok', 3, 'ok', 4],
    },
  },
];
