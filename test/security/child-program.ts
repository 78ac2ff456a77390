import { patience } from '../../harness/patience.js';
/** Runs one of `programs/` as a process of its own: attacks that must go on while the blocking client waits. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { onTestFinished } from 'vitest';

const programs = new URL('programs/', import.meta.url);
const repository = fileURLToPath(new URL('../../', import.meta.url));
const START_MS = 20_000 * patience;

/** Node 20 runs no TypeScript, so the types are taken out here; a program imports nothing but packages and `node:`. */
function javaScript(name: string): string {
  const source = readFileSync(new URL(`${name}.ts`, programs), 'utf8');
  const { ESNext, ES2022 } = { ESNext: ts.ModuleKind.ESNext, ES2022: ts.ScriptTarget.ES2022 };
  return ts.transpileModule(source, { compilerOptions: { module: ESNext, target: ES2022 } }).outputText;
}

export class ChildProgram {
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #output = '';

  /** @param wrapper a program in front of the command line, such as `setpriv` */
  constructor(name: string, argument: unknown, wrapper: readonly string[] = []) {
    const script = ['--input-type=module', '--eval', javaScript(name), JSON.stringify(argument)];
    const [command = process.execPath, ...args] = [...wrapper, process.execPath, ...script];
    this.#child = spawn(command, args, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#exited = new Promise((resolve) =>
      this.#child.once('exit', () => {
        resolve();
      }),
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
  }

  /** What it printed so far; only what the event loop had time to read. */
  get output(): string {
    return this.#output;
  }

  /** Every program prints `ready` when it has begun. */
  async ready(): Promise<void> {
    const deadline = Date.now() + START_MS;
    while (!this.#output.includes('ready')) {
      if (this.#child.exitCode !== null) throw new Error('the program ended before it was ready');
      if (Date.now() > deadline) throw new Error('the program did not become ready');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

/** A program for one test, ended however the test ends. Returns when it is at work. */
export async function programForTest(
  ...parameters: ConstructorParameters<typeof ChildProgram>
): Promise<ChildProgram> {
  const program = new ChildProgram(...parameters);
  onTestFinished(() => program.stop());
  await program.ready();
  return program;
}
