/** What happens at a forbidden system call: the process is killed, or only the kernel's audit log has a line of it. */
export const seccompModes = ['kill', 'log', 'none'] as const;
export type SeccompMode = (typeof seccompModes)[number];
