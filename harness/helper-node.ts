/** `HELPER_NODE=26 npx vitest run ...`: every test starts its helpers under that Node instead of the tests' own. */
import { HelperOnNode } from './nodes.js';

export default function installForNode(): (() => void) | undefined {
  const { HELPER_NODE: version } = process.env;
  if (version === undefined) return undefined;
  const installed = new HelperOnNode(version);
  // the processes that run the tests inherit these
  process.env['VIRTFS_HELPER'] = installed.program;
  process.env['VIRTFS_NODE'] = installed.node;
  return () => {
    installed.remove();
  };
}
