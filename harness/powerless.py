#!/usr/bin/env python3
"""Runs a command for which capabilities of a user namespace are worth nothing, as under AppArmor's unshare-userns-restrict.

A user namespace can be made, but what takes a capability in it is EPERM: a seccomp filter stands in for AppArmor.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38
PR_CAPBSET_DROP = 24
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
# unshare, prctl; mount, umount2, chroot, pivot_root, open_tree, move_mount, mount_setattr
UNSHARE, PRCTL, *REFUSED = {
    "x86_64": (272, 157, 165, 166, 161, 155, 428, 429, 442),
    "aarch64": (97, 167, 40, 39, 51, 41, 428, 429, 442),
}[platform.machine()]

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
NUMBER, FIRST_ARGUMENT = 0, 16
ALLOW, EPERM = 0x7FFF0000, 0x00050001


def step(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


program = [step(LOAD, NUMBER)]
for number in REFUSED:
    program += [step(EQUAL, number, 0, 1), step(RETURN, EPERM)]
program += [
    step(EQUAL, PRCTL, 0, 4),
    step(LOAD, FIRST_ARGUMENT),
    step(EQUAL, PR_CAPBSET_DROP, 0, 1),
    step(RETURN, EPERM),
    step(RETURN, ALLOW),
    step(EQUAL, UNSHARE, 0, 3),
    step(LOAD, FIRST_ARGUMENT),
    step(ANY_BIT, CLONE_NEWUSER, 1, 0),
    step(ANY_BIT, CLONE_NEWNS, 1, 0),
    step(RETURN, ALLOW),
    step(RETURN, EPERM),
]
filters = ctypes.create_string_buffer(b"".join(program))
libc = ctypes.CDLL(None, use_errno=True)
prog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(filters))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog, 0, 0):
    sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
