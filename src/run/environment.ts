import { usageError } from '../startup/start-errors.js';
import { readFileSync } from 'node:fs';

/** Of the caller's environment su(1) --login passes on what describes the terminal. */
const OF_THE_TERMINAL = ['TERM', 'COLORTERM', 'NO_COLOR'] as const;
/** What says who the user is. */
const OF_THE_USER = ['HOME', 'SHELL', 'USER', 'LOGNAME'] as const;

/** What the user database says for the environment. */
export interface Login {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
}

/** Checks the names of --keep-env. Throws a usage error. */
export function checkKeptVariables(names: readonly string[]): void {
  const wrong = (name: string, reason: string): Error =>
    usageError(`--keep-env ${name}: ${reason}`, 'virtfs-proxy-helper run');
  for (const name of names) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw wrong(name, 'must be the name of one variable');
    if (OF_THE_USER.some((own) => own === name)) throw wrong(name, 'is always that of the user of --run-as');
  }
}

/**
 * The environment of a command that runs as another user, as su(1) --login makes it: nothing of the caller's, whose
 * variables may hold secrets, but the terminal and what was named. Throws a usage error.
 */
export function loginEnvironment(
  { name, uid, home, shell }: Login,
  callers: NodeJS.ProcessEnv,
  kept: readonly string[],
): NodeJS.ProcessEnv {
  const passedOn = [...OF_THE_TERMINAL, ...kept].flatMap((variable) => {
    const value = callers[variable];
    return value === undefined ? [] : [[variable, value] as const];
  });
  return {
    PATH: loginPath(uid),
    ...Object.fromEntries(passedOn),
    HOME: home,
    SHELL: shell === '' ? '/bin/sh' : shell,
    USER: name,
    LOGNAME: name,
  };
}

/** The PATH of a login: login.defs(5), ENV_PATH and ENV_SUPATH. */
function loginPath(uid: number): string {
  const [names, usual] =
    uid === 0
      ? [['ENV_SUPATH', 'ENV_ROOTPATH'], '/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin']
      : [['ENV_PATH'], '/usr/local/bin:/bin:/usr/bin'];
  const definitions = loginDefinitions();
  for (const name of names) {
    const found = new RegExp(`^[ \\t]*${name}[ \\t=]+"?(?:PATH=)?([^"\\s]+)`, 'm').exec(definitions)?.[1];
    if (found !== undefined) return found;
  }
  return usual;
}

function loginDefinitions(): string {
  try {
    return readFileSync('/etc/login.defs', 'utf8');
  } catch {
    // not every system has it
    return '';
  }
}
