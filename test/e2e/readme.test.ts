/** The commands of the README are the ones that work. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { helperNode, helperUnderTest } from '../guest/helper.js';
import { Machine } from '../guest/qemu.js';
import { repositoryRoot } from '../guest/repository.js';
import { WireClient } from '../support/wire-client.js';
import { requests } from '../support/requests.js';

const readme = fs.readFileSync(path.join(repositoryRoot, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block = '']) =>
  block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words[0] !== ''),
);

const commandsOf = (program: string): string[][] => commands.filter(([first]) => first === program);

/** What QEMU is told of a share, with the names that its author chose taken out. */
const shape = (words: readonly string[]): string[] =>
  words
    .slice(words.indexOf('-fsdev'))
    .map((word) => word.replace(/(id|fsdev|mount_tag|socket|sock_fd)=[^,]*/g, '$1='));

describe('the README', () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await Machine.boot({ tag: 'share' }, { tag: 'passed', by: 'sock_fd' });
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
      const [words] = commandsOf('virtfs-proxy-helper');
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
    const [bySocket, byDescriptor] = commandsOf('qemu-system-x86_64');
    expect(shape(bySocket!)).toEqual(shape(machine.share('share').qemuArguments));
    expect(shape(byDescriptor!)).toEqual(shape(machine.share('passed').qemuArguments));
  });

  it('mounts the share in the guest', async () => {
    const [mount] = commandsOf('mount');
    await machine.run(mount!.join(' '));
    await machine.run('echo works >/mnt/file');
    expect(fs.readFileSync(path.join(machine.share('share').directory, 'file'), 'utf8')).toBe('works\n');
    await machine.run('umount /mnt');
  });
});
