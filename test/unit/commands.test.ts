import { describe, expect, it } from 'vitest';
import { commands, isCommand } from '../../src/helper/cli/commands.js';
import { commandHelp, helpText } from '../../src/helper/cli/help.js';

describe('the commands', () => {
  it('are told of in the help text, and each has its own', () => {
    for (const name of Object.keys(commands)) {
      if (!isCommand(name)) throw new Error(`${name} is no command`);
      expect(helpText()).toContain(`\n  ${name} `);
      expect(commandHelp(name)).toContain(`Usage: virtfs-proxy-helper ${name} `);
      for (const option of Object.keys(commands[name].options)) {
        expect(commandHelp(name)).toContain(`--${option} `);
      }
    }
  });

  it('are nothing that a command line of the C helper could begin with', () => {
    for (const name of Object.keys(commands)) expect(name).toMatch(/^[a-z]/);
    expect(isCommand('constructor')).toBe(false);
    expect(isCommand('--path')).toBe(false);
    expect(isCommand(undefined)).toBe(false);
  });
});
