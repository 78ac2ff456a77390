#!/usr/bin/env python3
"""Stands in for QEMU: tells of itself, then sends requests on the descriptors that it was given.

Prints one line of JSON with its ids, descriptors and environment, then does what its stdin says, a line each:
  FD HEX    sends these bytes on FD and prints the reply in hex, or "closed"
  leave     starts a process that keeps all descriptors, and prints "left"
  exit N    ends with status N
A signal is printed as "signal N".
"""

import json
import os
import signal
import socket
import sys


def say(text):
    os.write(1, (text + "\n").encode())


def receive(connection, size):
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError
        data += chunk
    return data


def exchange(descriptor, request):
    with socket.socket(fileno=os.dup(descriptor)) as connection:
        try:
            connection.sendall(request)
            header = receive(connection, 8)
            return (header + receive(connection, int.from_bytes(header[4:], "little"))).hex()
        except OSError:
            return "closed"


def environment():
    """As it was passed: Python adds LC_CTYPE to its own."""
    with open("/proc/self/environ") as file:
        return dict(entry.split("=", 1) for entry in file.read().split("\0") if entry)


def describe():
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    # the one that lists is open while it lists
    descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    descriptors = [number for number in descriptors if os.path.exists(f"/proc/self/fd/{number}")]
    return {
        "pid": os.getpid(),
        "uid": status["Uid"].split(),
        "gid": status["Gid"].split(),
        "groups": status["Groups"].split(),
        "capabilities": status["CapPrm"],
        "descriptors": sorted(descriptors),
        "blocking": [os.get_blocking(number) for number in sorted(descriptors) if number > 2],
        "environment": environment(),
        "arguments": sys.argv[1:],
    }


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda caught, _: say(f"signal {caught}"))
say(json.dumps(describe()))
for line in sys.stdin:
    word, _, value = line.strip().partition(" ")
    if word == "exit":
        sys.exit(int(value))
    elif word == "leave":
        if os.fork() == 0:
            signal.pause()
        say("left")
    else:
        say(exchange(int(word), bytes.fromhex(value)))
