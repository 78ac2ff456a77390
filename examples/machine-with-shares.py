#!/usr/bin/env python3
"""Runs a virtual machine with directories of the host, without root and without QEMU's proxy driver:

    machine-with-shares.py DIR [DIR ...] -- qemu-system-x86_64 ...

Each directory is a share of its own over QEMU's user network. What the guest has to type is printed first. QEMU gets the network
device; leave out another user network. Without root the guest's owners and modes are kept in extended attributes.
"""

import os
import shlex
import subprocess
import sys
import tempfile


def start(directory, socket):
    """Starts a share. Returns when QEMU can connect."""
    ready, report = os.pipe()
    model = "passthrough" if os.geteuid() == 0 else "mapped-xattr"
    share = subprocess.Popen(
        [
            "virtfs-proxy-helper",
            "share",
            f"--path={directory}",
            f"--listen=unix:{socket}",
            f"--security-model={model}",
            f"--ready-fd={report}",
            "--log-level=warn",
        ],
        pass_fds=[report],
        start_new_session=True,  # an interrupt from the terminal is for QEMU alone
    )
    os.close(report)
    with os.fdopen(ready) as line:
        message = line.readline().strip()
    if message != "ready":
        sys.exit(message or "the share did not start")
    return share


def main():
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    directories, qemu = words[:end], words[end + 1 :]
    if not directories or not qemu:
        sys.exit(__doc__)
    shares = []
    # a share that was left by a start that failed ends, too
    with tempfile.TemporaryDirectory() as place:
        try:
            chardevs, forwards = [], []
            for number, directory in enumerate(directories):
                socket = os.path.join(place, str(number))
                shares.append(start(directory, socket))
                address = f"10.0.2.{100 + number}"
                chardevs += ["-chardev", f"socket,id=share{number},path={socket}"]
                forwards.append(f",guestfwd=tcp:{address}:564-chardev:share{number}")
                target = shlex.quote(f"/mnt/{os.path.basename(os.path.abspath(directory))}")
                print(f"mkdir -p {target}; mount -t 9p -o trans=tcp,port=564,version=9p2000.L {address} {target}")
            sys.stdout.flush()
            network = ["-netdev", "user,id=shares" + "".join(forwards), "-device", "virtio-net-pci,netdev=shares"]
            status = subprocess.call([*qemu, *chardevs, *network])
        finally:
            for share in shares:
                share.terminate()
                share.wait()
    return status


sys.exit(main())
