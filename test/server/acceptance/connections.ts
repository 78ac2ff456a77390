/** Tflush, and frames that are none. */
import { expect } from 'vitest';
import { encodeMessage } from '../../../harness/ninep-codec.js';
import type { NinepClient } from '../../../harness/ninep-client.js';
import { type Case, outcome, type Scene } from './scene.js';

const flushing: readonly Case[] = [
  {
    title: 'Tflush of nothing, of itself and of another Tflush is answered',
    run: async (scene) => {
      const { client } = scene;
      await client.flush(4_000);
      expect(await outcome(client.send('Tflush', { oldtag: 5_000 }, 5_000).reply)).toBe('ok');
      const first = client.send('Tflush', { oldtag: 6_000 }, 6_001);
      const second = client.send('Tflush', { oldtag: 6_001 }, 6_002);
      await second.reply;
      await client.flush(6_001);
      await Promise.allSettled([first.reply]);
    },
  },
  {
    title: 'a request that is flushed is answered before Rflush or never',
    run: async (scene) => {
      const { client } = scene;
      const fid = await scene.create('file');
      for (let round = 0; round < 50; round++) {
        const data = Buffer.alloc(50_000);
        const sent = client.send('Twrite', { fid, offset: 0, data }, 7_000);
        const read = client.send('Tread', { fid, offset: 0, count: 50_000 }, 7_001);
        await Promise.all([client.flush(7_001), client.flush(7_000)]);
        // both tags are free: a late reply would be taken for that of the next round
        await Promise.allSettled([sent.reply, read.reply]);
      }
      expect((await scene.getattr(fid)).qid.path).toBeGreaterThan(0n);
    },
  },
];

/** What comes of bytes: an error, or the end of the connection. */
async function comesOf(client: NinepClient, bytes: Uint8Array): Promise<string> {
  const reply = client.raw(bytes).then(
    (frame) => (frame?.readUInt8(4) === 7 ? 'an error' : 'another reply'),
    (error: unknown) => ((error as Error).message.startsWith('no reply') ? 'nothing' : 'closed'),
  );
  return Promise.race([reply, client.closed.then(() => 'closed')]);
}

const frame = (type: number, body: Buffer, tag = 1): Buffer => {
  const bytes = Buffer.alloc(7 + body.length);
  bytes.writeUInt32LE(bytes.length);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt16LE(tag, 5);
  body.copy(bytes, 7);
  return bytes;
};

const badFrames: Readonly<Record<string, (scene: Scene) => Buffer>> = {
  'of an unknown type': () => frame(255, Buffer.alloc(0)),
  'of a reply': () => frame(121, Buffer.alloc(0)),
  'that ends within a field': () => frame(24, Buffer.alloc(3)),
  'with more than its fields': () => frame(120, Buffer.alloc(500)),
  'whose string is longer than it': ({ directory }) =>
    frame(76, Buffer.from([directory, 0, 0, 0, 0xff, 0xff, 0x61, 0, 0, 0, 0])),
  'of more names than there may be': ({ directory }) =>
    encodeMessage('9P2000.L', 'Twalk', 1, {
      ...{ fid: directory, newfid: 900, names: Array.from({ length: 17 }, () => '..') },
    }),
  'whose count of names is a lie': ({ directory }) =>
    frame(110, Buffer.from([directory, 0, 0, 0, 0x84, 3, 0, 0, 0xff, 0xff])),
  'whose data are shorter than they say': ({ directory }) =>
    frame(
      118,
      Buffer.concat([Buffer.from([directory, 0, 0, 0]), Buffer.alloc(8), Buffer.from([9, 0, 0, 0, 1])]),
    ),
};

const frames: readonly Case[] = [
  ...Object.entries(badFrames).map(([what, make]): Case => ({
    title: `a frame ${what} is an error or the end`,
    run: async (scene) => {
      expect(await comesOf(scene.client, make(scene))).toMatch(/^(an error|closed)$/);
      // and others are served
      const other = await scene.another();
      expect(await outcome(other.getattr(other.directory))).toBe('ok');
    },
  })),
  ...[0, 4, 6, 65_537, 0x7fff_ffff, 0xffff_ffff].map((size): Case => ({
    title: `a frame that says that it has ${size} bytes is the end`,
    run: async (scene) => {
      const bytes = frame(24, Buffer.alloc(12));
      bytes.writeUInt32LE(size);
      expect(await comesOf(scene.client, bytes)).toBe('closed');
      const other = await scene.another();
      expect(await outcome(other.getattr(other.directory))).toBe('ok');
    },
  })),
  {
    title: 'a request before Tversion is an error or the end',
    run: async (scene) => {
      const client = await scene.fresh();
      const attach = { fid: 0, afid: 0xffffffff, uname: '', aname: scene.server.aname ?? '', n_uname: 0 };
      const bytes = encodeMessage('9P2000.L', 'Tattach', 1, attach);
      expect(await comesOf(client, bytes)).toMatch(/^(an error|closed)$/);
    },
  },
  {
    title: 'a frame may come byte by byte, and two in one piece',
    run: async (scene) => {
      const { client, directory } = scene;
      const bytes = encodeMessage('9P2000.L', 'Tgetattr', 9, { fid: directory, mask: 0x7ff });
      const pieces = [...bytes].map((byte) => Buffer.of(byte));
      const reply = client.expect(9);
      for (const piece of pieces) {
        client.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await reply)?.readUInt8(4)).toBe(25);
      const both = Promise.all([client.expect(10), client.expect(11)]);
      client.write(Buffer.concat([10, 11].map((tag) => frame(120, Buffer.from([0x80, 3, 0, 0]), tag))));
      expect((await both).map((each) => each?.readUInt8(4))).toEqual([7, 7]);
    },
  },
];

export const connections = [...flushing, ...frames];
