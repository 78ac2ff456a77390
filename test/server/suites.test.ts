/**
 * Suites that nobody here wrote, in a guest on a share: Python's own tests of what works with files, and stress-ng's file
 * stressors. What fails on the share has to fail on the guest's own file system, too.
 *
 *   VIRTFS_GUEST_SUITES=all npm test -- test/server/suites.test.ts    all of them, on both file systems
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { patience } from '../../harness/patience.js';
import { exportForTest } from '../../harness/tree.js';
import type { UmlGuest } from '../../harness/uml-guest.js';
import { bootWithDevice, DEVICE_MOUNT, mountDevice, plugged, whyNoDeviceGuest } from './device-guest.js';

const withAll = process.env['VIRTFS_GUEST_SUITES'] === 'all';
const LOCAL = '/mnt/local';
const TIMEOUT_S = (withAll ? 300 : 100) * patience;

/** One run of a suite's part. */
interface Result {
  /** How it ended, and how much it did. */
  readonly end: string;
  readonly failures: readonly string[];
}

interface Suite {
  /** Of Debian's package. */
  readonly needs: string;
  readonly package: string;
  /** In one run, or stressors at the same time: a process is dear in User Mode Linux. */
  readonly short: readonly string[];
  /** Beside the short ones; each in a run of its own. */
  readonly others: readonly string[];
  /** A shell command that runs some parts in the current directory. */
  readonly command: (parts: readonly string[]) => string;
  readonly result: (status: number, output: string) => Result;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

const python: Suite = {
  needs: '/usr/lib/python3.11/test/test_shutil.py',
  package: 'libpython3.11-testsuite',
  short: words('test_fileio test_file test_filecmp test_fileinput test_mmap test_dbm test_tempfile'),
  others:
    words(`test_shutil test_posix test_os test_pathlib test_glob test_mailbox test_zipfile test_tarfile test_io
    test_shelve test_gzip test_bz2 test_lzma test_fcntl test_genericpath test_posixpath test_largefile test_py_compile`),
  // what takes random numbers waits for the guest to have some; links that lead to themselves take minutes
  command: (parts) =>
    `python3 -m test --verbose --tempdir=$PWD -i '*GetRandom*' -i '*URandom*' -i test_selflink ${parts.join(' ')}`,
  result: (status, output) => {
    const sum = (pattern: RegExp): number =>
      [...output.matchAll(pattern)].reduce((total, [, count]) => total + Number(count), 0);
    const failures = [...output.matchAll(/^(?:ERROR|FAIL): (.*)$/gm)].map(([, name = '']) => name);
    const unexplained = status !== 0 && failures.length === 0 ? [`status ${status}`] : [];
    const count = sum(/^Ran (\d+) tests/gm);
    const nothing = count === 0 ? ['no test ran'] : [];
    return {
      end: `${count} tests, ${sum(/^(?:OK|FAILED) .*skipped=(\d+)/gm)} skipped`,
      failures: [...failures, ...unexplained, ...nothing],
    };
  },
};

const stress: Suite = {
  needs: '/usr/bin/stress-ng',
  package: 'stress-ng',
  short:
    words(`access chmod chown copy-file dentry dir fallocate fcntl flock fstat getdent hdd lockf mknod rename
    seek touch utime xattr`),
  others:
    words(`chattr chdir dirdeep dirmany dup fiemap fifo file-ioctl filename fpunch fsize handle inode-flags io
    iomix link locka lockofd open readahead revio sendfile splice symlink sync-file verity`),
  command: (parts) => {
    const stressors = parts.map((part) => `--${part} 1 --${part}-ops ${withAll ? 200 : 5}`);
    return `stress-ng --temp-path $PWD --verify --timeout 20s ${stressors.join(' ')}`;
  },
  result: (status, output) => ({
    end: `status ${status}`,
    failures: [
      ...[...output.matchAll(/^stress-ng: (?:fail|error): +\[\d+\] (.*)$/gm)].map(([, line = '']) => line),
      // 3 and 4: there is nothing of the kind, not enough of something
      ...(status === 0 || status === 3 || status === 4 ? [] : [`status ${status}`]),
    ],
  }),
};

const missing = [python, stress].find(({ needs }) => !existsSync(needs));
const skip =
  whyNoDeviceGuest() ?? (missing && `${missing.needs} is not installed (Debian: ${missing.package})`);
if (skip !== undefined) console.warn(`suites in the guest of a share skipped: ${skip}`);

async function bootWithShare(): Promise<UmlGuest> {
  const directory = mkdtempSync(join(tmpdir(), 'suites-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  const socket = join(directory, 'socket');
  await plugged(socket, exportForTest());
  const guest = await bootWithDevice(socket, { memory: 700 });
  onTestFinished(() => guest.destroy());
  await mountDevice(guest, ['version=9p2000.L', 'access=client', 'cache=mmap', 'msize=65536']);
  await guest.run(`mkdir ${LOCAL}; mount -t tmpfs local ${LOCAL}`);
  return guest;
}

/** What some parts do on the file system at `place`, which they have to leave empty. */
async function run(suite: Suite, parts: readonly string[], guest: UmlGuest, place: string): Promise<Result> {
  const script = `mkdir ${place}/work; cd ${place}/work || exit
export TMPDIR=$PWD
timeout --kill-after=5 ${TIMEOUT_S} ${suite.command(parts)} 2>&1
status=$?
cd /; rm -rf ${place}/work; ls -A ${place} >&2
exit $status`;
  const { status, stdout, stderr } = await guest.attempt(script, (TIMEOUT_S + 60) * 1_000);
  const { end, failures } = suite.result(status, stdout);
  return { end, failures: stderr === '' ? failures : [...failures, `left: ${stderr.trim()}`] };
}

const without = (all: readonly string[], known: readonly string[]): string[] =>
  all.filter((failure) => !known.includes(failure));

describe.skipIf(skip !== undefined)('a guest on a share', { timeout: 6 * 3_600_000 }, () => {
  it.each([
    ["Python's tests", python],
    ["stress-ng's stressors", stress],
  ])('fails no more of %s than on its own file system', async (_, suite) => {
    const guest = await bootWithShare();
    const differences: string[] = [];
    for (const parts of [suite.short, ...(withAll ? suite.others.map((part) => [part]) : [])]) {
      const began = performance.now();
      const shared = await run(suite, parts, guest, DEVICE_MOUNT);
      const seconds = ((performance.now() - began) / 1_000).toFixed(0);
      // where nothing fails there is no reason to try the other one
      const wanted = withAll || shared.failures.length > 0;
      const local = wanted ? await run(suite, parts, guest, LOCAL) : undefined;
      const [here, there] = [shared, local].map((result) =>
        [result?.end, ...(result?.failures ?? [])].join('; '),
      );
      console.log(`${parts.join(' ')}: ${here} (${seconds} s)${wanted ? `; locally: ${there}` : ''}`);
      differences.push(...without(shared.failures, local?.failures ?? []));
    }
    expect(differences).toEqual([]);
  });
});
