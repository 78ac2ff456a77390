import { describeErrno } from '../abi/errno-text.js';
import { socketPair } from '../syscalls/sockets.js';
import { StartError } from './start-errors.js';

/** Makes two connected sockets that a start needs. Throws a StartError. */
export function openSocketPair(): readonly [number, number] {
  const pair = socketPair();
  if (typeof pair === 'number')
    throw new StartError('out-of-resources', `cannot make a socket pair: ${describeErrno(pair)}`);
  return pair;
}
