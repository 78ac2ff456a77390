/** The 9P server as it is installed, confined and with a helper of its own, under the tests of every 9P server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { helperNode } from '../guest/helper.js';
import { OURS, whyNotRoot } from '../support/helper-process.js';
import { NinepClient } from '../support/ninep-client.js';
import { makeExport, removeTree } from '../support/tree.js';
import { acceptance } from './acceptance.js';
import type { Running } from './acceptance/scene.js';

async function startShare(): Promise<Running> {
  const directory = makeExport();
  const socket = `${directory}.sock`;
  const options = [
    `--path=${directory}`,
    `--listen=unix:${socket}`,
    '--keep-listening',
    '--ready-fd=3',
    '--log-level=silent',
  ];
  const share = spawn(helperNode, [OURS, 'share', ...options], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  });
  const ended = once(share, 'exit');
  const [report] = (await once(share.stdio[3] as Readable, 'data')) as [Buffer];
  if (report.toString() !== 'ready\n') throw new Error(report.toString());
  return {
    connect: () => NinepClient.connect({ path: socket }),
    export: directory,
    stop: async () => {
      share.kill('SIGTERM');
      await ended;
      removeTree(directory);
      rmSync(socket, { force: true });
    },
  };
}

acceptance('virtfs-9p-server', startShare, { skip: whyNotRoot() });
