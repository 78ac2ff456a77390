/** One stream of random requests to two helpers on two trees of the same beginning. */
import { errnoName } from '../../harness/libc.js';
import { OURS, REFERENCE, type Session, startSession } from '../../harness/helper-process.js';
import { type RequestName, requestNames, requestTypes } from '../../harness/requests.js';
import { compareSnapshots, makeExport, removeTree, snapshot } from '../../harness/tree.js';
import { attributeSteps } from './attribute-steps.js';
import { descriptorView, replyView, timeView } from './comparison.js';
import { Names } from './names.js';
import { objectSteps } from './object-steps.js';
import { Random } from '../../harness/random.js';
import type { Source, Step, StepMaker } from './step.js';
import { TreeModel } from './tree-model.js';

export interface Tally {
  sent: number;
  succeeded: number;
  readonly errors: Map<string, number>;
}

interface Side {
  readonly label: string;
  readonly root: string;
  readonly session: Session;
}

const steps: readonly (readonly [weight: (source: Source) => number, make: StepMaker])[] = [
  ...objectSteps,
  ...attributeSteps,
];

function draw(source: Source): Step {
  let total = 0;
  for (const [weight] of steps) total += weight(source);
  let at = source.random.below(total);
  for (const [weight, make] of steps) {
    at -= weight(source);
    if (at < 0) return make(source);
  }
  throw new Error('weights do not add up');
}

export class TwinRun {
  readonly tallies = new Map<RequestName, Tally>(
    requestNames.map((name) => [name, { sent: 0, succeeded: 0, errors: new Map<string, number>() }]),
  );
  longestPath = 0;
  largestTree = 0;
  treesCompared = 0;
  readonly #ours: Side;
  readonly #theirs: Side;
  readonly #source: Source;
  readonly #time = timeView();
  readonly #replay: string;
  #index = 0;

  /** `replay` tells how to meet the same requests again; it heads every failure. */
  constructor(seed: number, replay: string, program: string = OURS) {
    this.#replay = replay;
    const random = new Random(seed);
    const tree = new TreeModel();
    this.#source = { random, tree, names: new Names(random, tree) };
    const side = (label: string, of: string): Side => {
      const root = makeExport();
      return { label, root, session: startSession(root, { program: of }) };
    };
    this.#ours = side('ours', program);
    this.#theirs = side('reference', REFERENCE);
  }

  /** Sends `count` requests; throws at the first answer or tree that differs. */
  run(count: number, compareTreesEvery: number): void {
    for (const end = this.#index + count; this.#index < end;) {
      this.#step();
      if (this.#index % compareTreesEvery === 0) this.compareTrees();
    }
  }

  compareTrees(): void {
    const [ours, theirs] = [this.#ours, this.#theirs].map(({ root }) =>
      snapshot(root, this.#time, this.#time),
    );
    const differences = compareSnapshots(ours!, theirs!);
    this.treesCompared++;
    this.largestTree = Math.max(this.largestTree, ours!.size);
    for (const name of ours!.keys()) this.longestPath = Math.max(this.longestPath, name.length);
    if (differences.length > 0) {
      throw new Error(
        `${this.#replay}\nafter request ${this.#index} the trees differ:\n${differences.join('\n')}`,
      );
    }
  }

  async end(): Promise<void> {
    for (const { session, root } of [this.#ours, this.#theirs]) {
      session.client.close();
      await session.helper.stop();
      removeTree(root);
    }
  }

  #step(): void {
    const { random } = this.#source;
    const step = draw(this.#source);
    this.#index++;
    const data = random.chance(0.3) ? random.bytes(1 + random.below(200)) : undefined;
    const errno = this.#exchange(step, data);
    const tally = this.tallies.get(step.name)!;
    tally.sent++;
    if (errno === 0) {
      tally.succeeded++;
      step.succeeded?.();
    } else {
      const error = errnoName(errno);
      tally.errors.set(error, (tally.errors.get(error) ?? 0) + 1);
    }
  }

  /** Gives the errno both answered with. */
  #exchange(step: Step, data: Buffer | undefined): number {
    const sides = [this.#ours, this.#theirs];
    let errno = 0;
    // Both work at the same time; the trees have nothing to do with each other.
    for (const { session } of sides) session.client.send(step.bytes);
    const [ours, theirs] = sides.map(({ session }) => {
      try {
        const reply = session.client.receive(requestTypes[step.name]);
        errno = reply.errno;
        return replyView(step.name, reply, this.#time) + descriptorView(reply, data, this.#time);
      } catch (error) {
        return `${String(error)}; its stderr: ${session.helper.stderr().slice(-2_000)}`;
      }
    });
    if (ours !== theirs)
      throw new Error(this.#describe(step, `  ours:      ${ours!}\n  reference: ${theirs!}`));
    return errno;
  }

  #describe(step: Step, what: string): string {
    const payload = step.bytes.subarray(8);
    return [
      this.#replay,
      `request ${this.#index}, ${step.name}:`,
      `  payload:   ${payload.toString('hex', 0, 600)}${payload.length > 600 ? '…' : ''}`,
      `  as text:   ${JSON.stringify(payload.toString('latin1', 0, 600))}`,
      what,
    ].join('\n');
  }
}
