/** The options that docs/guest.md recommends do what they are recommended for, in a guest's own 9P client. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tableRows } from '../../harness/documented.js';
import { patience } from '../../harness/patience.js';
import { UmlGuest, whyNoUml } from '../../harness/uml-guest.js';
import { mount, ours, startServer, stopServer } from './guest-mounts.js';
import { whyNoShare } from './share-under-test.js';

const skip = whyNoUml() ?? whyNoShare();
if (skip !== undefined) console.warn(`options of the guest's mount skipped: ${skip}`);

const TIMEOUT = 120_000 * patience;
const EXPORT = '/mnt/disk/export';
const PLACE = '/mnt/share';
const recommended = new Map(
  tableRows('docs/guest.md', 'Which options for what', 'for').map(([purpose = '', options = '']) => [
    purpose,
    options.replaceAll('`', ''),
  ]),
);

/** A database of which two connections write, and one that is mapped for reading and written beside it, as bbolt's. */
const database = `
import mmap, os, sqlite3
first, second = (sqlite3.connect('test.db', isolation_level=None) for _ in range(2))
print(first.execute('pragma journal_mode=wal').fetchone()[0])
first.execute('create table t (x)')
for number in range(50): (first, second)[number % 2].execute('insert into t values (?)', (number,))
print(second.execute('select count(*), sum(x) from t').fetchone(), second.execute('pragma integrity_check').fetchone())
file = os.open('mapped', os.O_RDWR | os.O_CREAT)
os.ftruncate(file, 8192)
view = mmap.mmap(file, 8192, mmap.MAP_SHARED, mmap.PROT_READ)
before = view[:3]
os.pwrite(file, b'new', 0)
os.fdatasync(file)
print(before, view[:3])`;

const python = (program: string): string =>
  `python3 -S 2>&1 - <<'END OF PROGRAM'\n${program}\nEND OF PROGRAM\n`;

interface Purpose {
  /** What the share has before. */
  readonly prepare?: string;
  readonly script: string;
  readonly prints: string;
}

const purposes: Record<string, Purpose> = {
  'files that the host changes, too': {
    script: `for turn in 1 2 3; do echo $turn >${EXPORT}/file; cat file; done
${python("import mmap, os\nfile = os.open('file', os.O_RDWR)\ntry: mmap.mmap(file, 2)\nexcept OSError as error: print(error.strerror)")}`,
    prints: '1\n2\n3\nInvalid argument',
  },
  'a build tree': {
    script: `export GIT_CONFIG_GLOBAL=/dev/null HOME=/tmp
echo 'int main(void) { return 7; }' >main.c; printf 'main: main.o\\n\\tcc -o main main.o\\n' >Makefile
git init -q .; git add .; git -c user.name=a -c user.email=b commit -q -m first
make -s; status=0; ./main || status=$?; echo $status; git status --short; git fsck --strict 2>&1; git gc -q; git log --format=%s`,
    prints: '7\n?? main\n?? main.o\nfirst',
  },
  "a database (SQLite's WAL, bbolt)": {
    script: python(database),
    prints: "wal\n(50, 1225) ('ok',)\nb'\\x00\\x00\\x00' b'new'",
  },
  'a root file system': {
    prepare: `mkdir -p ${EXPORT}/bin ${EXPORT}/tmp; cp /bin/busybox ${EXPORT}/bin; chmod 1777 ${EXPORT}/tmp`,
    script: `chroot . /bin/busybox sh -c '/bin/busybox --install -s /bin; ls /bin | grep -c .' | grep -q '...'
chroot . /bin/sh -c 'id -u; echo x >/tmp/file; chmod 600 /tmp/file'
setfacl -m u:1234:r tmp/file; setpriv --reuid=1234 --regid=1234 --clear-groups cat tmp/file
setpriv --reuid=1235 --regid=1234 --clear-groups cat tmp/file 2>/dev/null || echo refused
${python("import mmap, os\nfile = os.open('tmp/file', os.O_RDWR)\nmmap.mmap(file, 2)[:1] = b'y'")}cat tmp/file`,
    prints: '0\nx\nrefused\ny',
  },
  'a read-only store (`/nix/store`, `/usr`)': {
    prepare: `cp /bin/busybox ${EXPORT}`,
    script: './busybox echo runs; touch file 2>&1 | grep -o "Read-only file system"',
    prints: 'runs\nRead-only file system',
  },
};

describe.skipIf(skip !== undefined)('the options of docs/guest.md', { timeout: TIMEOUT }, () => {
  let guest: UmlGuest;
  beforeAll(async () => {
    guest = await UmlGuest.boot();
  }, TIMEOUT);
  afterAll(() => guest.destroy());

  it('have a use each', () => {
    expect([...recommended.keys()]).toEqual(Object.keys(purposes));
  });

  async function seen(options: string, { prepare = '', script }: Purpose): Promise<string> {
    await guest.run(`rm -rf ${EXPORT}; mkdir ${EXPORT}; ${prepare}`);
    await startServer(guest, ours, EXPORT, 'tcp');
    try {
      await mount(guest, PLACE, 'tcp', options.split(','));
      return await guest.run(`cd ${PLACE}\n${script}`, TIMEOUT);
    } finally {
      await guest.attempt(`umount -l ${PLACE}`);
      await stopServer(guest);
    }
  }

  it.each(Object.entries(purposes))('are right for %s', async (name, purpose) => {
    expect(await seen(recommended.get(name)!, purpose)).toBe(purpose.prints);
  });

  it('are not all right for a database', async () => {
    const printed = await seen('version=9p2000.L,cache=none', {
      script: `(${python(database)}) || true`,
      prints: '',
    });
    expect(printed).toMatch(/^delete\n|Error/);
  });

  it('have the access that is told where none is given', async () => {
    const { script } = { script: `grep -o ' ${PLACE} .*access=[a-z]*' /proc/mounts | grep -o '[a-z]*$'` };
    expect(await seen('version=9p2000.L', { script, prints: '' })).toBe('client');
    expect(await seen('version=9p2000.u', { script, prints: '' })).toBe('user');
  });

  it('fail in the words of the page', async () => {
    const { stderr: refused } = await guest.attempt(
      `mkdir -p ${PLACE}; mount -t 9p -o trans=tcp,port=564 127.0.0.1 ${PLACE}`,
    );
    const { stderr: wrong } = await guest.attempt(
      `mount -t 9p -o trans=tcp,access=nobody 127.0.0.1 ${PLACE}`,
    );
    const { stderr: unknown } = await guest.attempt(`rmmod 9p; mount -t 9p -o trans=tcp 127.0.0.1 ${PLACE}`);
    const said = tableRows('docs/guest.md', 'When it fails', 'what mount(8) says').map(([words = '']) =>
      words.replaceAll('`', ''),
    );
    for (const stderr of [refused, wrong, unknown])
      expect(
        said.filter((words) => stderr.includes(words)),
        stderr,
      ).toHaveLength(1);
  });
});
