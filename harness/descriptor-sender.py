"""Passes descriptors that take long to close with requests on standard input, a connected socket: descriptor-sender.py linger|fuse COUNT

Prints {"replies": [errno of each, or "the end"], "slowest": milliseconds}, and stays.
"""
import ctypes, json, os, socket, struct, sys, threading, time

CHMOD, LSTAT = 11, 8


def frame(kind, payload):
    return struct.pack("<II", kind, len(payload)) + payload


def serve_fuse(device):
    """Answers as a FUSE server with one file, but never to FLUSH: <linux/fuse.h>."""
    def attributes(node):
        mode = 0o40755 if node == 1 else 0o100644
        return struct.pack("<6Q10I", node, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 512, 0)

    while True:
        request = os.read(device, 1 << 20)
        _length, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode == 26:
            reply = struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 0, 0, 4096, 1, 0, 0, *[0] * 8)
        elif opcode == 1:
            reply = struct.pack("<4Q2I", 2, 0, 3600, 3600, 0, 0) + attributes(2)
        elif opcode == 3:
            reply = struct.pack("<Q2I", 3600, 0, 0) + attributes(node)
        elif opcode == 14:
            reply = struct.pack("<QII", 1, 0, 0)
        elif opcode in (25, 2, 36, 42):
            continue
        else:
            reply = b""
        error = 0 if reply or opcode in (18, 29) else -38
        os.write(device, struct.pack("<IiQ", 16 + len(reply), error, unique) + reply)


def fuse():
    """Mounts it on /mnt, in mounts of its own. The process that goes on is a child of the server: what it has open is closed when the server has ended."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"fuse", b"/mnt", b"fuse", 0, options) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    if os.fork() != 0:
        serve_fuse(device)
    os.close(device)
    libc.prctl(1, 9)
    return lambda: os.open("/mnt/file", os.O_RDWR)


def linger():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    server.bind(("127.0.0.1", 0))
    server.listen(1000)

    def make():
        client = socket.socket()
        client.connect(server.getsockname())
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
        try:
            while True:
                client.send(bytes(65536))
        except BlockingIOError:
            pass
        return client.detach()

    return make


helper = socket.socket(fileno=os.dup(0))
helper.setblocking(True)
make = {"fuse": fuse, "linger": linger}[sys.argv[1]]()
slowest = 0.0


def reply():
    """The errno of the next one; 0 for what is none."""
    global slowest
    begin = time.monotonic()
    header = helper.recv(8, socket.MSG_WAITALL)
    if len(header) < 8:
        return "the end"
    payload = helper.recv(struct.unpack("<II", header)[1], socket.MSG_WAITALL)
    slowest = max(slowest, time.monotonic() - begin)
    return -struct.unpack_from("<i", payload)[0]


replies = []
while len(replies) < int(sys.argv[2]) and "the end" not in replies:
    descriptor = make()
    helper.sendmsg([frame(CHMOD, struct.pack("<HI", 0, 0o777))],
                   [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))])
    # the helper's is to be the last; to close one of FUSE would wait here
    if sys.argv[1] == "linger":
        threading.Thread(target=os.close, args=(descriptor,), daemon=True).start()
    replies.append(reply())
    if replies[-1] != "the end":
        helper.sendall(frame(LSTAT, struct.pack("<H", 1) + b"/"))
        reply()
print(json.dumps({"replies": replies, "slowest": slowest * 1000}), flush=True)
time.sleep(120)
