import { constants } from 'node:os';
import { expect, it } from 'vitest';
import * as errno from '../../src/syscalls/errno.js';

it('has the numbers of this platform', () => {
  expect(constants.errno).toMatchObject({ ...errno });
});
