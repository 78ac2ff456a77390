/** `guest/mount-vsock` in a guest, whose host is the guest itself: CID 1. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperNode, helperUnderTest } from '../../harness/guest/helper.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { shellBlocks } from '../../harness/documented.js';
import { patience } from '../../harness/patience.js';
import { UmlGuest, whyNoUml } from '../../harness/uml-guest.js';
import { whyNoShare } from './share-under-test.js';

const skip = whyNoUml() ?? whyNoShare();
if (skip !== undefined) console.warn(`mounting over vsock skipped: ${skip}`);

const files = join(repositoryRoot, 'guest');
const SCRIPT = join(files, 'mount-vsock');
const TIMEOUT = 120_000 * patience;
const [install = '', byHand = '', fstab = '', unit = ''] = shellBlocks('docs/guest.md');

const shells = { dash: '/bin/dash', busybox: '/usr/bin/busybox sh' } as const;
/** Everything that the script may need besides the tool. */
const COMMANDS = ['sh', 'mount', 'modprobe', 'cat'] as const;

/** A PATH with a tool and nothing else: the commands are the system's, or those of busybox. */
function pathWith(tool: string | undefined, busybox: boolean): string {
  const link = (name: string, target: string): string => `ln -s ${target} /tmp/path/${name}`;
  return [
    'rm -rf /tmp/path; mkdir /tmp/path',
    ...COMMANDS.map((name) =>
      link(name, busybox ? '/usr/bin/busybox' : `$(readlink -f $(command -v ${name}))`),
    ),
    // the path of a distribution's own: what comes first may be a wrapper of this machine's
    ...(tool === undefined ? [] : [link(tool, `/usr/bin/${tool}`)]),
  ].join('\n');
}

