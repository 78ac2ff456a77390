/** What a 9P server that was taken over could still call. */
import { describe, expect, it } from 'vitest';
import { allowedCalls } from '../../src/server/confinement/system-call-policy.js';
import { absent, ends, type Form, forms } from './system-call-forms.js';
import { patience } from '../../harness/patience.js';
import { type Call, ENOSYS, isCall, underFilter } from './under-filter.js';

const AT_EMPTY_PATH = 0x1000;
const NONSENSE: Form = [-1, -1, -1, -1, -1, -1];
const policy = 'server';
const describeCall = ([name, form]: Call): string => `${name}(${form.join(', ')})`;

const refusedOf = (calls: readonly Call[]): string[] => {
  const { results } = underFilter('kill', calls, { policy });
  expect(results).toHaveLength(calls.length);
  return calls.filter((_, index) => results[index] === ENOSYS).map(describeCall);
};

/** Whatever looks for a path, makes a socket, or reaches another process. */
const withPaths = (
  'open openat openat2 creat access faccessat faccessat2 stat lstat readlink readlinkat chdir fchdir mkdir mkdirat ' +
  'mknod mknodat unlink unlinkat rmdir rename renameat renameat2 link linkat symlink symlinkat chmod fchmod fchmodat ' +
  'chown fchown lchown fchownat truncate utimensat statfs getxattr lgetxattr setxattr fsetxattr removexattr ' +
  'name_to_handle_at inotify_add_watch'
).split(' ');
const others =
  'socket socketpair connect bind listen sendmmsg kill tkill rt_sigqueueinfo pidfd_open pidfd_send_signal setuid setresuid setgroups capset memfd_create shmget msgget setpriority'.split(
    ' ',
  );

/** Forms that this policy has otherwise than the helper's. */
const own: Readonly<
  Record<string, { readonly allowed: readonly Form[]; readonly refused: readonly Form[] }>
> = {
  ...Object.fromEntries(
    [
      'preadv2',
      'pwritev2',
      'preadv',
      'pwritev',
      'pread64',
      'pwrite64',
      'ftruncate',
      'fallocate',
      'lseek',
      'read',
      'readv',
    ].map((name) => [
      name,
      {
        allowed: [['stream', 0, 0, 0, 0, 0]],
        // the log
        refused: [0, 1, 2].map((descriptor): Form => [descriptor, 0, 0, 0, 0, 0]),
      },
    ]),
  ),
  statx: {
    allowed: [[-1, 'memory', AT_EMPTY_PATH, 0, 'memory']],
    refused: [
      [-100, 'memory', 0, 0, 'memory'],
      [-100, 'memory', 0x100, 0, 'memory'],
    ],
  },
  newfstatat: {
    allowed: [[-1, 'memory', 'memory', AT_EMPTY_PATH]],
    refused: [[-100, 'memory', 'memory', 0]],
  },
  fcntl: {
    allowed: [
      // F_GETFD, F_GETFL, F_SETFL with O_NONBLOCK, F_DUPFD_CLOEXEC, F_OFD_GETLK, F_OFD_SETLK
      ...[1, 3, 1030, 36, 37].map((command): Form => ['stream', command, 0]),
      ['stream', 4, 0x800],
    ],
    refused: [
      ['stream', 4, 0x2000],
      [2, 1030, 0],
      // F_SETLK, F_SETLKW, F_SETOWN, F_SETSIG, F_OFD_SETLKW, F_SETLEASE, F_NOTIFY, F_SETPIPE_SZ, F_ADD_SEALS
      ...[6, 7, 8, 10, 38, 1024, 1026, 1031, 1033].map((command): Form => ['stream', command, 0]),
    ],
  },
};

describe("the 9P server's system call filter", { timeout: 120_000 * patience }, () => {
  it('allows what serving takes', () => {
    const conditional = { ...forms, ...own };
    const calls = allowedCalls
      .filter((name) => isCall(name) && !ends.includes(name))
      .flatMap((name): Call[] => {
        const form = conditional[name]?.allowed ?? [NONSENSE];
        return form.map((words): Call => [name, words]);
      });
    const without = underFilter('none', calls, { policy }).results;
    const { results } = underFilter('kill', calls, { policy });
    const refused = calls.filter((_, index) => results[index] === ENOSYS && without[index] !== ENOSYS);
    expect(results).toHaveLength(calls.length);
    expect(refused.map(describeCall)).toEqual([]);
    expect(underFilter('kill', 'thread', { policy })).toMatchObject({ signal: null, status: 0 });
  });

  it('has no call that takes a path, makes a socket or reaches another process', () => {
    const calls = [...withPaths, ...others, ...absent.filter((name) => name !== 'recvmsg')]
      .filter(isCall)
      .map((name): Call => [name, NONSENSE]);
    expect(refusedOf(calls)).toEqual(calls.map(describeCall));
  });

  it('looks at nothing by a path, changes nothing of the log, and waits for no lock', () => {
    const calls = Object.entries(own).flatMap(([name, { refused }]) =>
      refused.map((form): Call => [name, form]),
    );
    expect(refusedOf(calls)).toEqual(calls.map(describeCall));
  });

  it('maps memory of an emulator as data alone, and only where it serves one', () => {
    const [data, flags] = [3, 0x4001];
    const allowed: Form[] = [
      [0, 4096, data, flags, 'stream', 0],
      // in the place of what was reserved
      [0, 4096, data, flags | 0x10, 'stream', 0],
    ];
    const refused: Form[] = [
      ...[4, 5, 7].map((protection): Form => [0, 4096, protection, flags, 'stream', 0]),
      // locked, populated
      ...[0x2000, 0x8000].map((more): Form => [0, 4096, data, flags | more, 'stream', 0]),
      ...[0, 1, 2].map((log): Form => [0, 4096, data, flags, log, 0]),
    ];
    const calls = [...allowed, ...refused].map((form): Call => ['mmap', form]);
    expect(refusedOf(calls)).toEqual(calls.map(describeCall));
    const { results } = underFilter('kill', calls, { policy: 'vhost-user' });
    expect(results.map((result) => result === ENOSYS)).toEqual(calls.map((_, nth) => nth >= allowed.length));
  });

  it('kills at the start of a program, at a change of the mounts, at a signal for another process', () => {
    for (const call of ['execve', 'mount', 'unshare', 'ptrace', 'bpf', 'open_by_handle_at']) {
      expect([call, underFilter('kill', [[call, []]], { policy }).signal]).toEqual([call, 'SIGSYS']);
    }
    expect(underFilter('kill', [['tgkill', ['other', 'other', 0]]], { policy }).signal).toBe('SIGSYS');
  });
});
