/** What diod 1.0.24 does otherwise than a local file system, as a guest sees it (`reference.test.ts`). */
interface Difference {
  readonly reason: string;
  /** As GuestComparison writes them: `-` what a local file system has, `+` what diod has instead. */
  readonly lines: readonly string[];
}

const attributes = 'trusted.t=79 user.binary=00ff00 user.by-program=76616c7565';
const large = `user.large=${'76'.repeat(20)}`;
const created = "'./create' 0o100644 0:0 links=1 13 f9a963b30fbb585b";

export const diodDifferences: readonly Difference[] = [
  {
    reason: 'a fid is a path: a rename leaves the fids below, and an unlinked file has no path for fstat',
    lines: [
      "- b'before after last' b'before after last' 17",
      "- False 10 b'23456789'",
      "- ok 5 b'234'",
      '- ok 0o100640',
      '- 11',
      "+ line 162 fails: [Errno 2] No such file or directory: 'moved/renamed'",
    ],
  },
  {
    reason: 'times are no earlier than 1970, and lose their nanoseconds',
    lines: ['- -4999999999 5000000000999999999', '+ 0 5000000000000000000'],
  },
  {
    reason: 'an attribute that is set to nothing is removed, whatever the flags say',
    lines: [
      '- user.empty ok',
      '+ user.empty ENODATA',
      "- {'user.one': True, 'user.empty': True, 'user.binary': True, 'user.large': True, 'trusted.t': True}",
      "+ {'user.one': True, 'user.empty': False, 'user.binary': True, 'user.large': True, 'trusted.t': True}",
      "- ['trusted.t', 'user.binary', 'user.empty', 'user.large', 'user.one']",
      "+ ['trusted.t', 'user.binary', 'user.large', 'user.one']",
      ...['in the guest', 'on the host'].flatMap((side) => [
        `${side}: - ${created} ${attributes} user.empty= ${large}`,
        `${side}: + ${created} ${attributes} ${large}`,
      ]),
    ],
  },
  {
    reason: 'locks are those of flock(2), for whole files',
    lines: ['- 0 100 ok', '- 110 0 ok', '+ 0 100 EAGAIN', '+ 110 0 EAGAIN'],
  },
];
