import type { SessionFigures } from '../../observability/server-status.js';
import type { Context } from '../operations/context.js';

/** What a session has at this moment. @param agreed whether the client has said which dialect it speaks */
export function figuresOf(
  { dialect, msize, fids, files, locks, fileBytes, helper }: Context,
  agreed: boolean,
): SessionFigures {
  return {
    dialect: agreed ? dialect : null,
    msize: agreed ? msize : null,
    fids: fids.size,
    openFiles: files.size,
    descriptors: files.descriptors,
    locks: locks.size,
    fileBytes: { ...fileBytes },
    helper: { ...helper.counts },
  };
}
