import { StartError } from '../exit-status.js';
import { describeErrno } from '../syscalls/errno.js';
import { cString } from '../syscalls/memory.js';
import { closeAllOnExec, execve, keepOverExec, StringVector } from '../syscalls/process.js';
import type { Handover } from './handover.js';

/**
 * The serving program, ready to take the place of this one. Of the environment it gets only what its caller may want to
 * tell Node: everything else (certificates, time zone, locale) would be read from files, some of them too late.
 */
export class ServingProgram {
  readonly #node = cString(process.execPath);
  readonly #arguments: StringVector;
  readonly #environment: StringVector;
  readonly #descriptors: readonly number[];

  constructor(program: string, handover: Handover) {
    this.#arguments = new StringVector([process.execPath, program, JSON.stringify(handover)]);
    const { NODE_OPTIONS } = process.env;
    this.#environment = new StringVector(NODE_OPTIONS === undefined ? [] : [`NODE_OPTIONS=${NODE_OPTIONS}`]);
    const { socket, rootChanger, ownDescriptors, report, notify, pidfile } = handover;
    const optional = [report, notify?.socket, pidfile].filter((descriptor) => descriptor !== undefined);
    this.#descriptors = [
      0,
      1,
      2,
      socket.descriptor,
      handover.export.directory,
      ownDescriptors,
      rootChanger.socket,
      ...optional,
    ];
  }

  /** Replaces this program. Only the descriptors of the handover and the standard ones stay open. */
  start(): never {
    closeAllOnExec();
    for (const descriptor of this.#descriptors) keepOverExec(descriptor);
    const failed = execve(this.#node, this.#arguments, this.#environment);
    throw new StartError(`cannot start ${process.execPath}: ${describeErrno(failed)}`);
  }
}
