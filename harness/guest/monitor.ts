/** QEMU's monitor, as people type into it: lines of the human monitor, by a socket of the machine protocol. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** QEMU's words for a monitor at this socket, which QEMU makes. */
export const monitorAt = (socket: string): string[] => ['-qmp', `unix:${socket},server=on,wait=off`];

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

export class Monitor {
  readonly #socket: net.Socket;
  #received = '';
  #waiter: ((message: Message) => void) | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (part: string) => {
      this.#received += part;
      for (let end; (end = this.#received.indexOf('\n')) >= 0;) {
        const message = JSON.parse(this.#received.slice(0, end)) as Message;
        this.#received = this.#received.slice(end + 1);
        // neither the greeting nor an event
        if ('return' in message || 'error' in message) this.#waiter?.(message);
      }
    });
    socket.on('error', () => undefined); // QEMU has ended
  }

  /** Waits for QEMU to make the socket. */
  static async connect(path: string, timeout: number): Promise<Monitor> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const socket = net.connect(path);
      const error = await new Promise<Error | undefined>((resolve) => {
        socket.once('connect', () => {
          resolve(undefined);
        });
        socket.once('error', resolve);
      });
      if (error === undefined) {
        const monitor = new Monitor(socket);
        await monitor.#execute({ execute: 'qmp_capabilities' });
        return monitor;
      }
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }

  /** @returns what the line prints: nothing where it has worked */
  async type(line: string): Promise<string> {
    const message = await this.#execute({
      execute: 'human-monitor-command',
      arguments: { 'command-line': line },
    });
    return String(message.return).trimEnd();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #execute(request: object): Promise<Message> {
    const reply = new Promise<Message>((resolve) => {
      this.#waiter = resolve;
    });
    this.#socket.write(`${JSON.stringify(request)}\n`);
    const message = await reply;
    if (message.error !== undefined) throw new Error(message.error.desc);
    return message;
  }
}
