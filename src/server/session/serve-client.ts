import type { Logger } from '../../observability/log.js';
import { Refusals } from '../../observability/refusals.js';
import type { SessionFigures } from '../../observability/server-status.js';
import { HelperClient } from '../helper-client/helper-client.js';
import { Replacements } from '../helper-client/replacements.js';
import type { ChannelFactory } from './channel.js';
import type { MessageStatistics } from './message-statistics.js';
import { Session } from './session.js';

/** What the operator chose for a session, and what follows from it. */
export interface SessionSettings {
  /** The types of directory entries are the kernel's, or have to be asked of the helper: those of the mapped models. */
  readonly types: 'kernel' | 'attributes';
  /** What the guest is not to see: the directories of mapped-file. */
  readonly hidden: 'virtfs_metadata' | 'none';
  readonly coherent: boolean;
  /** The longest message, in bytes. */
  readonly msize: number;
  /** The longest polling window of --poll-us, microseconds. */
  readonly pollCeiling: number;
  /** How long to wait for another helper, milliseconds; undefined where it takes as long as it takes. */
  readonly helperPatience: number | undefined;
  readonly limits: {
    readonly fids: number;
    readonly requests: number;
    readonly descriptors: number;
    readonly attributeBytes: number;
  };
}

/** How a session ended: the client left, we were told to stop, the helper was lost, or the client broke the protocol. */
export type SessionEnd = 'closed' | 'stopped' | 'failed' | 'violation';

export interface ServedClient {
  readonly ended: Promise<SessionEnd>;
  readonly figures: () => SessionFigures;
  /** Ends the session from our side. */
  end(): void;
}

export interface ServedBy {
  /** A connected socket, which the session owns from now on. */
  readonly helper: number;
  /** Another one, through which connections to further helpers come. */
  readonly furtherHelpers: number;
  readonly settings: SessionSettings;
  readonly log: Logger;
  readonly statistics: MessageStatistics;
}

/** Names of mapped-file's own. */
const METADATA = ['.virtfs_metadata', '.virtfs_metadata_root'];

/** Serves one client until either end is gone. */
export function serveClient(
  open: ChannelFactory,
  { helper: socket, furtherHelpers, settings, log, statistics }: ServedBy,
): ServedClient {
  const { types, hidden, coherent, msize, pollCeiling, helperPatience, limits } = settings;
  let tell: (end: SessionEnd) => void = () => undefined;
  const ended = new Promise<SessionEnd>((resolve) => {
    tell = resolve;
  });
  const lost = (reason: string): void => {
    log.error({ reason }, 'the helper is gone');
    session.end();
    tell('failed');
  };
  let canBeReplaced = true;
  let isWaiting = false;
  let late: NodeJS.Timeout | undefined;
  const helper = new HelperClient(socket, {
    pollCeiling,
    onGone: (reason) => {
      if (!canBeReplaced) return false;
      log.debug({ reason }, 'the helper has ended; waiting for another one');
      isWaiting = true;
      if (helperPatience !== undefined) late = setTimeout(lost, helperPatience, 'no other one came in time');
      return true;
    },
    onLost: lost,
  });
  new Replacements(furtherHelpers, {
    came: (another) => {
      helper.replaceSocket(another);
      clearTimeout(late);
      isWaiting = false;
    },
    ended: () => {
      canBeReplaced = false;
      if (isWaiting) lost('there will be no other one');
    },
  });
  const session = new Session(open, helper, {
    limits: {
      messageBytes: msize,
      fids: limits.fids,
      openFiles: limits.descriptors,
      requests: limits.requests,
    },
    settings: {
      versions: coherent ? 'coherent' : 'change',
      entryTypes: types,
      hiddenNames: new Set(hidden === 'none' ? [] : METADATA),
      maxAttributeBytes: limits.attributeBytes,
    },
    log,
    refusals: new Refusals(log),
    statistics,
    ended: (reason) => {
      helper.close();
      if (reason !== undefined) log.error({ requests: session.served, reason }, 'the client was sent away');
      tell(reason === undefined ? 'closed' : 'violation');
    },
  });
  return {
    ended,
    figures: () => session.figures,
    end: () => {
      tell('stopped');
      session.end();
    },
  };
}
