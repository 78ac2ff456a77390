import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';

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
  /** Runnable processes over the last minute when the run began: other work disturbs. */
  readonly load: number;
}

export function describeMachine(): MachineDescription {
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
    load: os.loadavg()[0] ?? NaN,
  };
}

function output(program: string, ...argv: string[]): string {
  try {
    return execFileSync(program, argv, { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
