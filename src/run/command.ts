import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { StartError } from '../startup/start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { isInForeground } from './terminal.js';

/** As shells have it. */
const KILLED = 128;

/** Asked of us, meant for the command. */
const forAll = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to everything in the foreground, and the command then has them already. */
const fromTerminals = ['SIGINT', 'SIGQUIT'] as const;

/** A command beside its helpers, which gets the signals that this process gets. */
export class Command {
  readonly #child: ChildProcess;
  /** The status that a shell would give. Rejects with a StartError when it cannot be started. */
  readonly ended: Promise<number>;

  /** `descriptors` become those of the command from 3 on. It gets no others but the standard ones. */
  constructor(
    [program, ...argv]: readonly [string, ...string[]],
    descriptors: readonly number[],
    environment: NodeJS.ProcessEnv,
  ) {
    for (const signal of forAll) process.on(signal, this.#pass);
    for (const signal of fromTerminals) process.on(signal, this.#passUnlessTyped);
    this.#child = spawn(program, argv, {
      stdio: ['inherit', 'inherit', 'inherit', ...descriptors],
      env: environment,
    });
    this.ended = new Promise<number>((resolve, reject) => {
      this.#child.once('error', ({ errno = 0, code }: NodeJS.ErrnoException) => {
        const kind = code === 'ENOENT' ? 'command-not-found' : 'command-not-executable';
        reject(new StartError(kind, `cannot start ${program}: ${describeErrno(errno)}`));
      });
      this.#child.once('exit', (status, signal) => {
        resolve(status ?? KILLED + constants.signals[signal ?? 'SIGKILL']);
      });
    }).finally(() => {
      // from now on a signal is for this process
      for (const signal of forAll) process.off(signal, this.#pass);
      for (const signal of fromTerminals) process.off(signal, this.#passUnlessTyped);
    });
  }

  readonly #pass = (signal: NodeJS.Signals): void => {
    this.#child.kill(signal);
  };

  readonly #passUnlessTyped = (signal: NodeJS.Signals): void => {
    if (!isInForeground()) this.#child.kill(signal);
  };
}
