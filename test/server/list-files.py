"""
Lists all that is in the current directory, so that two listings may be compared.

    list-files.py FEATURE...    as for file-work.py
"""
import hashlib
import os
import stat
import sys

features = set(sys.argv[1:])


def content(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def describe(path):
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    words = [oct(status.st_mode)]
    if 'owners' in features:
        words.append(f'{status.st_uid}:{status.st_gid}')
    if 'links' in features:
        words.append(f'links={status.st_nlink}')
    if kind == stat.S_IFREG:
        words += [f'{status.st_size}', content(path)]
    if kind == stat.S_IFLNK:
        words.append(f'to={os.readlink(path)}')
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        words.append(f'device={os.major(status.st_rdev)}:{os.minor(status.st_rdev)}')
    if 'xattrs' in features and kind in (stat.S_IFREG, stat.S_IFDIR):
        words += [f'{name}={os.getxattr(path, name).hex()[:40]}' for name in sorted(os.listxattr(path))]
    return ' '.join(words)


paths = [os.path.join(place, name) for place, *names in os.walk('.') for name in [*names[0], *names[1]]]
for path in sorted(['.', *paths]):
    print(ascii(path), describe(path))
