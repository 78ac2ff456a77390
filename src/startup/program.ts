import { StartError } from './start-errors.js';
import { describeErrno } from '../abi/errno-text.js';
import { cString } from '../syscalls/memory.js';
import { closeAllOnExec, execve, keepOverExec, StringVector } from '../syscalls/process.js';

/**
 * The serving or the listening program, ready to take the place of this one. Of the environment it gets only what its
 * caller may want to tell Node: everything else (certificates, time zone, locale) would be read from files, some of them
 * too late.
 */
export class NextProgram {
  readonly #node = cString(process.execPath);
  readonly #arguments: StringVector;
  readonly #environment: StringVector;
  readonly #descriptors: readonly number[];

  /**
   * @param descriptors what stays open besides the standard ones; undefined where there is none
   * @param variables its environment; undefined for a variable that it shall not have
   */
  constructor(
    program: string,
    handover: object,
    descriptors: readonly (number | undefined)[],
    variables: Readonly<Record<string, string | undefined>>,
  ) {
    this.#arguments = new StringVector([process.execPath, program, JSON.stringify(handover)]);
    const environment = Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    );
    this.#environment = new StringVector(environment);
    this.#descriptors = [0, 1, 2, ...descriptors.filter((descriptor) => descriptor !== undefined)];
  }

  /** Replaces this program. Only its descriptors stay open. */
  start(): never {
    closeAllOnExec();
    for (const descriptor of this.#descriptors) keepOverExec(descriptor);
    const failed = execve(this.#node, this.#arguments, this.#environment);
    throw new StartError('program-not-started', `cannot start ${process.execPath}: ${describeErrno(failed)}`);
  }
}
