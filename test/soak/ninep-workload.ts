/** What a guest asks of a 9P server, in steps that leave the tree, and what the server knows, as they were. */
import type { BlockingNinepClient, NinepReply } from '../../harness/blocking-ninep-client.js';
import { errnoName } from '../../harness/libc.js';
import type { ReplyTo, RequestName, SentFields } from '../../harness/ninep-messages.js';
import type { Random } from '../../harness/random.js';
import { BASIC, open, REMOVEDIR, valid } from '../server/acceptance/scene.js';
import { directories, files, link, xattr } from './workload.js';

const S_IFIFO = 0o010_000;
const ROOT = 0;
/** Fids that live as long as the session. */
const STANDING = 1_000;
const MSIZE = 65_536;
const COUNT = MSIZE - 24;
const LOCK = { RDLCK: 0, WRLCK: 1, UNLCK: 2 } as const;

type Step = (workload: NinepWorkload) => void;

export class NinepWorkload {
  readonly random: Random;
  /** By request and errno. */
  readonly errors = new Map<string, number>();
  requests = 0;
  readonly #client: BlockingNinepClient;
  readonly #onReply: (microseconds: number) => void;
  readonly #standing: number[];
  /** A number is free again when the step that had it has ended. */
  readonly #free = Array.from({ length: 4 }, (_, number) => STANDING + 1 + number);

