#!/bin/sh
# Starts QEMU, as the user nobody, on a directory that is shared with the guest:
#   orchestrator.sh DIR [argument of QEMU ...]
# A shell cannot make a socket pair; `run` does.
directory=$1
shift
exec virtfs-proxy-helper run --run-as nobody --path "$directory" --log-level warn -- \
  "${QEMU:-qemu-system-x86_64}" \
  -fsdev 'proxy,id=fs0,sock_fd={fd}' -device virtio-9p-pci,fsdev=fs0,mount_tag=share \
  "$@"
