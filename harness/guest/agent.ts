/** The host's end of the serial port on which the guest's init takes scripts. */
import net from 'node:net';

export interface ScriptResult {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

interface Waiter {
  readonly resolve: (result: ScriptResult) => void;
  readonly reject: (error: Error) => void;
}

export class GuestAgent {
  readonly #server: net.Server;
  #socket: net.Socket | undefined;
  #received = Buffer.alloc(0);
  #waiter: Waiter | undefined;
  #stuck = false;

  private constructor(server: net.Server) {
    this.#server = server;
    server.once('connection', (socket) => {
      this.#socket = socket;
      socket.on('data', (chunk) => {
        this.#received = Buffer.concat([this.#received, chunk]);
        this.#deliver();
      });
      socket.on('error', () => undefined); // 'close' follows
      socket.once('close', () => {
        this.fail(new Error('the guest is gone'));
      });
    });
  }

  static async listen(socketPath: string): Promise<GuestAgent> {
    const server = net.createServer();
    const agent = new GuestAgent(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath, resolve);
    });
    return agent;
  }

  /** Whether QEMU has it. A guest that goes on from a saved state has no first message. */
  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** The guest's first message: it has booted. */
  ready(timeout: number): Promise<ScriptResult> {
    return this.#reply(timeout, 'the guest did not boot');
  }

  run(script: string, timeout: number): Promise<ScriptResult> {
    if (this.#socket === undefined) throw new Error('the guest has not booted');
    const reply = this.#reply(timeout, 'the script did not end');
    const bytes = Buffer.from(script);
    this.#socket.write(`${bytes.length}\n`);
    this.#socket.write(bytes);
    return reply;
  }

  fail(error: Error): void {
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #reply(timeout: number, late: string): Promise<ScriptResult> {
    if (this.#stuck) throw new Error('the guest is stuck in an earlier script');
    if (this.#waiter !== undefined) throw new Error('the guest runs one script at a time');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#stuck = true;
        this.fail(new Error(`${late} within ${timeout / 1000} s`));
      }, timeout);
      this.#waiter = {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
    });
  }

  #deliver(): void {
    const lineEnd = this.#received.indexOf('\n');
    if (lineEnd < 0) return;
    const [status, outLength, errLength] = this.#received
      .toString('latin1', 0, lineEnd)
      .split(' ')
      .map(Number);
    const outStart = lineEnd + 1;
    const errStart = outStart + outLength!;
    const end = errStart + errLength!;
    if (this.#received.length < end) return;
    const stdout = Buffer.from(this.#received.subarray(outStart, errStart));
    const stderr = this.#received.toString('utf8', errStart, end);
    this.#received = this.#received.subarray(end);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.resolve({ status: status!, stdout, stderr });
  }
}
