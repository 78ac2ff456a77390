/** What diod 1.0.24 answers otherwise, with the reason. */
import type { Difference } from './twin-run.js';

export const streamDifferences: readonly Difference[] = [
  {
    reason: 'it has EIO for a fid that is not there',
    name: /^T/,
    about: 'an unknown fid',
    ours: 'EBADF',
    theirs: 'EIO',
  },
  {
    reason: 'writing to a directory is EISDIR here; there the host is asked with a descriptor for reading',
    name: 'Twrite',
    about: /^a fid open for directory/,
    ours: 'EISDIR',
    theirs: 'EBADF',
  },
  {
    reason: 'the name of an attribute is looked at when its value is there',
    name: /^Txattrcreate/,
    about: 'a bad name',
    ours: 'ERANGE',
    theirs: 'ok ERANGE',
  },
  {
    reason: 'a symbolic link is followed',
    name: 'Tstatfs',
    about: 'symlink',
    ours: /^\d+ /,
    theirs: /^E/,
  },
  {
    reason: 'a name that no file can have is refused before any is walked',
    name: 'Twalk',
    about: 'a name that is missing after others',
    ours: 'ENAMETOOLONG',
    theirs: /^\d: /,
  },
  {
    reason: 'of two things that are wrong it tells the other one: an empty target, and too long a name',
    name: 'Tsymlink',
    about: 'too long a name',
    ours: 'ENAMETOOLONG',
    theirs: 'ENOENT',
  },
];
