/** A guest's driver in a test, which waits for the device. */
import { onTestFinished, vi } from 'vitest';
import { RingDriver, type RingPlace } from '../../harness/virtqueue.js';
import type { Emulator, Memory } from './vhost-front-end.js';

export { counter, countOf, INDIRECT, NEXT, WRITE } from '../../harness/virtqueue.js';

export class Driver extends RingDriver {
  /** @param data where pieces of requests are put */
  constructor(memory: Memory, place: RingPlace, data: number) {
    super(memory, place, data);
    onTestFinished(() => {
      this.close();
    });
  }

  /** Sets the ring up. @returns whether the server took all of it */
  async setUp(emulator: Emulator, base = 0): Promise<boolean> {
    let done = true;
    for (const [request, payload, files] of this.settingUp(base))
      done = (await emulator.tell(request, payload, files)) && done;
    return done;
  }

  /** The next chain that is given back. */
  async returned(): Promise<{ readonly head: number; readonly length: number }> {
    return vi.waitFor(
      () => {
        const taken = this.take();
        if (taken === undefined) throw new Error('nothing was given back');
        return taken;
      },
      { timeout: 20_000, interval: 1 },
    );
  }

  /** Sends one request in pieces of a size, and takes its reply. */
  async request(frame: Buffer, room: readonly number[], sizes: readonly number[] = []): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let at = 0;
    for (const size of sizes) {
      pieces.push(frame.subarray(at, at + size));
      at += size;
    }
    const places = this.chain(0, [...pieces, frame.subarray(at), ...room]);
    this.offer(0);
    this.tell();
    const { length } = await this.returned();
    const parts = room.map((size, nth) => this.memory.at(places[pieces.length + 1 + nth]!, size));
    return Buffer.concat(parts).subarray(0, length);
  }
}
