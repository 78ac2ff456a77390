#!/usr/bin/env python3
"""Starts QEMU, as the user who calls, on a directory that is shared with the guest:
    orchestrator.py DIR [argument of QEMU ...]
"""

import os
import socket
import subprocess
import sys

directory, *rest = sys.argv[1:]
ours, helpers = socket.socketpair()
ready, report = os.pipe()

helper = subprocess.Popen(
    [
        "virtfs-proxy-helper",
        "--nodaemon",
        f"--path={directory}",
        f"--fd={helpers.fileno()}",
        f"--ready-fd={report}",
        "--log-level=warn",
    ],
    pass_fds=[helpers.fileno(), report],
    start_new_session=True,  # an interrupt from the terminal is for QEMU alone
)
helpers.close()
os.close(report)
with os.fdopen(ready) as line:
    message = line.readline().strip()
if message != "ready":
    sys.exit(message or "the helper did not start")

qemu = subprocess.Popen(
    [
        os.environ.get("QEMU", "qemu-system-x86_64"),
        *("-fsdev", f"proxy,id=fs0,sock_fd={ours.fileno()}"),
        *("-device", "virtio-9p-pci,fsdev=fs0,mount_tag=share"),
        *rest,
    ],
    pass_fds=[ours.fileno()],
)
# QEMU has its own copy now; with ours closed the helper ends when QEMU does
ours.close()
status = qemu.wait()
helper.wait()
sys.exit(status)
