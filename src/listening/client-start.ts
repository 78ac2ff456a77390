import type { Configuration } from '../cli/configuration.js';

/** What the listener tells the program of a client, as JSON in its only argument. */
export interface ClientStart {
  readonly configuration: Configuration;
  /** The socket of the client. */
  readonly descriptor: number;
  /** Counted from 1. */
  readonly client: number;
  readonly syslog: boolean;
}

/** Where the control socket of a client is. */
export function controlPath(control: string, client: number): string {
  return `${control}.${client}`;
}
