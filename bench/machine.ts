import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { sum } from './statistics.js';

/** What the figures were measured on. Nothing that tells whose machine it is. */
export interface MachineDescription {
  readonly cpu: string;
  readonly cores: number;
  readonly virtualized: boolean;
  readonly memory: number;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
  readonly qemu: string;
  readonly date: string;
  /** How many cores other work took, that of other virtual machines too, just before the run: it disturbs. */
  readonly busyCores: number;
}

const LOOK_MS = 3000;

export async function describeMachine(): Promise<MachineDescription> {
  const cpuInfo = fs.readFileSync('/proc/cpuinfo', 'utf8');
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(cpuInfo)?.[1] ?? os.machine(),
    cores: os.cpus().length,
    virtualized: /^flags.* hypervisor/m.test(cpuInfo),
    memory: Math.round(os.totalmem() / 2 ** 30),
    kernel: os.release().replace(/^(\d+\.\d+\.\d+).*/, '$1'),
    fileSystem: output('findmnt', '-n', '-o', 'FSTYPE', '-T', os.tmpdir()),
    node: process.version,
    qemu: /version (\S+)/.exec(output('qemu-system-x86_64', '--version'))?.[1] ?? 'none',
    date: new Date().toISOString().slice(0, 10),
    busyCores: await busyCores(),
  };
}

async function busyCores(): Promise<number> {
  const before = processorTimes();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const after = processorTimes();
  return (os.cpus().length * (after.busy - before.busy)) / (after.all - before.all);
}

/** Of all cores, in ticks: the first line of /proc/stat, proc_stat(5). */
function processorTimes(): { readonly busy: number; readonly all: number } {
  const [line = ''] = fs.readFileSync('/proc/stat', 'utf8').split('\n');
  // user, nice, system, idle, iowait, irq, softirq, steal; the rest is in user and nice already
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const [, , , idle = 0, iowait = 0] = times;
  const all = sum(times);
  return { busy: all - idle - iowait, all };
}

function output(program: string, ...argv: string[]): string {
  try {
    return execFileSync(program, argv, { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
