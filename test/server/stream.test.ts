/** The stream of bytes to a client. */
import { closeSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ClientStream, SocketStream, type StreamEvents } from '../../src/server/transports/stream.js';
import { socketpair } from '../../harness/libc.js';
import { accepting, client, listening } from './sockets.js';

interface Streamed {
  readonly stream: ClientStream;
  readonly theirs: Socket;
  readonly received: () => Buffer;
  readonly events: string[];
}

/** A stream over TCP, whose other end is Node's. */
async function streamed(
  more: (stream: () => ClientStream) => Partial<StreamEvents> = () => ({}),
): Promise<Streamed> {
  const port = 30_000 + Math.trunc(Math.random() * 10_000);
  const { descriptors } = accepting(listening(`tcp:127.0.0.1:${port}`), undefined, false);
  const theirs = client(port, '127.0.0.1');
  await vi.waitFor(() => {
    expect(descriptors).toHaveLength(1);
  });
  const events: string[] = [];
  const chunks: Buffer[] = [];
  const stream: ClientStream = new SocketStream(descriptors.pop()!, {
    received: (bytes) => {
      chunks.push(Buffer.from(bytes));
      return bytes.length;
    },
    closed: (error) => events.push(`closed ${error}`),
    drained: () => events.push('drained'),
    ...more(() => stream),
  });
  onTestFinished(() => {
    stream.close();
  });
  return { stream, theirs, events, received: () => Buffer.concat(chunks) };
}

const pattern = (length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, at) => at % 251));

describe('the stream of a client', () => {
  it('takes and gives bytes in their order, however they come', async () => {
    const { stream, theirs, received, events } = await streamed();
    const bytes = pattern(3_000_000);
    for (let at = 0; at < bytes.length; at += 70_001) theirs.write(bytes.subarray(at, at + 70_001));
    await vi.waitFor(() => {
      expect(received().equals(bytes)).toBe(true);
    });
    const taken: Buffer[] = [];
    theirs.on('data', (chunk) => taken.push(chunk));
    stream.send([bytes.subarray(0, 7), new Uint8Array(), bytes.subarray(7, 11), bytes.subarray(11)]);
    await vi.waitFor(() => {
      expect(Buffer.concat(taken).equals(bytes)).toBe(true);
    });
    expect(stream.buffered).toBe(0);
    expect(events.length).toBeLessThan(2);
  });

  it('keeps what the client does not take, whatever becomes of the memory, and tells when that is gone', async () => {
    const { stream, theirs, events } = await streamed();
    theirs.pause();
    const bytes = pattern(8_000_000);
    const memory = Buffer.from(bytes);
    stream.send([memory.subarray(0, 100), memory.subarray(100)]);
    memory.fill(0);
    const before = stream.buffered;
    expect(before).toBeGreaterThan(1_000_000);
    stream.send([Buffer.from('the end')]);
    expect(stream.buffered).toBe(before + 7);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toEqual([]);
    const taken: Buffer[] = [];
    theirs.on('data', (chunk) => taken.push(chunk)).resume();
    await vi.waitFor(() => {
      expect(events).toEqual(['drained']);
    }, 5_000);
    await vi.waitFor(() => {
      expect(Buffer.concat(taken).length).toBe(bytes.length + 7);
    });
    expect(Buffer.concat(taken).equals(Buffer.concat([bytes, Buffer.from('the end')]))).toBe(true);
  });

  it('receives nothing while it pauses, and then what was not taken before, also with nothing behind that', async () => {
    const seen: Buffer[] = [];
    const { stream, theirs } = await streamed((self) => ({
      received: (bytes) => {
        const taken = Math.min(bytes.length, 70_000);
        seen.push(Buffer.from(bytes.subarray(0, taken)));
        self().pause();
        return taken;
      },
    }));
    const bytes = pattern(2_000_000);
    theirs.write(bytes);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(seen).toHaveLength(1);
    await vi.waitFor(
      () => {
        stream.resume();
        expect(Buffer.concat(seen).length).toBe(bytes.length);
      },
      { timeout: 5_000, interval: 2 },
    );
    expect(Buffer.concat(seen).equals(bytes)).toBe(true);
  });

  it('tells once that the client has left, also in the middle of what it was sent', async () => {
    const { stream, theirs, events } = await streamed();
    stream.send([pattern(8_000_000)]);
    theirs.destroy();
    await vi.waitFor(() => {
      expect(events).toEqual(['closed undefined']);
    });
    stream.send([pattern(10)]);
    expect(stream.buffered).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events).toHaveLength(1);
  });

  it('tells nothing any more when it was closed, also by what it told', async () => {
    const { theirs, events } = await streamed((self) => ({
      received: (bytes) => {
        events.push('received');
        self().close();
        return bytes.length;
      },
    }));
    const ended = vi.fn();
    theirs.on('close', ended);
    theirs.write(pattern(1_000_000));
    await vi.waitFor(() => {
      expect(ended).toHaveBeenCalled();
    });
    expect(events).toEqual(['received']);
  });

  it('works over a unix socket', async () => {
    const [ours, theirs] = socketpair();
    const received: string[] = [];
    const stream = new SocketStream(ours, {
      received: (bytes) => {
        received.push(Buffer.from(bytes).toString());
        return bytes.length;
      },
      closed: () => received.push('closed'),
      drained: () => undefined,
    });
    onTestFinished(() => {
      stream.close();
    });
    writeSync(theirs, 'request');
    await vi.waitFor(() => {
      expect(received).toEqual(['request']);
    });
    closeSync(theirs);
    await vi.waitFor(() => {
      expect(received).toEqual(['request', 'closed']);
    });
  });
});

describe('a client that is expected to go on', () => {
  const sockets = (received: (stream: ClientStream, theirs: number) => void): [ClientStream, number] => {
    const [ours, theirs] = socketpair();
    const events = {
      received: (bytes: Uint8Array) => {
        received(stream, theirs);
        return bytes.length;
      },
      closed: () => undefined,
      drained: () => undefined,
    };
    const stream: ClientStream = new SocketStream(ours, events, 0);
    onTestFinished(() => {
      stream.close();
      closeSync(theirs);
    });
    return [stream, theirs];
  };
  const tick = (): Promise<void> =>
    new Promise((resolve) => {
      process.nextTick(resolve);
    });

  it('is heard without a turn of the event loop', async () => {
    let received = 0;
    const [stream, theirs] = sockets(() => received++);
    writeSync(theirs, 'next');
    stream.expect();
    await tick();
    expect(received).toBe(1);
  });

  it('leaves the event loop its turns, however much it has to say', async () => {
    let isOver = false;
    const [stream, theirs] = sockets((again, theirs) => {
      if (isOver) return;
      writeSync(theirs, 'next');
      again.expect();
    });
    writeSync(theirs, 'next');
    stream.expect();
    await new Promise((resolve) => setTimeout(resolve, 10));
    isOver = true;
  });

  it('may leave, or be left', async () => {
    const [stream] = sockets(() => undefined);
    stream.expect();
    stream.close();
    await tick();
    const [other, theirs] = sockets(() => undefined);
    other.expect();
    stream.expect();
    writeSync(theirs, 'next');
    other.pause();
    await tick();
  });
});
