/** An emulator of a test, which waits for what the server answers. */
import { expect, onTestFinished, vi } from 'vitest';
import {
  ask,
  EmulatorSocket,
  NEED_REPLY,
  SharedMemory,
  type Region,
  u64,
  VERSION,
} from '../../harness/vhost-user.js';

export { ask, u32, u64, USER } from '../../harness/vhost-user.js';

/** Memory that goes with the test. */
export class Memory extends SharedMemory {
  constructor(regions: readonly Region[]) {
    super(regions);
    onTestFinished(() => {
      this.close();
    });
  }
}

/** The emulator's end of the socket. */
export class Emulator extends EmulatorSocket {
  constructor(socket: number) {
    super(socket);
    onTestFinished(() => {
      this.close();
    });
  }

  /** The payload of the next reply; undefined where the server has ended the connection. */
  async reply(): Promise<Buffer | undefined> {
    return vi.waitFor(
      () => {
        const payload = this.receive();
        if (payload === null) throw new Error('no reply');
        return payload;
      },
      { timeout: 20_000, interval: 1 },
    );
  }

  /** Asks what has a reply. */
  ask(request: number, payload?: Buffer): Promise<Buffer | undefined> {
    this.send(request, payload);
    return this.reply();
  }

  /** Says what has no reply but whether it was done. */
  async tell(request: number, payload: Buffer, files: readonly number[] = []): Promise<boolean> {
    this.send(request, payload, files, VERSION | NEED_REPLY);
    const reply = await this.reply();
    return reply?.readBigUInt64LE() === 0n;
  }

  async agree(features = 0x1_7000_0001n): Promise<void> {
    const offered = (await this.ask(ask.getProtocolFeatures))!;
    this.send(ask.setProtocolFeatures, offered);
    expect(await this.tell(ask.setFeatures, u64(features))).toBe(true);
  }

  shareMemory(memory: Memory): Promise<boolean> {
    return this.tell(ask.setMemTable, memory.table(), memory.files());
  }
}
