/** A session of the server in this process, with a real helper behind it, whose trips can be counted. */
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createLogger, LogLines } from '../../src/observability/log.js';
import { Refusals } from '../../src/observability/refusals.js';
import { StandardError } from '../../src/observability/standard-error.js';
import { HelperClient } from '../../src/server/helper-client/helper-client.js';
import { MessageStatistics } from '../../src/server/session/message-statistics.js';
import { type Limits, Session, type SessionOptions } from '../../src/server/session/session.js';
import { overStream } from '../../src/server/session/stream-channel.js';
import { SocketStream, type StreamFactory } from '../../src/server/transports/stream.js';
import { socketPair } from '../../src/syscalls/sockets.js';
import { helperForTest } from '../../harness/helper-process.js';
import { NinepClient } from '../../harness/ninep-client.js';
import { exportForTest } from '../../harness/tree.js';

function pair(): readonly [number, number] {
  const ends = socketPair();
  if (typeof ends === 'number') throw new Error(`no socket pair: ${ends}`);
  return ends;
}

export interface InProcess {
  readonly client: NinepClient;
  readonly helper: HelperClient;
  /** Settles when the session has ended: with the reason, if the client did not just leave. */
  readonly ended: Promise<string | undefined>;
}

const LIMITS: Limits = { messageBytes: 524_288, fids: 65_536, openFiles: 1024, requests: 128 };

/** A helper for one test, and our end of the connection to it. */
export function helperInProcess(exportPath: string): HelperClient {
  const [ours, helpers] = pair();
  helperForTest(['-n', '-p', exportPath, '-f', '3', '--descriptor-requests'], { inherit: [helpers] });
  const helper = new HelperClient(ours);
  onTestFinished(() => {
    helper.close();
  });
  return helper;
}

/** What a session is given. @param ended is told how it ended */
export function sessionOptions(
  ended: SessionOptions['ended'],
  limits: Partial<Limits> = {},
  coherent = false,
): SessionOptions {
  const log = createLogger('fatal', 'text', new LogLines(new StandardError(false), 'text'));
  return {
    limits: { ...LIMITS, ...limits },
    settings: {
      versions: coherent ? 'coherent' : 'change',
      entryTypes: 'kernel',
      hiddenNames: new Set(),
      maxAttributeBytes: 1_048_576,
    },
    log,
    refusals: new Refusals(log),
    statistics: new MessageStatistics(),
    ended,
  };
}

/** A client that has agreed on 9P2000.L and attached fid 0 as root. */
export async function sessionInProcess(
  exportPath: string,
  limits: Partial<Limits> = {},
  coherent = false,
): Promise<InProcess> {
  const helper = helperInProcess(exportPath);
  const [served, clients] = pair();
  let tell: (reason: string | undefined) => void = () => undefined;
  const ended = new Promise<string | undefined>((resolve) => {
    tell = resolve;
  });
  const connect: StreamFactory = (events) => new SocketStream(served, events);
  const session = new Session(overStream(connect), helper, sessionOptions(tell, limits, coherent));
  onTestFinished(() => {
    session.end();
  });
  const client = new NinepClient(new net.Socket({ fd: clients }));
  await client.version('9P2000.L', 524_288);
  await client.attach(0);
  return { client, helper, ended };
}

/** Another guest, which has a file open that only it may read. @returns what fails when it cannot read it any more */
export async function undisturbedNeighbour(): Promise<() => Promise<void>> {
  const path = exportForTest();
  writeFileSync(join(path, 'file'), 'the neighbour');
  const { client } = await sessionInProcess(path);
  await client.request('Twalk', { fid: 0, newfid: 1, names: ['file'] });
  await client.request('Tlopen', { fid: 1, flags: 0 });
  return async () => {
    const { data } = await client.request('Tread', { fid: 1, offset: 0n, count: 100 });
    expect(data.toString()).toBe('the neighbour');
  };
}
