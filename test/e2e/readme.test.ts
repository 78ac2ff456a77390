/** The commands of the README are the ones that work. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperNode, helperUnderTest } from '../../harness/guest/helper.js';
import { Machine } from '../../harness/guest/qemu.js';
import { repositoryRoot } from '../../harness/guest/repository.js';
import { wordsForNetwork } from '../../harness/guest/share.js';
import { WireClient } from '../../harness/wire-client.js';
import { requests } from '../../harness/requests.js';

const readme = fs.readFileSync(path.join(repositoryRoot, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
  block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== ''),
);

const commandsOf = (program: string, having = ''): string[][] =>
  commands.filter(([first, ...words]) => first === program && words.join(' ').includes(having));

/** What QEMU is told of a share, from a word on, with the names that its author chose taken out. */
const shape = (words: readonly string[], from: string): string[] =>
  words
    .slice(words.indexOf(from))
    .map((word) =>
      word
        .replace(/(id|fsdev|mount_tag|socket|sock_fd|path|netdev)=[^,]*/g, '$1=')
        .replace(/(chardev):\w+|,romfile=/g, '$1'),
    );

describe('the README', () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.boot(
      { tag: 'forwarded', by: 'guestfwd' },
      { tag: 'share' },
      { tag: 'passed', by: 'sock_fd' },
    );
  }, 120_000);
  afterAll(async () => {
    await machine.destroy();
  });

  it('names scripts that are there', () => {
    const scripts = commands.flat().filter((word) => word.startsWith('scripts/'));
    expect(scripts).toEqual(['scripts/demo', 'scripts/test']);
    for (const script of scripts) fs.accessSync(path.join(repositoryRoot, script), fs.constants.X_OK);
  });

  it('starts the helper in the background, with a socket for the user of QEMU', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'readme-'));
    try {
      const [words] = commandsOf('virtfs-proxy-helper', '--socket');
      const substitutes: Record<string, string> = {
        '/srv/share': directory,
        '/run/9p.sock': path.join(directory, '9p.sock'),
        'libvirt-qemu': 'nobody',
      };
      const argv = words!.slice(1).map((word) => substitutes[word] ?? word);
      expect(argv).toEqual(expect.arrayContaining(Object.values(substitutes)));
      execFileSync(helperNode, [helperUnderTest, ...argv]);
      const client = WireClient.connect(path.join(directory, '9p.sock'));
      expect(client.request(requests.lstat('/')).errno).toBe(0);
      client.close();
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });

  it('tells QEMU of a share in the words that the other tests use', () => {
    const [bySocket, byDescriptor] = commandsOf('qemu-system-x86_64', '-fsdev');
    expect(shape(bySocket!, '-fsdev')).toEqual(shape(machine.share('share').qemuArguments, '-fsdev'));
    expect(shape(byDescriptor!, '-fsdev')).toEqual(shape(machine.share('passed').qemuArguments, '-fsdev'));
    const [forwarded] = commandsOf('qemu-system-x86_64', 'guestfwd');
    const { qemuArguments } = machine.share('forwarded');
    const network = wordsForNetwork([machine.share('forwarded')]).map((word) =>
      word.replace('restrict=on,', ''),
    );
    expect(shape(forwarded!, '-chardev')).toEqual(shape([...qemuArguments, ...network], '-chardev'));
  });

  it('starts what a guest of any QEMU mounts in the words that the other tests use', () => {
    const [words] = commandsOf('virtfs-proxy-helper', 'share');
    const { commandLine } = machine.share('forwarded').helper;
    const names = (line: readonly string[]): string[] =>
      line.flatMap(
        (word) => /^--(?!gid)[a-z]+|^unix(?=:)|^share$/.exec(word.replace(/^-p$/, '--path'))?.[0] ?? [],
      );
    expect(names(words!)).toEqual(names(commandLine.split(' ')));
  });

  it.each([
    ['share', 'trans=virtio'],
    ['forwarded', 'trans=tcp'],
  ])('mounts the share in the guest: %s', async (tag, by) => {
    const [mount] = commandsOf('mount', by);
    await machine.run(mount!.join(' '));
    await machine.run('echo works >/mnt/file');
    expect(fs.readFileSync(path.join(machine.share(tag).directory, 'file'), 'utf8')).toBe('works\n');
    await machine.run('umount /mnt');
  });
});
