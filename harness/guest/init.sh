#!/bin/busybox sh
# The guest's first process: loads the 9p driver, then runs the scripts that arrive on a virtio serial port.
#   request:  "LENGTH\n" + script              reply: "STATUS STDOUT-LENGTH STDERR-LENGTH\n" + both outputs
export PATH=/usr/bin:/bin
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
chmod 1777 /tmp

while read -r module; do
  insmod "$module" || echo "init: cannot load $module"
done </modules/order

# the address that QEMU's user network expects, in a machine that has one
if [ -e /sys/class/net/eth0 ]; then
  ip address add 10.0.2.15/24 dev eth0
  ip link set eth0 up
fi

# The device's number depends on where it is plugged in.
until port=$(echo /dev/vport*p1) && [ -c "$port" ]; do usleep 10000; done
exec 3<>"$port"
cd /tmp || exit

echo '0 0 0' >&3
while read -r length <&3; do
  head -c "$length" <&3 >/tmp/.script
  dash /tmp/.script </dev/null >/tmp/.stdout 2>/tmp/.stderr 3>&-
  status=$?
  echo "$status $(wc -c </tmp/.stdout) $(wc -c </tmp/.stderr)" >&3
  cat /tmp/.stdout /tmp/.stderr >&3
done
echo 'init: the port was closed'
poweroff -f
