#!/usr/bin/env python3
"""A file system with one file of 1 MiB, `file`, whose reads wait: stalling-disk.py DIRECTORY

Says "mounted", and "read" for each read that waits. A line on standard input answers all that do. It is unmounted when
standard input ends.
"""
import ctypes, errno, os, select, struct, sys

# <linux/fuse.h>
LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 27, 28, 29, 36, 42
DIRECT_IO = 1
ROOT, FILE, SIZE = 1, 2, 1 << 20
MNT_DETACH = 2
HOUR = 3600

directory = sys.argv[1].encode()
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if libc.mount(b"stalling", directory, b"fuse", 0, options) != 0:
    sys.exit(f"no mount: {os.strerror(ctypes.get_errno())}")


def attributes(node):
    mode, size = (0o40755, 0) if node == ROOT else (0o100644, SIZE)
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 512, 0)


def answer(unique, payload=b"", error=0):
    os.write(device, struct.pack("<IiQ", 16 + len(payload), -error, unique) + payload)


def handle(request):
    """Answers a request, but for a read: returns that, as its number and its size."""
    _length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    if opcode == READ:
        return unique, struct.unpack_from("<I", request, 56)[0]
    if opcode == INIT:
        answer(unique, struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8))
    elif opcode == LOOKUP and request[40:] == b"file\0":
        answer(unique, struct.pack("<4Q2I", FILE, 0, HOUR, HOUR, 0, 0) + attributes(FILE))
    elif opcode == LOOKUP:
        answer(unique, error=errno.ENOENT)
    elif opcode == GETATTR:
        answer(unique, struct.pack("<Q2I", HOUR, 0, 0) + attributes(node))
    elif opcode in (OPEN, OPENDIR):
        answer(unique, struct.pack("<QII", 1, DIRECT_IO if opcode == OPEN else 0, 0))
    elif opcode in (RELEASE, RELEASEDIR, FLUSH, READDIR):
        answer(unique)
    elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
        answer(unique, error=errno.ENOSYS)
    return None


print("mounted", flush=True)
waiting = []
while True:
    ready, _, _ = select.select([device, 0], [], [])
    if 0 in ready:
        if not os.read(0, 4096):
            break
        for unique, size in waiting:
            answer(unique, b"x" * size)
        waiting = []
    if device in ready:
        read = handle(os.read(device, 1 << 20))
        if read is not None:
            waiting.append(read)
            print("read", flush=True)
libc.umount2(directory, MNT_DETACH)
