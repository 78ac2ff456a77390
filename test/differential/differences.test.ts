/** Each deliberate difference, seen on both sides: one that is gone has to leave the list. */
import { describe, expect, it } from 'vitest';
import { OURS, REFERENCE, sessionForTest, whyNoReference } from '../../harness/helper-process.js';
import { exportForTest } from '../../harness/tree.js';
import { patience } from '../../harness/patience.js';
import type { Difference } from './difference.js';
import { differences } from './differences.js';

const skipped = whyNoReference();
if (skipped !== undefined) console.warn(`deliberate differences skipped: ${skipped}`);

/** How long a helper may stay silent, in seconds. The reference never answers when it is blocked, ours always does. */
const silenceOf = (program: string): number => (program === REFERENCE ? 1.5 : 20) * patience;

async function observe(difference: Difference, program: string): Promise<string> {
  const root = exportForTest(difference.directory);
  difference.prepare?.(root);
  const wrapper = difference.wrapper?.(root) ?? [];
  return difference.observe({
    root,
    ...sessionForTest(root, { program, wrapper, timeoutSeconds: silenceOf(program) }),
  });
}

describe.skipIf(skipped !== undefined)('deliberate differences', () => {
  describe.each(differences)('$name', (difference) => {
    it('is there in the reference', async () => {
      const expected =
        difference.reference instanceof RegExp
          ? difference.reference
          : new RegExp(`^${escape(difference.reference)}$`);
      let observed = await observe(difference, REFERENCE);
      for (let starts = 1; starts < (difference.starts ?? 1) && !expected.test(observed); starts += 1)
        observed = await observe(difference, REFERENCE);
      expect(observed, difference.reason).toMatch(expected);
    });

    it('is there in ours', async () => {
      expect(await observe(difference, OURS), difference.reason).toBe(difference.ours);
    });
  });
});

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
