import type { Mount } from '../../syscalls/mount-table.js';

/**
 * The file systems that keep files, on disks, in memory or elsewhere, and what leads to one (autofs). All others may show or
 * govern the kernel, other processes or devices, as proc does, those that no one has thought of yet, too: whoever wants to
 * share one mounts it before the start.
 */
const TYPES: ReadonlySet<string> = new Set([
  ...['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'bcachefs', 'jfs', 'reiserfs', 'nilfs2', 'apfs'],
  ...['vfat', 'msdos', 'exfat', 'ntfs', 'ntfs3', 'hfs', 'hfsplus', 'ufs', 'minix', 'affs', 'udf', 'iso9660'],
  ...[
    'squashfs',
    'erofs',
    'cramfs',
    'romfs',
    'ubifs',
    'jffs2',
    'tmpfs',
    'ramfs',
    'overlay',
    'aufs',
    'ecryptfs',
  ],
  ...['nfs', 'nfs4', 'cifs', 'smb3', '9p', 'virtiofs', 'vboxsf', 'ceph', 'afs', 'coda', 'gfs2', 'ocfs2'],
  ...['lustre', 'beegfs', 'gpfs', 'orangefs', 'pvfs2', 'fuse', 'fuseblk', 'autofs'],
]);

/** The types of FUSE name their programs: `fuse.sshfs`. */
export function isFollowed({ fileSystem }: Mount): boolean {
  return TYPES.has(fileSystem.replace(/^fuse(blk)?\..*/, 'fuse'));
}
