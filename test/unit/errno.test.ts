import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as errno from '../../src/abi/errno.js';

it('has the numbers of the kernel', () => {
  // os.constants has not all of them
  const headers = ['errno-base.h', 'errno.h'].map((name) =>
    readFileSync(`/usr/include/asm-generic/${name}`, 'utf8'),
  );
  const numbers = [...headers.join('\n').matchAll(/^#define\s+(E\w+)\s+(\d+)/gm)].map(
    ([, name, number]) => [name, Number(number)] as const,
  );
  expect(Object.fromEntries(numbers)).toMatchObject({ ...errno });
});
