/** Why this Node cannot run the helper, in one line; undefined when it can. */
export const complaint: string | undefined;
