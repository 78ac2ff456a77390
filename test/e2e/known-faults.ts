/** What QEMU's own proxy driver does wrong, whatever helper it has: docs/known-faults.md has the same titles. */

/** A step in an empty directory of a share, and what it prints there. */
export interface Step {
  readonly title: string;
  /** Of the guest's shell, with Python; it has `attempt`, which prints what a call returns or its error. */
  readonly script: string;
  readonly version?: '9p2000.u';
  readonly model?: 'mapped-xattr';
  readonly cache?: 'loose';
  /** What the host makes as soon as the step has made `asked`. */
  readonly hostMakes?: string;
}

export interface KnownFault extends Step {
  /** Undefined where it is whatever was in QEMU's memory. */
  readonly driver: string | undefined;
  readonly pair: string;
}

/** How many descriptors QEMU may have. It begins to close files of the guest when two thirds are open. */
export const OPEN_FILES = 1024;

const python = (program: string, before = ''): string => `${before}python3 -S - 2>&1 <<'END OF PROGRAM'
import errno, fcntl, os
def attempt(name, call, *arguments):
    try:
        print(name, call(*arguments), flush=True)
    except OSError as error:
        print(name, errno.errorcode[error.errno], flush=True)
${program}
END OF PROGRAM`;

const unlinked = `
file = os.open('file', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
os.write(file, b'content')
os.unlink('file')`;

const replaced = `
for name in 'old', 'new':
    with open(name, 'w') as made: made.write(name)
file = os.open('old', os.O_RDWR)
os.rename('new', 'old')`;

const dated = `echo x >file; touch -d '2001-01-01 00:00:00Z' file`;

export const knownFaults: readonly KnownFault[] = [
  {
    title: 'A time of modification alone takes the time of access along',
    script: `${dated}; touch -m -d '2010-01-01 00:00:00Z' file; stat -c %X file`,
    driver: undefined,
    pair: '978307200',
  },
  {
    title: 'A time of access alone is not set',
    script: `${dated}; touch -a -d '2010-01-01 00:00:00Z' file; stat -c %X file`,
    driver: '978307200',
    pair: '1262304000',
  },
  {
    title: 'What tar extracts has any time of access',
    script: `${dated}; before=$(date +%s); tar -cf /tmp/tar file; rm file; tar -xf /tmp/tar
accessed=$(stat -c %X file); [ "$accessed" -ge "$((before - 1))" ] && [ "$accessed" -le "$(($(date +%s) + 1))" ] && echo now || echo another`,
    driver: 'another',
    pair: 'now',
  },
  {
    title: 'An open file without a name cannot be changed',
    script: python(`${unlinked}
attempt('size', os.ftruncate, file, 2)
attempt('mode', os.fchmod, file, 0o600)
attempt('owner', os.fchown, file, 5, 6)
attempt('times', os.utime, file, (1, 2))
attempt('data', os.pread, file, 10, 0)`),
    driver: "size ENOENT\nmode ENOENT\nowner ENOENT\ntimes ENOENT\ndata b'content'",
    pair: "size None\nmode None\nowner None\ntimes None\ndata b'co'",
  },
  {
    title: 'With 9p2000.u, nothing is told of an open file without a name',
    version: '9p2000.u',
    script: python(`${unlinked}
attempt('size', lambda: os.fstat(file).st_size)`),
    driver: 'size ENOENT',
    pair: 'size 7',
  },
  {
    title: 'With 9p2000.u, fsync does not return',
    version: '9p2000.u',
    script: `(${python(
      `
file = os.open('file', os.O_RDWR | os.O_CREAT)
attempt('synced', os.fsync, file)`,
      'timeout -s KILL 40 ',
    )}
) 2>/dev/null || echo "status $?"`,
    driver: 'status 137',
    pair: 'synced None',
  },
  {
    title: 'A change of an open file reaches the file that has its name now',
    script: python(`${replaced}
attempt('size', os.ftruncate, file, 0)
print('in its place:', open('old').read())`),
    driver: 'size None\nin its place: ',
    pair: 'size None\nin its place: new',
  },
  {
    title: 'Of many open files one becomes the file that has its name now',
    script: python(`${replaced}
others = [os.open('other%d' % number, os.O_RDWR | os.O_CREAT) for number in range(${Math.floor(0.8 * OPEN_FILES)})]
attempt('read', os.pread, file, 10, 0)`),
    driver: "read b'new'",
    pair: "read b'old'",
  },
  {
    title: 'Listings of the mapped models have the types of the host',
    model: 'mapped-xattr',
    script: `echo x >file; ln -s file link; mkfifo fifo; find . -type f | sort; find . -type f -delete; ls`,
    driver: './fifo\n./file\n./link',
    pair: './file\nfifo\nlink',
  },
];

/** What no share of 9P can, the pair neither, since Linux' client asks by name or not at all. */
const watching = python(`
import ctypes, time
os.mkdir('watched')
libc = ctypes.CDLL('libc.so.6')
events = libc.inotify_init1(os.O_NONBLOCK)
attempt('watch', lambda: libc.inotify_add_watch(events, b'watched', 0x100) > 0)
os.mkdir('asked')
while 'by-host' not in os.listdir('watched'): time.sleep(0.1)
os.mkdir('watched/by-guest')
attempt('made:', lambda: os.read(events, 4096)[16:].rstrip(b'\\0').decode())`);

/** What no share of 9P can, the pair neither, since Linux' client asks by name or not at all. */
export const limitsOfTheClient: readonly (Step & { readonly both: string })[] = [
  {
    title: 'Nothing tells a guest what the host changes',
    cache: 'loose',
    script: watching,
    hostMakes: 'watched/by-host',
    both: 'watch True\nmade: by-guest',
  },
  {
    title: 'With `cache=none` and `mmap`, nothing tells it what it changes itself',
    script: watching,
    hostMakes: 'watched/by-host',
    both: 'watch True\nmade: EAGAIN',
  },
  {
    title: 'An open file without a name takes no attributes',
    script: python(`${unlinked}
try: os.setxattr(file, 'user.name', b'value')
except OSError: print('refused')`),
    both: 'refused',
  },
  {
    title: 'No file is made without a name',
    script: python(`attempt('made', os.open, '.', os.O_RDWR | os.O_TMPFILE)`),
    both: 'made ENOTSUP',
  },
];