describe.skipIf(skip !== undefined)('mount-vsock', { timeout: 2 * TIMEOUT }, () => {
  let guest: UmlGuest;

  /** What it says when it fails, whatever it runs in. */
  async function refusal(words: string): Promise<string> {
    const { status, stdout, stderr } = await guest.attempt(`${SCRIPT} ${words}`);
    expect([status === 0, stdout]).toEqual([false, '']);
    return stderr;
  }

  beforeAll(async () => {
    guest = await UmlGuest.boot();
    await guest.run('mkdir -p /mnt/share /mnt/disk/export; echo content >/mnt/disk/export/file');
  }, TIMEOUT);
  afterAll(() => guest.destroy());

  it('tells in one line what is wrong with the command line', async () => {
    for (const [words, reason] of [
      ['', 'one directory is to be named'],
      ['a b c', 'one directory is to be named'],
      ['-p', '-p needs a value'],
      ['-x /mnt/share', '-x: unknown option'],
      ['-p 5x /mnt/share', '5x: must be the number'],
      ['-o ro,cid=-1 /mnt/share', '-1: must be the number'],
      ['/mnt/nowhere', '/mnt/nowhere: no such directory'],
    ] as const) {
      const said = await refusal(words);
      expect(said).toMatch(/^mount-vsock: [^\n]*\n$/);
      expect(said).toContain(reason);
    }
  });

  it('tells in one line which module or device is missing', async () => {
    expect(await refusal('/mnt/share')).toBe(
      'mount-vsock: this kernel has no vsock: its module vsock is missing\n',
    );
    await guest.load('vsock');
    expect(await refusal('/mnt/share')).toMatch(/^mount-vsock: no vsock leads to CID 2: [^\n]*\n$/);
    await guest.run('rmmod 9p');
    expect(await refusal('/mnt/share')).toBe(
      'mount-vsock: this kernel has no 9P file system: its modules 9p and 9pnet_fd are missing\n',
    );
    await guest.load('9p', 'vsock_loopback');
  });

  it('tells what mount(8) says of options that the kernel does not take', async () => {
    const listener = 'socat VSOCK-LISTEN:999 PIPE & sleep 1;';
    const { stderr } = await guest.attempt(`${listener} ${SCRIPT} -c 1 -p 999 -o msize=1 /mnt/share`);
    expect(stderr).toContain('mount: /mnt/share: ');
    expect(stderr).not.toContain('mount-vsock');
  });

  it('tells in one line that there is nothing to open the connection with', async () => {
    const { stderr } = await guest.attempt(
      `${pathWith(undefined, false)}\nPATH=/tmp/path ${SCRIPT} /mnt/share`,
    );
    expect(stderr).toBe(
      'mount-vsock: none of socat, python3 and perl is installed, one of which has to open the connection\n',
    );
  });

  describe('with a share', () => {
    beforeAll(async () => {
      await guest.run(`
${helperNode} ${helperUnderTest} share --path /mnt/disk/export --listen vsock:564 --keep-listening \
  --ready-fd 5 5>/tmp/ready >/tmp/log 2>&1 </dev/null &
until grep -q . /tmp/ready; do kill -0 $!; sleep 0.1; done
grep -qx ready /tmp/ready`);
    }, TIMEOUT);

    it.each([
      ['socat', 'dash'],
      ['python3', 'dash'],
      ['perl', 'busybox'],
    ] as const)('mounts with %s in %s, and tells that nothing listens', async (tool, shell) => {
      const command = byHand.replace('mount-vsock', SCRIPT);
      const place = `'/mnt/a "$place" of, it'`;
      const printed = await guest.run(`
${pathWith(tool, shell === 'busybox')}
mkdir -p ${place}
PATH=/tmp/path ${shells[shell]} ${command.replace(/ \S+\n$/, ` -c 1 -o ro,access=client a-name ${place}`)}
cat ${place}/file
grep '^a-name ' /proc/mounts
umount ${place}
PATH=/tmp/path ${shells[shell]} ${SCRIPT} -c 1 -p 565 ${place} 2>&1 || echo "status $?"`);
      expect(printed.split('\n')).toEqual([
        'content',
        expect.stringMatching(/ 9p ro,.*access=client,.*trans=fd/),
        'mount-vsock: nothing listens at port 565 of CID 1, or it refuses this machine',
        'status 1',
      ]);
    });

    it('mounts at boot by the line of fstab and the unit that docs/guest.md names', async () => {
      const ofThisMachine = (text: string): string => text.replaceAll('port=564', 'port=564,cid=1');
      await guest.load('overlay');
      const printed = await guest.run(
        `
for place in /etc /usr/sbin /usr/local/sbin; do
  mkdir -p /mnt/disk$place/upper /mnt/disk$place/work
  mount -t overlay -o lowerdir=$place,upperdir=/mnt/disk$place/upper,workdir=/mnt/disk$place/work overlay $place
done
cp -r ${files} /tmp/guest; cd /tmp/guest
sed -i 's/port=564/port=564,cid=1/; s/share/unit/g' mnt-share.mount
: >/etc/fstab
${install}
${ofThisMachine(fstab)}
mkdir /mnt/unit
${unit.replaceAll('mnt-share', 'mnt-unit').replace('mnt-unit.mount', 'mnt-share.mount').replace(' --now', '')}
# what belongs to a boot here
cat >/etc/systemd/system/boot.target <<END
[Unit]
DefaultDependencies=no
Wants=mnt-unit.mount mnt-share.mount
END
mount -t cgroup2 cgroup2 /sys/fs/cgroup
container=uml unshare --mount --pid --fork --mount-proc /lib/systemd/systemd --unit=boot.target </dev/null >/tmp/systemd.log 2>&1 &
systemd=
until [ "$systemd" ]; do sleep 0.2; systemd=$(pgrep -x systemd) || true; done
in_it() { nsenter --target "$systemd" --all "$@"; }
for unit in mnt-unit mnt-share; do
  until in_it systemctl is-active --quiet $unit.mount; do
    if in_it systemctl is-failed --quiet $unit.mount; then in_it systemctl status $unit.mount >&2; exit 1; fi
    sleep 0.5
  done
done
in_it cat /mnt/unit/file /mnt/share/file
kill -KILL "$systemd"`,
        TIMEOUT,
      );
      expect(printed).toBe('content\ncontent');
    });
  });
});

it('the unit mounts where its name says', () => {
  expect(readFileSync(join(files, 'mnt-share.mount'), 'utf8')).toContain('\nWhere=/mnt/share\n');
});
