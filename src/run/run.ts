import type { Arguments } from '../cli/arguments.js';
import { ExitStatus } from '../startup/exit-status.js';
import { complain } from '../startup/journal.js';
import { closeAllOnExec } from '../syscalls/process.js';
import { Command } from './command.js';
import { loginEnvironment } from './environment.js';
import { planRun, type PlannedShare } from './plan.js';
import { type Share, startShare } from './share.js';

/**
 * `run`: helpers first, then, with nothing left of root where a user was named, the command.
 *
 * @param helper the starting program of a helper, `main.js`
 * @returns the exit status of the command. Throws a StartError.
 */
export async function run(given: Arguments<string>, helper: string): Promise<number> {
  const plan = planRun(given);
  // compiled code, loaded only where there is a user to look up
  const account =
    plan.runAs === undefined ? undefined : new (await import('./account.js')).Account(plan.runAs);
  // what the caller left open is for neither the helpers nor the command
  closeAllOnExec();
  const shares = await startAll(plan.shares, helper);
  try {
    account?.become();
    const command = new Command(
      plan.command,
      shares.map(({ descriptor }) => descriptor),
      account === undefined ? process.env : loginEnvironment(account.login, process.env, plan.keptVariables),
    );
    for (const share of shares) share.release();
    return await command.ended;
  } finally {
    await Promise.all(shares.map((share) => share.stop()));
  }
}

/** Starts all helpers at once; when one fails, ends the others and throws its StartError. */
async function startAll(planned: readonly PlannedShare[], helper: string): Promise<Share[]> {
  const starts = await Promise.allSettled(
    planned.map(async ({ path, options }) => {
      const share = await startShare(helper, options, 'inherit');
      void share.ended.then(({ status, signal }) => {
        if (status === ExitStatus.OK) return;
        const how = signal ?? `status ${status}`;
        complain('error', `the helper of ${path} ended (${how}): all operations on it fail now`);
      });
      return share;
    }),
  );
  const shares = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const failed = starts.find((start) => start.status === 'rejected');
  if (failed === undefined) return shares;
  await Promise.all(shares.map((share) => share.stop()));
  throw failed.reason;
}
