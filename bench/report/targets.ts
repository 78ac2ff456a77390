import { lookingSteps } from '../client/cycles.js';
import type { ContestantResult, CoreUse, RawResult } from '../raw.js';
import type { NinepResult } from '../ninep/ninep.js';
import type { StallResult } from '../ninep/stall.js';
import type { Results } from '../results.js';
import { dataRatios, type Limits, metadataRatios, type Ratio } from './guest-ratios.js';

/** One thing that was promised. */
export interface Target {
  readonly target: string;
  readonly measured: string;
  /** Undefined when it was not measured. */
  readonly met: boolean | undefined;
  /** What is above it. */
  readonly missed?: readonly Ratio[];
}

export function targets(results: Results): readonly Target[] {
  return [
    ...guestTargets(results),
    ...ninepTargets(results.ninep),
    ...stallTargets(results.stall),
    ...rawTargets(results.raw),
    ...startupTargets(results),
    ...scaleTargets(results),
    ...leanTargets(results),
  ];
}

function worst(ratios: readonly Ratio[], limit: number): Omit<Target, 'target'> {
  const sorted = ratios.toSorted((a, b) => b.ratio - a.ratio);
  const [highest] = sorted;
  if (highest === undefined) return { measured: 'not measured', met: undefined };
  const above = sorted.filter(({ ratio }) => ratio > limit);
  const met = above.length === 0;
  const names = above.slice(0, 4).map(({ name, ratio }) => `${name} ${ratio.toFixed(2)}`);
  const more = above.length > 4 ? ` and ${above.length - 4} more` : '';
  return {
    measured: met
      ? `${highest.ratio.toFixed(2)} at most (${highest.name})`
      : `above it ${above.length} of ${ratios.length}: ${names.join(', ')}${more}`,
    met,
    missed: above,
  };
}

function rawTargets(raw: RawResult | undefined): Target[] {
  const free = p50Ratios(raw, 'free', 'ours');
  const apart = p50Ratios(raw, 'apart', 'ours');
  const shared = p50Ratios(raw, 'shared', 'ours');
  const off = [...p50Ratios(raw, 'free', 'ours-off'), ...onOneCore(p50Ratios(raw, 'shared', 'ours-off'))];
  const offCpu = [...cpuRatios(raw, 'free', 'ours-off'), ...onOneCore(cpuRatios(raw, 'shared', 'ours-off'))];
  return [
    {
      target: 'a core free: p50 of every read-only operation ≤ 0.5 × the C helper',
      ...worst(
        free.filter(({ name }) => lookingSteps.has(name)),
        0.5,
      ),
    },
    {
      target: 'a core free: p50 of every changing operation ≤ 0.7 ×',
      ...worst(
        free.filter(({ name }) => !lookingSteps.has(name)),
        0.7,
      ),
    },
    {
      target: 'the same with each on a core of its own: read-only ≤ 0.5 ×',
      ...worst(
        apart.filter(({ name }) => lookingSteps.has(name)),
        0.5,
      ),
    },
    {
      target: 'each on a core of its own: changing ≤ 0.7 ×',
      ...worst(
        apart.filter(({ name }) => !lookingSteps.has(name)),
        0.7,
      ),
    },
    { target: 'no core free: p50 of every operation ≤ 1.1 ×', ...worst(shared, 1.1) },
    { target: 'polling off: p50 of every operation ≤ 1.1 ×', ...worst(off, 1.1) },
    { target: 'polling off: CPU of the helper per request ≤ 1.3 ×', ...worst(offCpu, 1.3) },
  ];
}

function onOneCore(ratios: readonly Ratio[]): Ratio[] {
  return ratios.map(({ name, ...ratio }) => ({ name: `${name} (one core)`, ...ratio }));
}

function find(raw: RawResult | undefined, cores: CoreUse, key: string): ContestantResult | undefined {
  return raw?.[cores].find((contestant) => contestant.key === key);
}

function p50Ratios(raw: RawResult | undefined, cores: CoreUse, key: string): Ratio[] {
  // on one core nobody polls for long
  const polls = key === 'ours' && cores !== 'shared';
  const loop = find(raw, cores, polls ? 'loop-polling' : 'loop');
  const node = find(raw, cores, polls ? 'node-polling' : 'node');
  const ours = find(raw, cores, key);
  return Object.entries(ours?.latency ?? {}).map(([name, { relative }]) => ({
    name,
    ratio: relative,
    limits: { node: node?.latency[name]?.relative, loop: loop?.latency[name]?.relative },
  }));
}

function cpuRatios(raw: RawResult | undefined, cores: CoreUse, key: string): Ratio[] {
  const of = (contestant: string, name: string): number | undefined =>
    find(raw, cores, contestant)?.relativeCpu[name];
  return Object.entries(find(raw, cores, key)?.relativeCpu ?? {}).map(([name, ratio]) => ({
    name,
    ratio,
    limits: { node: of('node', name), loop: of('loop', name) },
  }));
}

