import { RingDriver } from '../../harness/virtqueue.js';
import { ask, EmulatorSocket, NEED_REPLY, SharedMemory, u64, VERSION } from '../../harness/vhost-user.js';
import { memory, poll, read, usleep } from '../libc.js';
import { type Exchange, type Frame, greetings, MESSAGE_BYTES } from './client.js';

const MIB = 1 << 20;
const RING = { at: 0, size: 16 };
/** The features of the device, of its ring and of the protocol, with events. */
const FEATURES = 0x1_7000_0001n;
/** Of `struct pollfd`. */
const POLLIN = 1;

/**
 * A guest with a virtio-9p device, whose emulator leaves it to a server. It tells and is told as Linux does, where the other
 * side wants to be, and sleeps while it waits.
 */
export class VhostClient implements Exchange {
  readonly #memory = new SharedMemory([{ guest: 0, size: 4 * MIB, offset: 0 }]);
  readonly #driver = new RingDriver(this.#memory, RING, MIB);
  readonly #emulator: EmulatorSocket;
  readonly #waiting = memory(8);
  readonly #count = memory(8);
  /** The index of what is available, and at which it is to be told; the same of what was used. */
  readonly #available: Uint16Array;
  readonly #toldOfUsed: Uint16Array;
  readonly #toldOfAvailable: Uint16Array;
  /** What the chain at a place holds. */
  readonly #placed = new Map<number, Frame>();
  readonly #rooms = new Map<number, Buffer>();
  #taken = 0;

  private constructor(socket: number) {
    this.#emulator = new EmulatorSocket(socket);
    const driver = this.#driver;
    const words = (at: number): Uint16Array => {
      const bytes = this.#memory.at(at, 2);
      return new Uint16Array(bytes.buffer, bytes.byteOffset, 1);
    };
    this.#available = words(driver.available + 2);
    this.#toldOfUsed = words(driver.available + 4 + 2 * RING.size);
    this.#toldOfAvailable = words(driver.used + 4 + 8 * RING.size);
    const view = new DataView(this.#waiting.buffer);
    view.setInt32(0, driver.call, true);
    view.setInt16(4, POLLIN, true);
  }

  /** Plugs the device in, and attaches fid 0 to the export as root. @param socket connected to the server */
  static plug(socket: number): VhostClient {
    const client = new VhostClient(socket);
    const shared = client.#memory;
    client.#tell(ask.setProtocolFeatures, client.#ask(ask.getProtocolFeatures));
    client.#tell(ask.setFeatures, u64(FEATURES));
    client.#tell(ask.setMemTable, shared.table(), shared.files());
    for (const [request, payload, files] of client.#driver.settingUp(0))
      client.#tell(request, payload, files);
    for (const greeting of greetings('')) client.exchange(greeting);
    return client;
  }

  exchange(request: Frame): void {
    this.send(request, 0);
    this.receive(request, 0);
  }

  /** @param place of its first descriptor: two for each request that is under way */
  send(request: Frame, place = 2): void {
    const driver = this.#driver;
    if (this.#placed.get(place) !== request) this.#put(request, place);
    driver.offer(place);
    // whether it wants to be told is looked at once it can see the request
    const index = Atomics.load(this.#available, 0);
    Atomics.store(this.#available, 0, index);
    if (((index - (this.#toldOfAvailable[0] ?? 0) - 1) & 0xffff) === 0) driver.tell();
  }

  /** Waits for the next reply, which is that to a request. */
  receive({ name, bytes }: Frame, place = 2): void {
    const driver = this.#driver;
    // asks to be told of the next one, and looks again before it sleeps
    Atomics.store(this.#toldOfUsed, 0, this.#taken);
    for (let chain = driver.take(); ; chain = driver.take()) {
      if (chain === undefined) {
        if (poll(this.#waiting, 1, 10_000) === 0) throw new Error(`${name}: not answered`);
        read(driver.call, this.#count, 8);
        continue;
      }
      this.#taken = (this.#taken + 1) & 0xffff;
      const type = this.#rooms.get(place)?.[4];
      if (chain.head !== place || type !== (bytes[4] ?? 0) + 1)
        throw new Error(`${name}: answered by a message ${type}`);
      return;
    }
  }

  close(): void {
    this.#emulator.close();
    this.#driver.close();
    this.#memory.close();
  }

  #put(request: Frame, place: number): void {
    const driver = this.#driver;
    driver.rewind(MIB + place * 2 * MESSAGE_BYTES);
    const [, room = 0] = driver.chain(place, [Buffer.from(request.bytes), MESSAGE_BYTES]);
    this.#rooms.set(place, this.#memory.at(room, 7));
    this.#placed.set(place, request);
  }

  #ask(request: number, payload?: Buffer): Buffer {
    this.#emulator.send(request, payload);
    return this.#answer(request);
  }

  #tell(request: number, payload: Buffer, files: readonly number[] = []): void {
    this.#emulator.send(request, payload, files, VERSION | NEED_REPLY);
    if (this.#answer(request).readBigUInt64LE() !== 0n)
      throw new Error(`the device refused message ${request}`);
  }

  #answer(request: number): Buffer {
    for (let attempt = 0; attempt < 100_000; attempt++) {
      const payload = this.#emulator.receive();
      if (payload === undefined) break;
      if (payload !== null) return payload;
      usleep(100);
    }
    throw new Error(`the device does not answer message ${request}`);
  }
}
