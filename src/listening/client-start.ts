import type { Configuration } from '../cli/configuration.js';
import type { ClientDescriptors } from './client-processes.js';

/** What the listener tells the program of a client, as JSON in its only argument. */
export interface ClientStart {
  readonly configuration: Configuration;
  readonly descriptors: ClientDescriptors;
  /** Counted from 1. */
  readonly client: number;
  readonly syslog: boolean;
}

/** Where the control socket of a client is. */
export function controlPath(control: string, client: number): string {
  return `${control}.${client}`;
}
