#!/bin/sh
# The first process of a User Mode Linux guest, whose root is the host's, read-only. Runs scripts that the host puts into
# a directory of both and names on the serial line.
#   uml_host=DIRECTORY (kernel's command line) of the host, here /mnt/host
#   on the line: "NUMBER\n" and back "NUMBER STATUS\n"; files: NUMBER.script, NUMBER.stdout, NUMBER.stderr
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
# the host's own files there are none of the guest's business, and nothing can be made on the root
mount -t tmpfs -o mode=755 mnt /mnt
mkdir /mnt/host /mnt/disk /dev/shm
mount -t hostfs -o "$uml_host" host /mnt/host
[ ! -e /dev/ubda ] || mount -t ext4 /dev/ubda /mnt/disk
ip link set lo up
hostname guest

modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in fs/netfs/netfs fs/fscache/fscache net/9p/9pnet net/9p/9pnet_fd fs/9p/9p; do
  insmod "$modules/$module.ko" || echo "init: cannot load $module"
done

exec 3<>/dev/ttyS0
stty raw -echo <&3
cd /tmp || exit
echo '0 0' >&3
while read -r number <&3; do
  base=/mnt/host/$number
  bash "$base.script" </dev/null >"$base.stdout" 2>"$base.stderr" 3>&-
  echo "$number $?" >&3
done