function guestTargets({ guest, proxyGuest }: Results): Target[] {
  return [
    {
      target: "guest's metadata work ≤ 0.8 × `local` of the same QEMU",
      ...worst(metadataRatios(guest, 'ours', 'local'), 0.8),
    },
    {
      target: "guest's metadata work ≤ 0.8 × virtiofsd `--cache never`",
      ...worst(metadataRatios(guest, 'ours', 'virtiofs'), 0.8),
    },
    {
      target: 'as people mount: metadata work with `cache=loose` ≤ 1 × virtiofsd `--cache auto`',
      ...worst(metadataRatios(guest, 'ours-cached', 'virtiofs-cached'), 1),
    },
    {
      target: 'writing and reading with dd, and random reads of 4 KiB: time ≤ 1 × `local`',
      ...worst(dataRatios(guest, 'ours', 'local'), 1),
    },
    {
      target: 'as people mount: the same with `cache=loose` ≤ 1 × `local`',
      ...worst(dataRatios(guest, 'ours-cached', 'local-cached'), 1),
    },
    {
      target: "proxy driver: guest's metadata work ≤ 0.8 × the C helper",
      ...worst(metadataRatios(proxyGuest, 'ours', 'reference'), 0.8),
    },
    {
      target: "proxy driver: guest's metadata work ≤ 1.1 × QEMU's `local`",
      ...worst(metadataRatios(proxyGuest, 'ours', 'local'), 1.1),
    },
  ];
}

/** Of diod's time on two cores. */
const ofDiod = { getattr: 1, 'walk, clunk': 1, 'read 60 KiB': 0.7 } as const;

function ninepTargets(ninep: NinepResult | undefined): Target[] {
  const of = (key: string, name: string): number | undefined =>
    ninep?.two.find((server) => server.key === key)?.actions[name]?.relative;
  const times = Object.entries(ofDiod).map(([name, limit]) =>
    limited(`9P server: ${name} ≤ ${limit} × diod`, of('ours', name), limit, ' ×', {
      loop: of('pair', name),
    }),
  );
  return [
    ...times,
    limited('9P server: each further pair ≤ 30 MB PSS', ninep?.footprint.eachMore, 30, ' MB'),
    limited('9P server: idle pairs are not woken', ninep?.footprint.wakeUps, 0, ' times'),
  ];
}

function stallTargets(stall: StallResult | undefined): Target[] {
  return [
    limited(
      '9P server: p99 of Tgetattr over a unix socket while a read stalls ≤ 2 ×',
      stall?.unix.ratio,
      2,
      ' ×',
    ),
    limited('9P server: the same over vhost-user ≤ 2 ×', stall?.vhostUser.ratio, 2, ' ×'),
  ];
}

function limited(
  target: string,
  value: number | undefined,
  limit: number,
  unit: string,
  limits?: Limits,
): Target {
  if (value === undefined) return { target, measured: 'not measured', met: undefined };
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  const met = value <= limit;
  const missed = met ? [] : [{ name: target, ratio: value, ...(limits && { limits }) }];
  return { target, measured: `${value.toFixed(digits)}${unit}`, met, missed };
}

function startupTargets({ startup }: Results): Target[] {
  const bare = startup?.times.bareNode ?? NaN;
  const ready = startup && startup.times.ours.daemonReady / bare;
  const answered = startup && startup.times.ours.firstAnswer / bare;
  const least = startup && { node: startup.times.limit / bare };
  return [
    limited('ready (the daemon command returns) ≤ 2.2 × bare `node -e 0`', ready, 2.2, ' ×', least),
    limited('first request answered ≤ 2.2 × bare `node -e 0`', answered, 2.2, ' ×', least),
    limited('each additional idle helper ≤ 12 MB PSS', startup?.memory.ours.eachMore, 12, ' MB'),
  ];
}

function scaleTargets({ scale }: Results): Target[] {
  const busy = scale?.many.find(({ ours }) => ours.helpers === 32);
  const share = busy && busy.ours.requestsPerSecond / busy.reference.requestsPerSecond;
  const busyLimits = busy && {
    node: busy.node.requestsPerSecond / busy.reference.requestsPerSecond,
    loop: busy.loop && busy.loop.requestsPerSecond / busy.reference.requestsPerSecond,
  };
  const idle = scale?.idle;
  const name = 'an idle helper uses no CPU and has no periodic wake-up';
  return [
    {
      target: '32 busy helpers together not slower than 32 C helpers',
      missed:
        busyLimits === undefined || share === undefined || share >= 1
          ? []
          : [{ name: '32 busy helpers', ratio: share, limits: busyLimits }],
      measured: share === undefined ? 'not measured' : `${share.toFixed(2)} × their requests per second`,
      met: share === undefined ? undefined : share >= 1,
    },
    idle === undefined
      ? { target: name, measured: 'not measured', met: undefined }
      : {
          target: name,
          measured: `${idle.helpers} of them in ${idle.seconds} s: ${idle.cpu.toFixed(2)} ms, ${idle.wakeUps} wake-ups`,
          met: idle.cpu < 1 && idle.wakeUps === 0,
        },
    limited('a signal under constant load is served within 10 ms', scale?.signal.longest, 10, ' ms at most'),
  ];
}

function leanTargets({ systemCalls, allocations }: Results): Target[] {
  const ratios = Object.entries(systemCalls?.ours ?? {}).map(([name, { count }]) => ({
    name,
    ratio: count / (systemCalls?.reference[name]?.count ?? NaN),
  }));
  const bytes = allocations?.byCycle[0]?.bytesPerRequest;
  return [
    { target: 'system calls of every operation ≤ the C helper', ...worst(ratios, 1) },
    // one collection over the whole run already shows as about 1 byte
    limited('no allocation per request in the steady state (mix): ≤ 1 byte', bytes, 1, ' bytes'),
  ];
}
