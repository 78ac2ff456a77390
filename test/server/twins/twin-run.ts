/** One stream of random requests to two servers on two trees of the same beginning. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { timeView } from '../../differential/comparison.js';
import { Random } from '../../../harness/random.js';
import { TreeModel } from '../../differential/tree-model.js';
import { BlockingNinepClient } from '../../../harness/blocking-ninep-client.js';
import { compareSnapshots, snapshot } from '../../../harness/tree.js';
import type { RunningOnSocket } from '../running-servers.js';
import * as files from './file-steps.js';
import * as names from './name-steps.js';
import * as objects from './object-steps.js';
import { Side } from './side.js';
import { Source, type Step, type StepMaker, UNKNOWN_FID } from './source.js';
import * as attributes from './xattr-steps.js';

/** Something in which the reference deliberately differs, which changes nothing of what follows. */
export interface Difference {
  readonly reason: string;
  readonly name: string | RegExp;
  readonly about: string | RegExp;
  readonly ours: string | RegExp;
  readonly theirs: string | RegExp;
}

export interface Tally {
  sent: number;
  succeeded: number;
}

const weighted: readonly (readonly [weight: number, make: StepMaker])[] = [
  [25, objects.walk],
  [10, objects.lopen],
  [10, objects.lcreate],
  [6, objects.mkdir],
  [5, objects.symlink],
  [4, objects.mknod],
  [6, objects.link],
  [4, names.remove],
  [4, names.unlink],
  [4, names.rename],
  [4, names.renameAt],
  [12, files.getattr],
  [2, files.unknownFid],
  [8, files.setattr],
  [3, files.readlink],
  [1, files.statfs],
  [8, files.read],
  [8, files.write],
  [1, files.fsync],
  [5, files.readdir],
  [4, files.lock],
  [4, attributes.getxattr],
  [4, attributes.setxattr],
];
const total = weighted.reduce((sum, [weight]) => sum + weight, 0);

const isError = (answer: string): boolean => /^E[A-Z0-9]+$/.test(answer);
const matches = (pattern: string | RegExp, text: string): boolean =>
  typeof pattern === 'string' ? pattern === text : pattern.test(text);

export class TwinRun {
  readonly tallies = new Map<string, Tally>();
  readonly seen = new Map<Difference, number>();
  treesCompared = 0;
  largestTree = 0;
  readonly #random: Random;
  readonly #servers: readonly [RunningOnSocket, RunningOnSocket];
  readonly #clients: readonly BlockingNinepClient[];
  readonly #differences: readonly Difference[];
  readonly #replay: string;
  readonly #time = timeView();
  #index = 0;
  #rounds = 0;

  constructor(
    servers: readonly [RunningOnSocket, RunningOnSocket],
    { seed, differences, replay }: { seed: number; differences: readonly Difference[]; replay: string },
  ) {
    this.#random = new Random(seed);
    this.#servers = servers;
    this.#differences = differences;
    this.#replay = replay;
    this.#clients = servers.map(({ socket, aname }) => {
      const client = BlockingNinepClient.connect(socket);
      client.attach(0, 0, aname);
      return client;
    });
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** So many requests in directories of their own. @throws at the first answer or tree that differs without a reason */
  round(count: number): void {
    const name = `round-${++this.#rounds}`;
    const sideOf = (index: 0 | 1): Side => {
      const server = this.#servers[index];
      const client = this.#clients[index]!;
      const root = join(server.export, name);
      mkdirSync(root);
      client.request('Twalk', { fid: 0, newfid: 1, names: [name] });
      const label = index === 0 ? 'ours' : 'diod';
      return new Side(label, client, { root, hasNames: index === 0, time: this.#time });
    };
    const sides = [sideOf(0), sideOf(1)] as const;
    const source = new Source(this.#random, new TreeModel(), sides);
    for (const end = this.#index + count; this.#index < end;) this.#step(source, sides);
    source.dropAll();
    for (const side of sides) side.ask('Tclunk', { fid: 1 });
    this.#compareTrees(sides);
    for (const { root } of sides) rmSync(root, { recursive: true });
  }

  #draw(source: Source): Step {
    for (;;) {
      let at = this.#random.below(total);
      const [, make] = weighted.find(([weight]) => (at -= weight) < 0)!;
      const step = make(source);
      if (step !== undefined) return step;
    }
  }

  #step(source: Source, sides: readonly Side[]): void {
    source.makeRoom();
    const step = this.#draw(source);
    this.#index++;
    const [ours = '', theirs = ''] = sides.map((side) => this.#run(step, side));
    const tally = this.#tally(step);
    tally.sent++;
    if (ours !== theirs) {
      this.#explain(step, sides, [ours, theirs]);
      // who knows what they are now
      for (const fid of step.fids) source.drop(fid);
    } else if (!isError(ours)) {
      tally.succeeded++;
      step.succeeded?.();
    } else {
      step.failed?.();
    }
  }

  /** Those that are to fail in any case are counted apart. */
  #tally({ name, about }: Step): Tally {
    const key = about === UNKNOWN_FID ? about : name;
    const tally = this.tallies.get(key) ?? { sent: 0, succeeded: 0 };
    this.tallies.set(key, tally);
    return tally;
  }

  #run(step: Step, side: Side): string {
    side.asked = [];
    try {
      return step.run(side);
    } catch (error) {
      throw new Error(this.#describe(step, [side]), { cause: error });
    }
  }

  #describe({ name, about }: Step, sides: readonly Side[]): string {
    const asked = sides.map(({ label, asked }) => `  ${label}: ${asked.join('\n    ')}`);
    return `${this.#replay}\nrequest ${this.#index}, ${name} (${about}):\n${asked.join('\n')}`;
  }

  #explain(step: Step, sides: readonly Side[], [ours, theirs]: readonly [string, string]): void {
    const { name, about } = step;
    const known = this.#differences.find(
      (each) =>
        matches(each.name, name) &&
        matches(each.about, about) &&
        matches(each.ours, ours) &&
        matches(each.theirs, theirs),
    );
    if (known === undefined)
      throw new Error(`${this.#describe(step, sides)}\n  ours: ${ours}\n  diod: ${theirs}`);
    this.seen.set(known, (this.seen.get(known) ?? 0) + 1);
  }

  #compareTrees(sides: readonly Side[]): void {
    const [ours, theirs] = sides.map(({ root }) => snapshot(root, this.#time));
    const differences = compareSnapshots(ours!, theirs!);
    this.treesCompared++;
    this.largestTree = Math.max(this.largestTree, ours!.size);
    if (differences.length > 0)
      throw new Error(
        `${this.#replay}\nafter request ${this.#index} the trees differ:\n${differences.join('\n')}`,
      );
  }
}
