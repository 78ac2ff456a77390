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
      "+ open_files ends with: [Errno 2] No such file or directory: 'moved/renamed'",
    ],
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

/** The cases of `acceptance.ts` that it does not pass. */
export const diodDeviations: Readonly<Record<string, string>> = {
  'a fid that is in use cannot be attached': 'fids are not checked',
  'a fid that is in use is no newfid': 'fids are not checked',
  'a later name that is missing ends the walk there, and makes no fid': 'the new fid is where the walk ended',
  'nothing is below a file': 'the new fid is where the walk ended',
  'a fid may walk itself, and stays where it is when a name is missing': 'the fid is where the walk ended',
  '.. is the directory above, and at the root the root': '.. leaves the export',
  'a symbolic link is walked to, never through': 'the host resolves the path, links and all',
  'a name cannot be empty': 'the host resolves the path',
  'a name cannot be with/slash (10)': 'the host resolves the path',
  'Tversion ends all fids': 'only the connection does',
  'Tversion never agrees to more than was asked, and knows no other protocol':
    'another protocol is EIO instead of unknown',
  'O_DIRECT does not need aligned memory': 'the flag goes to the host',
  'what cannot be opened in this way has the error of the kernel': 'links are followed',
  'Tlcreate does not follow a link that is there': 'links are followed',
  'what is read is never more than msize lets through': 'a count that does not fit is EIO',
  'the largest frame is read and written': '24 bytes are kept for a header that has 23',
  'who writes to a set-id file takes the bits away, as every user but root does':
    'it writes with the capabilities of root',
  'a count that is too small for an entry is no end of the listing': 'it is',
  'a file is no directory': 'EINVAL',
  'qid.version is not 0, and another one when the file has changed': 'it is 0',
  'Tsetattr of an owner takes set-uid away, and sets a mode after that': 'the mode is set first',
  'Tstatfs of a symbolic link tells where the link is, not where it leads': 'links are followed',
  'a size of 0 without it sets an empty attribute': 'it removes the attribute',
  'an attribute of which a part is missing, or too much is there, is not set':
    'zeros are set instead of what is missing',
  'an attribute that Linux cannot have takes no memory': 'the host is asked at the end',
  'nothing is made in what is no directory': 'Tunlinkat is not known',
  'what cannot be renamed has the error of the kernel': 'Trenameat is not known',
  'Tunlinkat removes a file, and a directory with its flag': 'Tunlinkat is not known',
  'Tunlinkat leaves a directory that is not empty': 'Tunlinkat is not known',
  'a fid goes with its file when Trenameat gives that another name':
    'only the fid that is renamed goes with it',
  'fids below a directory that is renamed go with it, open or not': 'a fid is a path',
  'a fid never becomes another file that takes its name': 'a fid is a path',
  'a file that is open and removed is still that file': 'attributes go by the path',
  'a file that is open, and another has been renamed over it, is still that file':
    'attributes go by the path',
  'locks are of ranges': 'locks are of whole files',
  'Tgetlock tells what is in the way, and of whom': 'locks are of whole files',
  "Tgetlock as Linux' client asks, with the type of an unlock, tells of every lock": 'EINVAL',
  'a lock keeps programs of the host out': 'locks are those of flock(2)',
  'a frame with more than its fields is an error or the end': 'what follows is not looked at',
  'a request before Tversion is an error or the end': 'it is served',
};

export const diodFatal: Readonly<Record<string, string>> = {
  'a FIFO, a socket or a device is not opened, and nobody waits for one': 'it opens a FIFO and waits',
  'a frame of a reply is an error or the end': 'it is the end of the server',
  'a frame that says that it has 0 bytes is the end': 'it waits for more',
};
