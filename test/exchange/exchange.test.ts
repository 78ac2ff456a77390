/**
 * A tree that a guest made over QEMU's `local` driver is the same over the helper, and the other way round: seen from the
 * guest, and byte by byte on the host. QEMU runs as root here, because `local` cannot pass owners through otherwise.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Machine } from '../../harness/guest/qemu.js';
import { skipUnlessRoot } from '../../harness/root-only.js';
import { compareSnapshots, removeTree, type Snapshot, snapshot } from '../../harness/tree.js';
import { divider, everywhere, list, listAll, stepsFor } from './operations.js';

const models = ['passthrough', 'none', 'mapped-xattr', 'mapped-file'] as const;
type Model = (typeof models)[number];

const drivers = ['local', 'proxy'] as const;
type Driver = (typeof drivers)[number];

const skipped = skipUnlessRoot('exchange with QEMU');
const mountOptions = 'version=9p2000.L,access=client,posixacl,msize=262144';
const timeout = 120_000;

const makeWork = `mkdir work; chmod 755 work; cd work\n${everywhere}`;

/** The share of a tree over a driver; a tree is named after the driver that makes it. */
const tagOf = (model: Model, tree: Driver, driver: Driver): string => `${model}-${tree}-${driver}`;

/** A tree without what the helper, and only it, notes on the files of mapped-file: of which inode each is. */
const withoutMarks = (tree: Snapshot): Snapshot =>
  new Map(
    [...tree].map(([name, entry]) => {
      if (!name.includes('/.virtfs_metadata')) return [name, entry];
      const xattrs = entry.xattrs.filter((xattr) => !xattr.startsWith('user.virtfs.inode='));
      return [name, { ...entry, xattrs }];
    }),
  );

describe.skipIf(skipped)('exchange with QEMU', () => {
  let directory: string;
  /** The list of a tree on a file system of the guest itself. */
  let onTmpfs: string;
  let booted: Machine | undefined;

  const machine = (): Machine => booted!;
  const onHost = (model: Model, tree: Driver): string => path.join(directory, `${model}-${tree}`);
  const inGuest = (place: string, script: string): Promise<string> =>
    machine().run(`cd /mnt/${place}\n${script}`, { timeout });

  beforeAll(async () => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'virtfs-exchange-'));
    const shares = [];
    const words = [];
    for (const model of models) {
      for (const tree of drivers) {
        const exported = onHost(model, tree);
        fs.mkdirSync(exported);
        const local = tagOf(model, tree, 'local');
        words.push('-fsdev', `local,id=${local},path=${exported},security_model=${model}`);
        words.push('-device', `virtio-9p-pci,fsdev=${local},mount_tag=${local}`);
        const helperOptions = [`--security-model=${model}`];
        shares.push({ tag: tagOf(model, tree, 'proxy'), directory: exported, helperOptions });
      }
    }
    booted = await Machine.bootWith({ ids: { uid: 0, gid: 0 }, words }, shares);
    for (const model of models)
      for (const tree of drivers)
        for (const driver of drivers) await booted.mount(tagOf(model, tree, driver), mountOptions);
    await booted.run(`cd /tmp; ${makeWork}`, { timeout });
    onTmpfs = await booted.run(`cd /tmp/work\n${list}`, { timeout });
  }, 120_000);

  afterAll(async () => {
    await booted?.destroy();
    removeTree(directory);
  });

  describe.each(models)('%s', (model) => {
    it.each(stepsFor(model.startsWith('mapped'), model !== 'none'))(
      'a tree that was $name',
      async ({ by, script }) => {
        const seen = [];
        for (const tree of drivers) {
          const other = tree === 'local' ? 'proxy' : 'local';
          await inGuest(tagOf(model, tree, by === 'maker' ? tree : other), script);
          const views = [];
          for (const driver of drivers) views.push(await inGuest(tagOf(model, tree, driver), listAll));
          expect(views[1], `the ${tree} tree through the helper, against QEMU`).toBe(views[0]);
          seen.push(views[0]!.split(divider)[0]);
        }
        expect(seen[1], 'the tree that the helper made, against that of QEMU').toBe(seen[0]);
        const noTime = (): string => '';
        const [local, proxy] = drivers.map((tree) => withoutMarks(snapshot(onHost(model, tree), noTime)));
        expect(compareSnapshots(proxy!, local!)).toEqual([]);
      },
      300_000,
    );

    it('the helper does what any file system of Linux does', async () => {
      const tag = tagOf(model, 'proxy', 'proxy');
      await inGuest(tag, makeWork);
      expect(await inGuest(`${tag}/work`, list)).toBe(onTmpfs);
    }, 300_000);
  });

  it('what QEMU makes has what it recorded, also in a file that the helper left', async () => {
    const [local, proxy] = drivers.map((driver) => tagOf('mapped-file', 'proxy', driver));
    const tree = onHost('mapped-file', 'proxy');
    const names = ['left-file', 'left-link'];
    await inGuest(proxy!, names.map((name) => `echo x >${name}; chmod 4755 ${name}`).join('\n'));
    for (const name of names) fs.rmSync(path.join(tree, name));
    await inGuest(local!, 'echo y >left-file; chown 5:6 left-file; ln -s /target left-link');
    const look = `/usr/bin/stat -c '%N %A %u:%g' ${names.join(' ')}`;
    expect(await inGuest(proxy!, look)).toBe(await inGuest(local!, look));
  }, 60_000);
});
