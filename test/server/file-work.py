"""
Work with files as programs do it, in the empty directory that is the current one. Prints what a program sees of it: the
same is to be printed whatever the file system is. One process for most of it, because a process is dear in User Mode
Linux.

    file-work.py FEATURE...    links, owners, nodes, xattrs, locks, mmap: what the file system is said to have
"""
import errno
import fcntl
import mmap
import os
import socket
import stat
import struct
import subprocess
import sys

features = set(sys.argv[1:])
os.umask(0o022)


def say(*words):
    print(*words, flush=True)


def outcome(call, *arguments, **options):
    """What comes of a call: its result, or the name of the error."""
    try:
        result = call(*arguments, **options)
        return 'ok' if result is None else result
    except OSError as error:
        return errno.errorcode[error.errno]


def write(name, data, mode='wb'):
    with open(name, mode) as file:
        file.write(data)


def read(name):
    with open(name, 'rb') as file:
        return file.read()


def run(*command):
    """What a program prints, and how it ends."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode('latin1'), done.returncode


def mode_of(name):
    return oct(os.lstat(name).st_mode)


def as_user(uid, work):
    """Does some work in a process of another user; prints what it returns."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        say(work())
        os._exit(0)
    os.waitpid(child, 0)


def contents():
    say('# create, append, truncate')
    write('create', b'one\n')
    write('create', b'two\n', 'ab')
    say(read('create'))
    write('lines', b''.join(b'line %d\n' % number for number in range(200)))
    os.truncate('lines', 10)
    write('sparse', b'x')
    os.truncate('sparse', 100_000)
    say(read('lines'), os.stat('sparse').st_size, read('sparse').count(0))
    big = bytes(range(256)) * 12_000
    write('large', big)
    with open('large', 'r+b') as file:
        file.seek(2_500_001)
        file.write(b'middle')
        file.seek(4095)
        say(file.read(3))
    say(read('large') == big[:2_500_001] + b'middle' + big[2_500_007:])
    write('large', b'')
    say(os.stat('large').st_size)
    say(outcome(os.open, 'create', os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    say(outcome(os.open, 'absent', os.O_RDONLY), outcome(os.open, 'create/x', os.O_RDONLY))
    say(outcome(os.open, '.', os.O_WRONLY), outcome(os.open, 'create', os.O_DIRECTORY))
    write('trailing', b'')
    with open('trailing', 'r+b') as file:
        file.seek(10_000)
        file.write(b'end')
    say(len(read('trailing')), read('trailing').count(0))


def appending():
    say('# append')
    one = os.open('appending', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    two = os.open('appending', os.O_WRONLY | os.O_APPEND)
    for number in range(10):
        os.write(one, b'one %d\n' % number)
        os.write(two, b'two %d\n' % number)
    os.fsync(one)
    os.fdatasync(two)
    os.close(one)
    os.close(two)
    say(read('appending'))


def directories():
    say('# directories')
    os.makedirs('deep/er/est')
    os.mkdir('sticky')
    os.chmod('sticky', 0o1777 if 'special' in features else 0o777)
    say(outcome(os.rmdir, 'deep'), outcome(os.mkdir, 'deep'), outcome(os.rmdir, 'create'))
    say(outcome(os.unlink, 'deep'), outcome(os.rmdir, 'absent'), outcome(os.unlink, 'absent'))
    os.mkdir('listing')
    names = {f'a name that is rather long, so that a listing takes several replies {n}' for n in range(300)}
    for name in names:
        os.close(os.open(f'listing/{name}', os.O_CREAT | os.O_WRONLY))
    say(set(os.listdir('listing')) == names)
    with os.scandir('listing') as entries:
        say(len([entry for entry in entries if entry.is_file()]))
    for name in sorted(names)[::3]:
        os.unlink(f'listing/{name}')
    say(len(os.listdir('listing')))
    odd = [b'\xff\xfe not UTF-8', b'quote"', b'line\nend', b'\\', b' ', b'n' * 255]
    for name in odd:
        write(name, name)
    say([read(name) == name for name in odd])
    say(outcome(write, b'n' * 256, b''))


def renames():
    say('# rename')
    write('target', b'old')
    write('source', b'new')
    os.rename('source', 'target')
    say(read('target'), os.path.exists('source'))
    for name in 'empty', 'other', 'full':
        os.mkdir(name)
    write('full/file', b'')
    say(outcome(os.rename, 'empty', 'full'), outcome(os.rename, 'full', 'target'))
    say(outcome(os.rename, 'target', 'full'), outcome(os.rename, 'full', 'full/inside'))
    say(outcome(os.rename, 'absent', 'x'), outcome(os.rename, 'other', 'empty'))
    if 'moves' in features:
        os.rename('deep/er', 'deeper')
        write('deeper/est/file', b'moved')
        os.rename('deeper', 'empty/deeper')
        say(read('empty/deeper/est/file'), outcome(read, 'deep/er/est/file'))


def open_files():
    say('# open, and renamed or removed')
    os.mkdir('moving')
    held = os.open('moving/file', os.O_RDWR | os.O_CREAT)
    os.write(held, b'before ')
    os.rename('moving/file', 'moving/renamed')
    os.write(held, b'after ')
    os.rename('moving', 'moved')
    os.write(held, b'last')
    say(os.pread(held, 100, 0), read('moved/renamed'), os.fstat(held).st_size)
    os.close(held)
    held = os.open('unlinked', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(held, b'0123456789')
    os.unlink('unlinked')
    say(os.path.exists('unlinked'), os.fstat(held).st_size, os.pread(held, 100, 2))
    say(outcome(os.ftruncate, held, 5), os.fstat(held).st_size, os.pread(held, 100, 2))
    say(outcome(os.fchmod, held, 0o640), oct(os.fstat(held).st_mode))
    os.pwrite(held, b'x', 10)
    say(os.fstat(held).st_size)
    os.close(held)


def times_and_modes():
    say('# times and modes')
    write('dated', b'x')
    # whole seconds since 1970: a mount of v9fs takes no others, whatever the server
    second = 1_000_000_000
    os.utime('dated', ns=(981_173_106 * second, 981_173_107 * second))
    say(os.stat('dated').st_atime_ns, os.stat('dated').st_mtime_ns)
    for mode in (0o640, 0o4755, 0o000, 0o1666) if 'special' in features else (0o640, 0o000):
        os.chmod('dated', mode)
        say(mode_of('dated'))
    write('program', b'#!/bin/sh\necho run\n')
    os.chmod('program', 0o755)
    say(run('./program'))
    os.mkdir('timed')
    before = os.stat('timed').st_mtime_ns
    os.utime('timed', ns=(second, second))
    write('timed/file', b'')
    say(os.stat('timed').st_mtime_ns >= before)


def owners():
    say('# owners')
    write('owned', b'')
    os.chown('owned', 1000, 2000)
    say(os.stat('owned').st_uid, os.stat('owned').st_gid)
    os.chown('owned', -1, 3000)
    os.chmod('owned', 0o6755)
    os.chown('owned', 1001, -1)
    say(os.stat('owned').st_uid, os.stat('owned').st_gid, mode_of('owned'))
    os.mkdir('shared')
    os.chown('shared', 0, 4000)
    os.chmod('shared', 0o2775)
    write('shared/file', b'')
    os.mkdir('shared/directory')
    say([(os.stat(f'shared/{name}').st_gid, mode_of(f'shared/{name}')) for name in ('file', 'directory')])

    def user_makes():
        os.umask(0o077)
        write('sticky/mine', b'mine')
        os.mkdir('sticky/directory')
        return read('sticky/mine'), outcome(write, 'not-here', b'')

    def other_tries():
        return outcome(read, 'sticky/mine'), outcome(os.unlink, 'sticky/mine'), outcome(os.chmod, 'create', 0o777)

    as_user(1000, user_makes)
    as_user(1001, other_tries)
    say([(os.stat(f'sticky/{name}').st_uid, mode_of(f'sticky/{name}')) for name in ('mine', 'directory')])


def links():
    say('# links')
    os.link('create', 'hard')
    say(os.stat('create').st_nlink, os.path.samefile('create', 'hard'))
    write('hard', b'more\n', 'ab')
    say(read('create'), outcome(os.link, 'create', 'hard'), outcome(os.link, 'absent', 'x'))
    os.unlink('hard')
    say(os.stat('create').st_nlink)
    targets = {'soft': 'create', 'dangling': 'no where', 'long': 'x' * 1000, 'loop': 'loop', 'to-directory': 'deep'}
    for name, target in targets.items():
        os.symlink(target, name)
    say([os.readlink(name) == target for name, target in targets.items()])
    say([outcome(read, name) for name in targets])
    say(outcome(os.symlink, 'x', 'soft'), outcome(os.readlink, 'create'))
    say([outcome(os.open, name, os.O_RDONLY | os.O_NOFOLLOW) for name in ('soft', 'loop')])
    if 'owners' in features:
        os.lchown('soft', 7, 8)
        say(os.lstat('soft').st_uid, os.stat('soft').st_uid)
        os.utime('soft', ns=(1, 2_000_000_000), follow_symlinks=False)
        say(os.lstat('soft').st_mtime_ns)


def nodes():
    say('# nodes')
    os.mkfifo('fifo', 0o600)
    os.mknod('null', 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(259, 70_000))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind('socket')
    for name in 'fifo', 'null', 'disk', 'socket':
        status = os.lstat(name)
        say(name, oct(status.st_mode), os.major(status.st_rdev), os.minor(status.st_rdev))
    child = os.fork()
    if child == 0:
        write('fifo', b'through')
        os._exit(0)
    say(read('fifo'))
    os.waitpid(child, 0)
    write('null', b'nothing')
    say(read('null'))


def xattrs():
    say('# attributes')
    values = {'user.one': b'first', 'user.empty': b'', 'user.binary': b'\0\xff\0', 'user.large': b'v' * 800}
    if 'trusted' in features:
        values['trusted.t'] = b'y'
    for name, value in values.items():
        say(name, outcome(os.setxattr, 'create', name, value))
    say({name: outcome(os.getxattr, 'create', name) == value for name, value in values.items()})
    say(sorted(os.listxattr('create')))
    os.setxattr('deep', 'user.of-directory', b'x')
    say(os.listxattr('deep'))
    say(outcome(os.setxattr, 'create', 'user.one', b'x', os.XATTR_CREATE))
    say(outcome(os.setxattr, 'create', 'user.absent', b'x', os.XATTR_REPLACE))
    say(outcome(os.setxattr, 'create', 'user.one', b'second', os.XATTR_REPLACE), os.getxattr('create', 'user.one'))
    say(outcome(os.removexattr, 'create', 'user.one'), outcome(os.getxattr, 'create', 'user.one'))
    say(outcome(os.removexattr, 'create', 'user.one'))
    say(run('setfattr', '-n', 'user.by-program', '-v', 'value', 'create'))
    say(run('getfattr', '--only-values', '-n', 'user.by-program', 'create'))


def locks():
    say('# locks')
    write('lock', b'')
    mine = os.open('lock', os.O_RDWR)
    other = os.open('lock', os.O_RDWR)
    free = fcntl.LOCK_NB
    say(outcome(fcntl.flock, mine, fcntl.LOCK_EX), outcome(fcntl.flock, other, fcntl.LOCK_EX | free))
    say(outcome(fcntl.flock, mine, fcntl.LOCK_SH), outcome(fcntl.flock, other, fcntl.LOCK_SH | free))
    fcntl.flock(mine, fcntl.LOCK_UN)
    fcntl.flock(other, fcntl.LOCK_UN)
    os.close(other)
    fcntl.lockf(mine, fcntl.LOCK_EX, 10, 100)
    child = os.fork()
    if child == 0:
        other = os.open('lock', os.O_RDWR)
        for start, length in (0, 100), (110, 0), (100, 1), (0, 0):
            say(start, length, outcome(fcntl.lockf, other, fcntl.LOCK_EX | free, length, start))
        asked = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0)
        kind, _, start, length, _ = struct.unpack('hhqqi4x', fcntl.fcntl(other, fcntl.F_GETLK, asked))
        say('held', kind, start, length)
        os._exit(0)
    os.waitpid(child, 0)
    fcntl.lockf(mine, fcntl.LOCK_UN)
    os.close(mine)


def mapping():
    say('# mmap')
    with open('mapped', 'w+b') as file:
        file.truncate(20_000)
        with mmap.mmap(file.fileno(), 20_000) as memory:
            memory[0:5] = b'begin'
            memory[9_998:10_003] = b'in it'
            memory.flush()
        os.fsync(file.fileno())
    say(read('mapped').count(0))


def programs():
    say('# archives and copies')
    os.makedirs('tree/a/b')
    write('tree/1', b'1')
    write('tree/a/2', b'2')
    os.chmod('tree/1', 0o600)
    if 'links' in features:
        os.symlink('../1', 'tree/a/link')
        os.link('tree/1', 'tree/a/b/hard')
    os.mkdir('unpacked')
    say(run('tar', '-cf', 'tree.tar', '--sort=name', 'tree'))
    # the host, whose clock makes the times, may be a little ahead of a guest
    say(run('tar', '--warning=no-timestamp', '-xpf', 'tree.tar', '-C', 'unpacked'))
    say(run('tar', '-tf', 'tree.tar'), run('diff', '-r', 'tree', 'unpacked/tree'))
    os.unlink('tree.tar')
    say(run('cp', '-a' if 'owners' in features else '-R', 'tree', 'copy'), run('diff', '-r', 'tree', 'copy'))
    for kind in 'f', 'd', 'l':
        say(sorted(run('find', 'tree', '-type', kind)[0].split('\n')))
    say(run('rm', '-rf', 'unpacked', 'listing'), os.path.exists('listing'))
    if 'space' in features:
        space = os.statvfs('.')
        say(space.f_blocks > 0, space.f_bfree > 0, space.f_namemax)
    if 'locks' in features:
        say(run('flock', '-n', 'lock', 'true'))
    os.sync()


always = (contents, appending, directories, renames, open_files, times_and_modes)
by_feature = {'owners': owners, 'links': links, 'nodes': nodes, 'xattrs': xattrs, 'locks': locks, 'mmap': mapping}
for part in (*always, *(part for feature, part in by_feature.items() if feature in features), programs):
    try:
        part()
    except OSError as failure:
        # the other parts tell more
        say(f'{part.__name__} ends with: {failure}')
