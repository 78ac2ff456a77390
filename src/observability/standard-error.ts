import { BoundedWriter } from '../syscalls/bounded-writer.js';
import { cString } from '../syscalls/memory.js';
import { journalPrefix } from './severities.js';

/** Where the lines of a log go. Never throws, and never waits for a reader who does not read. */
export interface LogOutput {
  /**
   * @param level a level of pino
   * @returns whether the line is out; otherwise it is lost
   */
  write(level: string, line: string): boolean;
}

const STDERR = 2;

export class StandardError implements LogOutput {
  readonly #writer = new BoundedWriter(STDERR);
  readonly #isJournal: boolean;
  /** Whether only a part of the last line is out. */
  #torn = false;

  /** @param isJournal stderr is systemd's journal, which takes a line's priority from its beginning */
  constructor(isJournal: boolean) {
    this.#isJournal = isJournal;
  }

  write(level: string, line: string): boolean {
    const bytes = cString(`${this.#torn ? '\n' : ''}${this.#isJournal ? journalPrefix(level) : ''}${line}\n`);
    const size = bytes.length - 1;
    const written = this.#writer.write(bytes, size);
    if (written >= 0) this.#torn = written < size;
    return written === size;
  }
}
