import { type Command, commands } from './commands.js';
import { type Option, options, type OptionTable, usageError } from './options.js';

/** What completes the values that cannot be listed, by the name that the help text gives them: bash's `compgen`. */
const bashActions: Readonly<Record<string, string>> = {
  DIR: '-A directory',
  PATH: '-A file',
  FILE: '-A file',
  SOCKET: '-A file',
  USER: '-A user',
  GROUP: '-A group',
  COMMAND: '-A command',
};

/** The words of `compgen` for a value, or none when nothing is known of it. */
function bashAction({ value = '', choices }: Pick<Option, 'value' | 'choices'>): string {
  return choices === undefined ? (bashActions[value] ?? '') : `-W '${choices.join(' ')}'`;
}

/** All flags of a table. */
function flags(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, { short }]) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
  );
}

/** One branch of a shell `case` for each option that has a value. */
function bashValues(table: OptionTable): string {
  return Object.entries(table)
    .filter(([, { value }]) => value !== undefined)
    .map(([name, option]) => {
      const { short } = option;
      const pattern = short === undefined ? `--${name}` : `--${name} | -${short}`;
      return `        ${pattern}) action="${bashAction(option)}" ;;`;
    })
    .join('\n');
}

/** What is known when the command is `name`: its options with values, its flags, its operands. */
function bashCase(name: string, { options: table, operand }: Pick<Command, 'options' | 'operand'>): string {
  return `    ${name})
      case $previous in
${bashValues(table)}
        *) valued= flags='${flags(table).join(' ')}' action="${bashAction(operand)}" ;;
      esac ;;`;
}

function bash(): string {
  const serving = { options, operand: { choices: Object.keys(commands) } };
  const cases = [...Object.entries(commands).map(([name, command]) => bashCase(name, command))];
  return `# completion of virtfs-proxy-helper in bash
_virtfs_proxy_helper() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local valued=yes flags= action=
  # bash takes the = between an option and its value for a word
  [ "$word" != = ] || word=
  [ "$previous" != = ] || previous=\${COMP_WORDS[COMP_CWORD - 2]}
  case $([ "$COMP_CWORD" = 1 ] || echo "\${COMP_WORDS[1]}") in
${cases.join('\n')}
${bashCase('*', serving)}
  esac
  compopt -o filenames 2>/dev/null
  if [ -z "$valued" ] && [[ $word == -* ]]; then
    action="-W '$flags'"
  fi
  mapfile -t COMPREPLY < <([ -z "$action" ] || eval "compgen $action -- \\"\\$word\\"")
}
complete -F _virtfs_proxy_helper virtfs-proxy-helper
`;
}

/** What completes the values that cannot be listed, by the name that the help text gives them: zsh's functions. */
const zshActions: Readonly<Record<string, string>> = {
  DIR: '_files -/',
  PATH: '_files',
  FILE: '_files',
  SOCKET: '_files',
  USER: '_users',
  GROUP: '_groups',
};

function zshAction({ value = '', choices }: Pick<Option, 'value' | 'choices'>): string {
  return choices === undefined ? (zshActions[value] ?? ' ') : `(${choices.join(' ')})`;
}

/** The words of `_arguments` for a table. Every option may be given again. */
function zshSpecifications(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => {
    const { short, value, help } = option;
    const text = help.replaceAll(/[[\]]/g, '\\$&').replaceAll("'", "'\\''");
    const argument = value === undefined ? '' : `:${value}:${zshAction(option)}`;
    const long = `'*--${name}${value === undefined ? '' : '='}[${text}]${argument}'`;
    if (short === undefined) return [long];
    return [long, `'*-${short}${value === undefined ? '' : '+'}[${text}]${argument}'`];
  });
}

function zshCase(name: string, { options: table, operand }: Pick<Command, 'options' | 'operand'>): string {
  const words = operand.value === 'COMMAND' ? '_normal' : zshAction(operand);
  const rest = operand.value === 'COMMAND' ? '*:::command:_normal' : `*:${operand.value ?? ''}:${words}`;
  return `    ${name})
      shift words
      (( CURRENT-- ))
      _arguments -s -S ${zshSpecifications(table).join(' \\\n        ')} '${rest}'
      ;;`;
}

function zsh(): string {
  return `#compdef virtfs-proxy-helper
# completion of virtfs-proxy-helper in zsh
_virtfs_proxy_helper() {
  case $words[2] in
${Object.entries(commands)
  .map(([name, command]) => zshCase(name, command))
  .join('\n')}
    *)
      _arguments -s ${zshSpecifications(options).join(' \\\n        ')} '1:command:(${Object.keys(commands).join(' ')})'
      ;;
  esac
}
compdef _virtfs_proxy_helper virtfs-proxy-helper
`;
}

const scripts: Readonly<Record<string, () => string>> = { bash, zsh };

/** The script that makes a shell complete the command line. Throws a usage error. */
export function completionScript(shell: string | undefined): string {
  const script = shell !== undefined && Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script !== undefined) return script();
  throw usageError(
    `${shell ?? 'no shell'}: must be ${Object.keys(scripts).join(' or ')}`,
    'virtfs-proxy-helper completion',
  );
}
