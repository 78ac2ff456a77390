/** What a guest does while its helper is killed again and again, and what it knows to be true all the time. */
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Random } from '../../harness/random.js';
import { BASIC, open, outcome, type Scene } from './acceptance/scene.js';

const WRITE_LOCK = 1;
const [LOCKED, BLOCKED] = [0, 1];
const MAX_FILES = 12;
/** Of one file. */
const MAX_BYTES = 30_000;

/** A file that the guest made. Its fid stays, whether it is open or not, and whether the file has a name or not. */
interface Known {
  readonly fid: number;
  readonly inode: bigint;
  readonly isOpen: boolean;
  name: string | undefined;
  content: string;
  mode: number;
}

export class GuestUnderKills {
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #files: Known[] = [];
  #locked!: Known;
  #names = 0;
  #stopping = false;
  /** What was done. */
  steps = 0;
  /** Changes that were answered with EIO: done or not. */
  unknown = 0;

  private constructor(scene: Scene, random: Random) {
    this.#scene = scene;
    this.#random = random;
  }

  static async begin(scene: Scene, random: Random): Promise<GuestUnderKills> {
    const guest = new GuestUnderKills(scene, random);
    guest.#locked = await guest.#make('locked', true);
    guest.#files.push(guest.#locked);
    expect(await guest.#lock(1)).toBe(LOCKED);
    return guest;
  }

  async work(): Promise<void> {
    const steps = [
      this.#create,
      this.#rename,
      this.#remove,
      this.#chmod,
      this.#write,
      this.#look,
      this.#list,
    ];
    while (!this.#stopping) {
      await steps[this.#random.below(steps.length)]!.call(this);
      this.steps++;
    }
  }

  stop(): void {
    this.#stopping = true;
  }

  /** Everything is what it has to be, for the guest and on the host. */
  async check(): Promise<void> {
    for (const known of this.#files) await this.#lookAt(known);
    const names = this.#files.flatMap(({ name }) => name ?? []);
    expect(readdirSync(this.#scene.host()).sort()).toEqual(names.sort());
    for (const { name, content } of this.#files)
      if (name !== undefined) expect(readFileSync(this.#scene.host(name), 'latin1')).toBe(content);
  }

  /** Makes a change that may be answered with EIO, and looks whether it was made then. */
  async #change(request: Promise<unknown>, isMade: () => boolean): Promise<boolean> {
    const result = await outcome(request);
    if (result === 'ok') return true;
    expect(result).toBe('EIO');
    this.unknown++;
    return isMade();
  }

  async #make(name: string, isOpen: boolean): Promise<Known> {
    const { client } = this.#scene;
    const host = this.#scene.host(name);
    for (;;) {
      const fid = await this.#scene.walk([]);
      const flags = open.RDWR | open.CREATE | open.EXCL;
      if ((await outcome(client.request('Tlcreate', { fid, name, flags, mode: 0o644, gid: 0 }))) === 'ok') {
        await this.#scene.write(fid, name);
        const { qid } = await this.#scene.getattr(fid);
        const known = { fid, inode: qid.path, isOpen, name, content: name, mode: 0o644 };
        if (isOpen) return known;
        await client.request('Tclunk', { fid });
        return { ...known, fid: await this.#scene.walk([name]) };
      }
      // the fid is still that of the directory, and there is the whole file or none
      this.unknown++;
      await this.#scene.clunk(fid);
      if (!existsSync(host)) continue;
      expect(lstatSync(host)).toMatchObject({ size: 0, mode: 0o100644, uid: 0 });
      await this.#change(this.#scene.remove(name), () => !existsSync(host));
      if (existsSync(host)) await this.#scene.remove(name);
    }
  }

  async #create(): Promise<void> {
    if (this.#files.length < MAX_FILES)
      this.#files.push(await this.#make(`file${this.#names++}`, this.#random.chance(0.6)));
    else {
      const [known] = this.#files.splice(1 + this.#random.below(this.#files.length - 1), 1);
      await this.#scene.clunk(known!.fid);
      if (known!.name !== undefined) await this.#unlink(known!.name);
    }
  }

  async #rename(): Promise<void> {
    const known = this.#pick();
    const before = known.name;
    if (before === undefined) return;
    const name = `name${this.#names++}`;
    const { directory, client } = this.#scene;
    const names = { olddirfid: directory, oldname: before, newdirfid: directory, newname: name };
    const isMade = await this.#change(client.request('Trenameat', names), () =>
      existsSync(this.#scene.host(name)),
    );
    if (isMade) known.name = name;
    expect([before, name].filter((one) => existsSync(this.#scene.host(one)))).toEqual([known.name]);
    await this.#lookAt(known);
  }

  /** Only of what is open, and goes on. */
  async #remove(): Promise<void> {
    const known = this.#pick();
    if (!known.isOpen || known.name === undefined || known === this.#locked) return;
    await this.#unlink(known.name);
    known.name = undefined;
    await this.#lookAt(known);
  }

  async #unlink(name: string): Promise<void> {
    const isThere = (): boolean => existsSync(this.#scene.host(name));
    const { client, directory } = this.#scene;
    while (isThere())
      await this.#change(client.request('Tunlinkat', { dirfd: directory, name, flags: 0 }), () => true);
  }

  async #chmod(): Promise<void> {
    const known = this.#pick();
    const mode = 0o600 + this.#random.below(0o100);
    const isMade = await this.#change(this.#scene.setattr(known.fid, { mode }), () => {
      return known.name !== undefined && (lstatSync(this.#scene.host(known.name)).mode & 0o777) === mode;
    });
    if (isMade) known.mode = mode;
    // of a file without a name the host shows nothing
    else if (known.name === undefined) known.mode = (await this.#scene.getattr(known.fid)).mode & 0o777;
  }

  async #write(): Promise<void> {
    const known = this.#pick();
    if (!known.isOpen || known.content.length > MAX_BYTES) return;
    const text = String(this.#random.below(1e9));
    await this.#scene.write(known.fid, text, known.content.length);
    known.content += text;
  }

  async #look(): Promise<void> {
    await this.#lookAt(this.#pick());
    expect([await this.#lock(1), await this.#lock(2)]).toEqual([LOCKED, BLOCKED]);
  }

  async #list(): Promise<void> {
    const fid = await this.#scene.walk([]);
    await this.#scene.client.request('Tlopen', { fid, flags: open.DIRECTORY });
    const names = (await this.#scene.entries(fid)).map(({ name }) => name);
    await this.#scene.clunk(fid);
    expect(names.sort()).toEqual(['.', '..', ...this.#files.flatMap(({ name }) => name ?? [])].sort());
  }

  /** Nothing of this is ever refused. */
  async #lookAt({ fid, inode, name, isOpen, content, mode }: Known): Promise<void> {
    const { client } = this.#scene;
    const attributes = await client.request('Tgetattr', { fid, mask: BASIC });
    expect(attributes).toMatchObject({ mode: 0o100000 | mode, size: BigInt(content.length) });
    expect([attributes.qid.path, attributes.nlink]).toEqual([inode, name === undefined ? 0n : 1n]);
    if (isOpen) expect(await this.#scene.read(fid, 0, 65_000)).toBe(content);
    if (name === undefined) return;
    const another = await this.#scene.open(name);
    expect(await this.#scene.read(another, 0, 65_000)).toBe(content);
    await this.#scene.clunk(another);
  }

  async #lock(process: number): Promise<number> {
    const range = { start: 0, length: 0, proc_id: process, client_id: 'guest' };
    const fields = { fid: this.#locked.fid, type: WRITE_LOCK, flags: 0, ...range };
    return (await this.#scene.client.request('Tlock', fields)).status;
  }

  #pick(): Known {
    return this.#files[this.#random.below(this.#files.length)]!;
  }
}
