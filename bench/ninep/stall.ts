import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StallingDisk, whyNoStallingDisk } from '../../harness/stalling-disk.js';
import { ended, Export, ours } from '../contestants.js';
import { Clock } from '../libc.js';
import { progress } from '../progress.js';
import { median, percentile } from '../statistics.js';
import { type Exchange, frame, NinepClient } from './client.js';
import { connectedTo } from './servers.js';
import { VhostClient } from './vhost-client.js';

/** Times of Tgetattr in nanoseconds: medians of the starts'. */
interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** Over one transport. */
export interface StallTimes {
  readonly calm: Times;
  /** While a read of the same guest waits for a disk. */
  readonly stalled: Times;
  /** The median of the starts' ratios of p99. */
  readonly ratio: number;
}

export interface StallResult {
  readonly starts: number;
  readonly requests: number;
  readonly unix: StallTimes;
  readonly vhostUser: StallTimes;
}

const transports = {
  unix: {
    listen: (socket: string) => `unix:${socket}`,
    connect: (descriptor: number): Exchange => new NinepClient(descriptor, ''),
  },
  vhostUser: {
    listen: (socket: string) => `vhost-user:${socket}`,
    connect: (descriptor: number): Exchange => VhostClient.plug(descriptor),
  },
} as const;
type Transport = keyof typeof transports;

const clock = Clock.monotonic();
const WARM_UP = 20_000;
/** Turns of each kind within one start, and requests within a turn. */
const TURNS = 20;
const REQUESTS = 500;
const [FILE, SLOW] = [1, 2];
const getattr = frame('Tgetattr', { fid: FILE, mask: 0x7ffn });
const slowRead = frame('Tread', { fid: SLOW, offset: 0n, count: 4096 }, 2);

/** Tgetattr of one guest, while a read of it waits for a disk and while none does, in turns. */
export async function measureStall(quick: boolean): Promise<StallResult | undefined> {
  const missing = whyNoStallingDisk();
  if (missing !== undefined) {
    progress(`reads that stall: ${missing}`);
    return undefined;
  }
  const starts = quick ? 1 : 10;
  const turns = quick ? 2 : TURNS;
  const both: Record<Transport, (readonly [calm: Times, stalled: Times])[]> = { unix: [], vhostUser: [] };
  for (let start = 0; start < starts; start++) {
    progress(`reads that stall: start ${start + 1} of ${starts}`);
    for (const transport of ['unix', 'vhostUser'] as const)
      both[transport].push(await measureStart(transport, turns));
  }
  return {
    starts,
    requests: turns * REQUESTS,
    unix: together(both.unix),
    vhostUser: together(both.vhostUser),
  };
}

async function measureStart(transport: Transport, turns: number): Promise<readonly [Times, Times]> {
  const { listen, connect } = transports[transport];
  const exported = new Export();
  const directory = path.join(exported.path, 'disk');
  fs.mkdirSync(directory);
  const disk = await StallingDisk.mount(directory);
  const socket = path.join(os.tmpdir(), `virtfs-bench-${process.pid}-stall.sock`);
  const words = ['share', '--path', exported.path, '--listen', listen(socket), '--tag', 'share'];
  if (transport === 'unix') words.splice(-2);
  const share = spawn(process.execPath, [ours, ...words, '--log-level', 'error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  try {
    const client = connect(await connectedTo(socket));
    client.exchange(frame('Twalk', { fid: 0, newfid: FILE, names: ['work', 'file'] }));
    client.exchange(frame('Twalk', { fid: 0, newfid: SLOW, names: ['disk', 'file'] }));
    client.exchange(frame('Tlopen', { fid: SLOW, flags: 0 }));
    ask(client, WARM_UP);
    const [calm, stalled]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < turns; turn++) {
      ask(client, REQUESTS, calm);
      client.send(slowRead);
      await disk.stalls();
      ask(client, REQUESTS, stalled);
      disk.release();
      client.receive(slowRead);
    }
    client.close();
    return [timesOf(calm), timesOf(stalled)];
  } finally {
    await disk.unmount();
    await ended(share);
    exported.remove();
  }
}

function ask(client: Exchange, requests: number, into?: number[]): void {
  for (let request = 0; request < requests; request++) {
    const before = clock.now();
    client.exchange(getattr);
    into?.push(clock.now() - before);
  }
}

const timesOf = (samples: readonly number[]): Times => ({
  p50: median(samples),
  p99: percentile(samples, 0.99),
});

function together(starts: readonly (readonly [calm: Times, stalled: Times])[]): StallTimes {
  const medians = (pick: (start: readonly [Times, Times]) => Times): Times => ({
    p50: median(starts.map((start) => pick(start).p50)),
    p99: median(starts.map((start) => pick(start).p99)),
  });
  return {
    calm: medians(([calm]) => calm),
    stalled: medians(([, stalled]) => stalled),
    ratio: median(starts.map(([calm, stalled]) => stalled.p99 / calm.p99)),
  };
}
