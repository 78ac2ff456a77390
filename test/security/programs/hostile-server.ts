/**
 * Loaded into every program of `share` before its own code, where it stands for a guest that has taken over the 9P server:
 * in that process, with what is left of its rights and under its filter. SIGUSR2 has it try what it can towards the helper
 * and the host, and tell on stderr; then it floods the helper and stops doing its work. At SIGWINCH it sends the helper what
 * is no request, and hangs. It does not listen to SIGTERM.
 */
import { openSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import koffi from 'koffi';
import { errnoName, MSG_DONTWAIT, SystemError } from '../../../harness/libc.js';
import { requests } from '../../../harness/requests.js';
import { WireClient } from '../../../harness/wire-client.js';
import { sendDescriptors } from '../../../harness/kernel.js';

export interface Attack {
  /** What came of each request with a path. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** What came of all requests about the descriptors that it has. */
  readonly strangers: readonly string[];
  /** What came of looking for a way of its own. */
  readonly own: readonly string[];
  /** How many requests and descriptors the helper's socket took. */
  readonly flood: { readonly requests: number; readonly descriptors: number };
}

/** As `ServerHandover` has them. */
interface Descriptors {
  readonly helper: number;
  readonly report: number;
}

const F_SETFL = 4;
const STDERR = 2;
const MAX_DESCRIPTORS = 64;
const IN_ONE_MESSAGE = 8;
/** Leaves room in the socket for messages with descriptors. */
const MAX_REQUESTS = 200;
const LONG_MS = 600_000;
const O_RDWR = 2;
const WAYS = [
  '/../../etc/passwd',
  '/etc/passwd',
  '/way',
  '/../way',
  '/proc/self/environ',
  '/directory-way/passwd',
];

/** The name of the error, or `ok`. */
function outcome(what: () => unknown): string {
  try {
    what();
    return 'ok';
  } catch (error) {
    if (error instanceof SystemError) return errnoName(error.errno);
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function hang(): never {
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONG_MS);
}

const fcntl = koffi.load('libc.so.6').func('int fcntl(int, int, int)') as (
  descriptor: number,
  command: number,
  flags: number,
) => number;

/** Somebody may have made stderr O_NONBLOCK, and have to read first. */
function tell(line: string): void {
  while (outcome(() => writeSync(STDERR, `\n${line}\n`)) === 'EAGAIN');
}

function attack({ helper, report }: Descriptors): void {
  // every call waits
  fcntl(helper, F_SETFL, 0);
  const client = new WireClient(helper);
  const name = (request: Buffer): string => errnoName(client.request(request).errno);
  const paths = Object.fromEntries(
    WAYS.map((way) => [
      way,
      [name(requests.open(way, 0)), name(requests.truncate(way, 0)), name(requests.chmod(way, 0o777))],
    ]),
  );
  const strangers = new Set<string>();
  for (let descriptor = 0; descriptor < MAX_DESCRIPTORS; descriptor++) {
    for (const request of [
      requests.lstat(''),
      requests.open('', O_RDWR),
      requests.chmod('', 0o777),
      requests.truncate('', 0),
    ]) {
      // not one that is not open
      if (
        outcome(() => {
          sendDescriptors(helper, request, [descriptor]);
        }) !== 'ok'
      )
        continue;
      strangers.add(errnoName(client.receive(request.readUInt32LE(0)).errno));
    }
  }
  const own = ['/', '/etc/passwd', '/dev/null', '/proc/self/mem', '/proc/self/fd/0'].map((path) =>
    outcome(() => openSync(path, 'r')),
  );
  own.push(outcome(() => connect('/run/systemd/notify').on('error', () => undefined)));
  // what was told on it is what counts
  outcome(() => writeSync(report, 'ready\n'));
  for (let line = 0; line < 1000; line++) outcome(() => writeSync(STDERR, `${'x'.repeat(100)}\n`));
  const flood = { requests: 0, descriptors: 0 };
  while (flood.requests < MAX_REQUESTS && client.trySend(requests.open('/file', O_RDWR))) flood.requests++;
  const many = Array<number>(IN_ONE_MESSAGE).fill(STDERR);
  while (
    flood.descriptors < 100_000 &&
    outcome(() => {
      sendDescriptors(helper, Buffer.of(0), many, MSG_DONTWAIT);
    }) === 'ok'
  )
    flood.descriptors += many.length;
  const result: Attack = { paths, strangers: [...strangers], own, flood };
  tell(`attacked ${JSON.stringify(result)}`);
  hang();
}

if (process.argv[1]?.endsWith('/p9-server.js') === true) {
  const handover = JSON.parse(process.argv[2] ?? '{}') as Descriptors;
  process.on('SIGUSR2', () => {
    attack(handover);
  });
  process.on('SIGWINCH', () => {
    new WireClient(handover.helper).send(Buffer.alloc(65_536, 0xff));
    tell('attacked {}');
    hang();
  });
}