  /** @param onReply is told how long each took, in microseconds */
  constructor(client: BlockingNinepClient, random: Random, onReply: (microseconds: number) => void) {
    this.#client = client;
    this.#onReply = onReply;
    this.random = random;
    client.attach(ROOT);
    this.#standing = Array.from({ length: STANDING }, (_, number) => number + 1);
    for (const newfid of this.#standing) this.walk(random.pick(files), newfid);
  }

  step(): void {
    let at = this.random.below(total);
    const [, step] = steps.find(([weight]) => (at -= weight) < 0)!;
    step(this);
  }

  ask<Name extends RequestName>(name: Name, fields: SentFields<Name>): NinepReply<ReplyTo<Name>> {
    const began = performance.now();
    const reply = this.#client.request(name, fields);
    this.#onReply((performance.now() - began) * 1_000);
    this.requests++;
    if (reply.errno !== 0) {
      const error = `${name} ${errnoName(reply.errno)}`;
      this.errors.set(error, (this.errors.get(error) ?? 0) + 1);
    }
    return reply;
  }

  walk(path: string, newfid: number): boolean {
    const names = path.split('/').filter((name) => name !== '');
    const { errno, fields } = this.ask('Twalk', { fid: ROOT, newfid, names });
    return errno === 0 && fields.qids.length === names.length;
  }

  /** Walks to what is at `path`, works with it, and lets it go. */
  at(path: string, work: (fid: number) => void): void {
    const fid = this.#free.pop()!;
    if (this.walk(path, fid)) {
      work(fid);
      this.ask('Tclunk', { fid });
    }
    this.#free.push(fid);
  }

  opened(path: string, flags: number, work: (fid: number) => void): void {
    this.at(path, (fid) => {
      if (this.ask('Tlopen', { fid, flags }).errno === 0) work(fid);
    });
  }

  standing(): number {
    return this.random.pick(this.#standing);
  }

  /** A fid for a request that makes one of it, and which ends it. */
  taken(work: (fid: number) => void): void {
    const fid = this.#free.pop()!;
    work(fid);
    this.#free.push(fid);
  }

  file(): string {
    return this.random.pick(files);
  }

  directory(): string {
    return this.random.pick(directories);
  }
}

const name = 'new';
const gid = 1000;
const lock = { flags: 0, start: 10, length: 100, proc_id: 7, client_id: 'guest' };
const unchanged = {
  ...{ valid: 0, mode: 0, uid: 0, gid: 0, size: 0 },
  ...{ atime: { seconds: 0n, nanoseconds: 0n }, mtime: { seconds: 0n, nanoseconds: 0n } },
};

/** Something that is made in a directory, and removed. */
const made =
  (make: (workload: NinepWorkload, dfid: number) => void, flags = 0): Step =>
  (w) => {
    w.at(w.directory(), (dfid) => {
      make(w, dfid);
      w.ask('Tunlinkat', { dirfd: dfid, name, flags });
    });
  };

const steps: readonly (readonly [weight: number, step: Step])[] = [
  [40, (w) => w.ask('Tgetattr', { fid: w.standing(), mask: BASIC })],
  [
    30,
    (w) => {
      w.at(w.file(), (fid) => w.ask('Tgetattr', { fid, mask: BASIC }));
    },
  ],
  [
    8,
    (w) => {
      w.at(`${w.file()}-missing`, () => undefined);
    },
  ],
  [
    15,
    (w) => {
      w.opened(w.file(), open.RDONLY, (fid) =>
        w.ask('Tread', { fid, offset: 0, count: w.random.below(COUNT) }),
      );
    },
  ],
  [
    10,
    (w) => {
      w.opened(w.file(), open.RDWR, (fid) => {
        w.ask('Twrite', {
          fid,
          offset: w.random.below(20_000),
          data: Buffer.alloc(w.random.below(5_000), 7),
        });
        if (w.random.chance(0.05)) w.ask('Tfsync', { fid, datasync: 1 });
      });
    },
  ],
  [
    5,
    (w) => {
      w.opened(w.directory(), open.DIRECTORY, (fid) => {
        w.ask('Treaddir', { fid, offset: 0, count: 8_192 });
      });
    },
  ],
  [3, (w) => w.ask('Tstatfs', { fid: w.standing() })],
  [
    4,
    (w) => {
      w.at(link, (fid) => w.ask('Treadlink', { fid }));
    },
  ],
  [
    5,
    (w) => {
      const changes = {
        ...unchanged,
        size: w.random.below(10_000),
        mode: w.random.pick([0o600, 0o644]),
        uid: w.random.pick([0, 1000]),
      };
      w.ask('Tsetattr', {
        ...changes,
        fid: w.standing(),
        valid: w.random.pick([valid.SIZE, valid.MODE, valid.UID, valid.MTIME]),
      });
    },
  ],
  [
    4,
    (w) => {
      w.taken((newfid) => {
        if (w.ask('Txattrwalk', { fid: w.standing(), newfid, name: w.random.pick([xattr, '']) }).errno !== 0)
          return;
        w.ask('Tread', { fid: newfid, offset: 0, count: 1_000 });
        w.ask('Tclunk', { fid: newfid });
      });
    },
  ],
  [
    3,
    (w) => {
      const path = w.file();
      // set, and removed
      for (const size of [1 + w.random.below(200), 0])
        w.at(path, (fid) => {
          w.ask('Txattrcreate', { fid, name: 'user.new', size, flags: 0 });
          if (size > 0) w.ask('Twrite', { fid, offset: 0, data: Buffer.alloc(size, 65) });
        });
    },
  ],
  [
    4,
    (w) => {
      w.opened(w.file(), open.RDWR, (fid) => {
        w.ask('Tlock', { ...lock, fid, type: w.random.pick([LOCK.RDLCK, LOCK.WRLCK]) });
        w.ask('Tgetlock', { ...lock, fid, type: LOCK.WRLCK });
        if (w.random.chance(0.5)) w.ask('Tlock', { ...lock, fid, type: LOCK.UNLCK });
      });
    },
  ],
  [
    4,
    made((w, dfid) => {
      w.taken((fid) => {
        w.ask('Twalk', { fid: dfid, newfid: fid, names: [] });
        w.ask('Tlcreate', { fid, name, flags: open.RDWR | open.CREATE | open.EXCL, mode: 0o644, gid });
        w.ask('Twrite', { fid, offset: 0, data: Buffer.from('content') });
        w.ask('Tclunk', { fid });
      });
    }),
  ],
  [
    2,
    // removed while it is open
    (w) => {
      w.at(w.directory(), (dfid) => {
        w.taken((fid) => {
          w.ask('Twalk', { fid: dfid, newfid: fid, names: [] });
          w.ask('Tlcreate', { fid, name, flags: open.RDWR | open.CREATE | open.EXCL, mode: 0o644, gid });
          w.ask('Tunlinkat', { dirfd: dfid, name, flags: 0 });
          w.ask('Twrite', { fid, offset: 0, data: Buffer.from('content') });
          w.ask('Tgetattr', { fid, mask: BASIC });
          w.ask('Tclunk', { fid });
        });
      });
    },
  ],
  [2, made((w, dfid) => w.ask('Tmkdir', { dfid, name, mode: 0o755, gid }), REMOVEDIR)],
  [2, made((w, dfid) => w.ask('Tsymlink', { dfid, name, target: 'somewhere', gid }))],
  [2, made((w, dfid) => w.ask('Tmknod', { dfid, name, mode: S_IFIFO | 0o600, major: 0, minor: 0, gid }))],
  [2, made((w, dfid) => w.ask('Tlink', { dfid, fid: w.standing(), name }))],
  [
    2,
    (w) => {
      const [, directory = '', file = ''] = w.file().split('/');
      w.at(directory, (dfid) => {
        w.ask('Trenameat', { olddirfid: dfid, oldname: file, newdirfid: dfid, newname: name });
        w.ask('Trenameat', { olddirfid: dfid, oldname: name, newdirfid: dfid, newname: file });
      });
    },
  ],
  [
    1,
    // Tremove ends the fid itself
    (w) => {
      w.at(w.directory(), (dfid) => {
        w.ask('Tmkdir', { dfid, name, mode: 0o755, gid });
        w.taken((newfid) => {
          w.ask('Twalk', { fid: dfid, newfid, names: [name] });
          w.ask('Tremove', { fid: newfid });
        });
      });
    },
  ],
  [
    1,
    (w) => {
      w.taken((fid) => {
        w.ask('Tattach', { fid, afid: 0xffff_ffff, uname: '', aname: w.directory(), n_uname: 1000 });
        w.ask('Tclunk', { fid });
      });
    },
  ],
  [2, (w) => w.ask('Tflush', { oldtag: w.random.below(0xffff) })],
  [1, (w) => w.ask('Tgetattr', { fid: 0xffff, mask: BASIC })],
  [1, (w) => w.ask('Tauth', { afid: 0xffff, uname: '', aname: '', n_uname: 0 })],
];
const total = steps.reduce((sum, [weight]) => sum + weight, 0);
