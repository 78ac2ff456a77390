import { closeSync, readSync, writeSync } from 'node:fs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DescriptorWatch, type Readiness } from '../../src/syscalls/descriptor-watch.js';
import { socketpair } from '../../harness/libc.js';

const READ = { readable: true, writable: false };
const WRITE = { readable: false, writable: true };
const NEITHER = { readable: false, writable: false };

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

interface Watched {
  readonly ours: number;
  readonly theirs: number;
  readonly watch: DescriptorWatch;
  readonly told: Readiness[];
}

function watched(interest: Readiness, callback?: (watch: DescriptorWatch, ours: number) => void): Watched {
  const [ours, theirs] = socketpair();
  const told: Readiness[] = [];
  const watch = new DescriptorWatch(ours, interest, (ready) => {
    told.push(ready);
    callback?.(watch, ours);
  });
  onTestFinished(() => {
    watch.close();
    closeSync(ours);
  });
  return { ours, theirs, watch, told };
}

const take = (_watch: DescriptorWatch, ours: number): void => {
  readSync(ours, new Uint8Array(100));
};

describe('a watch of a descriptor', () => {
  it('tells once what can be read, when it is read', async () => {
    const { theirs, told } = watched(READ, take);
    await turn();
    expect(told).toEqual([]);
    writeSync(theirs, 'x');
    await vi.waitUntil(() => told.length > 0);
    await turn();
    expect(told).toEqual([READ]);
    closeSync(theirs);
  });

  it('tells again as long as nobody reads', async () => {
    const { theirs, told } = watched(READ);
    writeSync(theirs, 'x');
    await vi.waitUntil(() => told.length > 3);
    closeSync(theirs);
  });

  it('waits for what it was last told to wait for', async () => {
    const { theirs, watch, told } = watched(NEITHER);
    writeSync(theirs, 'x');
    await turn();
    expect(told).toEqual([]);
    watch.change(WRITE);
    await vi.waitUntil(() => told.length > 0);
    expect(told[0]).toEqual(WRITE);
    watch.change(NEITHER);
    told.length = 0;
    await turn();
    expect(told).toEqual([]);
    watch.change({ readable: true, writable: true });
    await vi.waitUntil(() => told.length > 0);
    expect(told[0]).toEqual({ readable: true, writable: true });
    closeSync(theirs);
  });

  it('lets the promises go on that its callback resolved', async () => {
    const [ours, theirs] = socketpair();
    // no timer and nothing else of Node's runs meanwhile
    const steps = await new Promise<string[]>((resolve) => {
      const seen: string[] = [];
      const watch = new DescriptorWatch(ours, READ, () => {
        watch.close();
        seen.push('callback');
        void Promise.resolve().then(() => {
          seen.push('promise');
          resolve(seen);
        });
      });
      writeSync(theirs, 'x');
    });
    expect(steps).toEqual(['callback', 'promise']);
    closeSync(ours);
    closeSync(theirs);
  });

  it('does not lose what its callback throws', async () => {
    // those of the test runner
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = new Promise<Error>((resolve) => process.once('uncaughtException', resolve));
    const { theirs } = watched(READ, (watch) => {
      watch.close();
      throw new Error('a bug');
    });
    writeSync(theirs, 'x');
    const late = turn().then(() => turn());
    const error = await Promise.race([thrown, late]);
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(error).toEqual(new Error('a bug'));
    closeSync(theirs);
  });

  it('tells of the end of a connection', async () => {
    const { theirs, told } = watched(READ, (watch) => {
      watch.change(NEITHER);
    });
    closeSync(theirs);
    await vi.waitUntil(() => told.length > 0);
    expect(told).toEqual([READ]);
  });

  it('tells of a connection that was reset, once', async () => {
    const { ours, theirs, told } = watched(READ);
    // what the other end has not read makes its close a reset
    writeSync(ours, 'unread');
    closeSync(theirs);
    await vi.waitUntil(() => told.length > 0);
    await turn();
    expect(told).toEqual([{ readable: true, writable: true }]);
    expect(() => readSync(ours, new Uint8Array(1))).toThrow('ECONNRESET');
  });

  it('says nothing after it was closed, not even what is on its way', async () => {
    const [first, second] = [watched(READ), watched(READ)];
    for (const { theirs } of [first, second]) writeSync(theirs, 'x');
    const { watch } = first;
    watch.close();
    watch.change(WRITE);
    await vi.waitUntil(() => second.told.length > 0);
    second.watch.close();
    const { length } = second.told;
    await turn();
    expect(second.told).toHaveLength(length);
    expect(first.told).toEqual([]);
    for (const { theirs } of [first, second]) closeSync(theirs);
  });
});
