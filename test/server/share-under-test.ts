/** The command that starts helper and 9P server, `virtfs-proxy-helper share`. */
import { spawnSync } from 'node:child_process';
import { helperNode, helperUnderTest } from '../../harness/guest/helper.js';

/** Why it cannot be tried here, or undefined if it can. */
export function whyNoShare(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: the helper changes its root directory and switches users';
  const { status, stderr } = spawnSync(helperNode, [helperUnderTest, 'share', '--help'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `this helper has no command share: ${stderr.trim()}`;
}
