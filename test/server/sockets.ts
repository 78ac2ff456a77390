/** Sockets of the 9P server's transports, for one test. */
import { closeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { acceptGuests, type AllowedPeers, type Peer } from '../../src/server/transports/acceptance.js';
import { parseListenAddress } from '../../src/server/transports/address.js';
import { type ClientSocket, openClientSocket } from '../../src/server/transports/listening.js';

export const own = { uid: process.getuid!(), gid: process.getgid!() };

export function listening(text: string): ClientSocket {
  return openClientSocket(parseListenAddress(text, false, 'share'), own).client;
}

export function accepting(
  socket: ClientSocket,
  allowed: AllowedPeers = { uids: undefined, cids: undefined },
  goOn = true,
): { peers: Peer[]; refused: Peer[]; descriptors: number[]; close: () => void } {
  const [peers, refused, descriptors]: [Peer[], Peer[], number[]] = [[], [], []];
  const acceptance = acceptGuests(socket, allowed, {
    connected: (descriptor, peer) => {
      descriptors.push(descriptor);
      peers.push(peer);
      return goOn;
    },
    refused: (peer) => refused.push(peer),
  });
  onTestFinished(() => {
    acceptance.close();
    for (const descriptor of descriptors) closeSync(descriptor);
  });
  return {
    peers,
    refused,
    descriptors,
    close: () => {
      acceptance.close();
    },
  };
}

export function client(...to: [string] | [number, string]): Socket {
  const socket = to.length === 1 ? connect(to[0]) : connect(to[0], to[1]);
  socket.on('error', () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

/** For a client in Python: prints the type of what a Tversion is answered with, or that it is not. */
export const ASK_VERSION = `
def ask(client):
    try:
        client.sendall(b'\\x15\\0\\0\\0\\x64\\xff\\xff\\0\\x20\\0\\0\\x08\\x009P2000.L')
        answer = client.recv(5)
    except OSError:
        answer = b''
    print(answer[4] if answer else 'refused')
`;
