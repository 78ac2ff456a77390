/** Sends cases to real helpers and checks after each what the helper answered, and what it left behind. */
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { type Session, startSession } from '../../harness/helper-process.js';
import { SystemError } from '../../harness/libc.js';
import { type RequestName, requests, requestTypes } from '../../harness/requests.js';
import { type WireClient, WireError } from '../../harness/wire-client.js';
import { Outside } from '../../harness/outside.js';
import { PipelinedReplies } from '../../harness/pipelined-replies.js';
import { readOnlyHost } from '../../harness/read-only-host.js';
import { fuzzCase, type FuzzCase } from './fuzz-case.js';
import { type RequestFrame, split } from './layouts.js';
import { replyProblem } from './reply-rules.js';
import { fillScratch } from './scratch.js';

/** Cases on one tree; then it is made anew, so that a case can be met again without all that came before it. */
export const EPOCH = 500;
const PROTOCOL_VIOLATION = 3;
const SETTLE_MS = 2_000;

export interface FuzzTally {
  frames: number;
  restarts: number;
  readonly succeeded: Map<RequestName, number>;
  readonly kinds: Map<string, number>;
}

export class FuzzRun {
  readonly tally: FuzzTally = { frames: 0, restarts: 0, succeeded: new Map(), kinds: new Map() };
  readonly #seed: number;
  readonly #confinement: readonly string[];
  readonly #args: readonly string[];
  readonly #outside = new Outside();
  #session: Session;
  #descriptors = 0;

  /**
   * @param confinement what goes in front of the helper's command line: see `confinements`
   * @param args more of the command line
   */
  constructor(seed: number, confinement: readonly string[], args: readonly string[] = []) {
    this.#args = args;
    this.#seed = seed;
    this.#confinement = confinement;
    fillScratch(this.#outside.exportPath);
    this.#session = this.#start();
  }

  get helperPid(): number {
    return this.#session.helper.pid;
  }

  /** Sends one case. @returns what is wrong, or undefined */
  async run(index: number): Promise<string | undefined> {
    if (index % EPOCH === 0) {
      const changes = this.#outside.changes();
      if (changes.length > 0)
        return `outside the export, in the ${EPOCH} cases before: ${changes.join('; ')}`;
      fillScratch(this.#outside.exportPath);
      // the blocking client starves the event loop, on which the test runner depends
      await new Promise(setImmediate);
    }
    const fuzz = fuzzCase(this.#seed, index);
    const { kinds } = this.tally;
    kinds.set(fuzz.kind, (kinds.get(fuzz.kind) ?? 0) + 1);
    try {
      return (await this.#exchange(fuzz)) ?? this.#descriptorProblem();
    } catch (error) {
      if (!(error instanceof WireError) && !(error instanceof SystemError)) throw error;
      return `${error.message}; its stderr ends with: ${this.#session.helper.stderr().slice(-1_500)}`;
    }
  }

  /** @returns what changed outside during the whole run */
  async end(): Promise<string[]> {
    this.#session.client.close();
    await this.#session.helper.stop();
    const changes = this.#outside.changes();
    this.#outside.remove();
    return changes;
  }

  #start(): Session {
    const session = startSession(this.#outside.exportPath, {
      args: ['--log-level', 'error', ...this.#args],
      wrapper: [...readOnlyHost(this.#outside.base), ...this.#confinement],
    });
    this.#outside.enter(session.client);
    this.#descriptors = this.#settledDescriptors(session);
    return session;
  }

  #openDescriptors(session = this.#session): number {
    return readdirSync(`/proc/${session.helper.pid}/fd`).length;
  }

  /** The root that was opened to begin with is closed after its reply. */
  #settledDescriptors(session: Session): number {
    session.client.request(requests.lstat('/'));
    return this.#openDescriptors(session);
  }

  async #exchange({ bytes, cuts }: FuzzCase): Promise<string | undefined> {
    const { client } = this.#session;
    const { frames, end } = split(bytes);
    try {
      let from = 0;
      for (const cut of cuts) {
        client.send(bytes.subarray(from, cut));
        from = cut;
      }
      client.send(bytes.subarray(from));
    } catch (error) {
      // of a request that is cut into pieces the first may be reason enough to end
      const ended = error instanceof SystemError && error.errno === constants.errno.EPIPE;
      if (!ended || end !== 'violation') throw error;
    }
    const receiver = frames.length > 1 ? new PipelinedReplies(client.fd) : client;
    for (const frame of frames) {
      const problem = this.#receive(frame, receiver);
      if (problem !== undefined) return problem;
    }
    return end === 'whole' ? undefined : this.#expectEnd(end);
  }

  #receive(frame: RequestFrame, receiver: PipelinedReplies | WireClient): string | undefined {
    const type = requestTypes[frame.name];
    const reply = receiver.receive(type);
    this.tally.frames++;
    const { succeeded } = this.tally;
    if (reply.errno === 0) succeeded.set(frame.name, (succeeded.get(frame.name) ?? 0) + 1);
    return this.#outside.leak(type, reply) ?? replyProblem(frame, reply);
  }

  async #expectEnd(end: 'partial' | 'violation'): Promise<string | undefined> {
    const { client, helper } = this.#session;
    if (end === 'partial') client.finishSending();
    if (!client.atEnd()) return `bytes after the last whole frame, which was followed by a ${end} one`;
    const { status, signal, stderr } = await helper.exit();
    client.close();
    await helper.stop();
    if (status !== PROTOCOL_VIOLATION) {
      return `a ${end} frame ended the helper with status ${status}, signal ${signal ?? 'none'}: ${stderr.slice(-1_500)}`;
    }
    this.tally.restarts++;
    this.#session = this.#start();
    return undefined;
  }

  /** The helper closes a descriptor after it has sent it, so it may need a moment. */
  #descriptorProblem(): string | undefined {
    const deadline = Date.now() + SETTLE_MS;
    let now = this.#openDescriptors();
    while (now !== this.#descriptors && Date.now() < deadline) now = this.#openDescriptors();
    return now === this.#descriptors ? undefined : `${now} open descriptors instead of ${this.#descriptors}`;
  }
}
