# The first process of a host of its own, in which libvirt's daemons run without a systemd: with private copies of what
# they read and write, in the directory $1. Says "ready" when they can be started.
set -e
keep() {
  mkdir "$scratch/$2"
  [ ! -d "$1" ] || cp -a "$1/." "$scratch/$2"
  mount --bind "$scratch/$2" "$1"
}

scratch=$1
mount -t tmpfs scratch "$scratch"
keep /etc etc
keep /var/lib/libvirt lib
keep /var/log/libvirt log
keep /var/cache/libvirt cache
mount -t tmpfs run /run
mount -t tmpfs srv /srv
# libvirt does without cgroups where none are mounted
! mountpoint -q /sys/fs/cgroup || umount --recursive --lazy /sys/fs/cgroup
# Devices without /dev/kvm. Where QEMU can open that when it is asked, and libvirt finds that QEMU's user may not, libvirt asks
# each QEMU anew for every domain that is defined: 12 s.
mkdir "$scratch/dev"
mount -t tmpfs -o mode=755 dev "$scratch/dev"
for device in null zero full random urandom tty; do cp -a "/dev/$device" "$scratch/dev"; done
mkdir "$scratch/dev/pts" "$scratch/dev/shm"
mount -t devpts -o ptmxmode=666 pts "$scratch/dev/pts"
mount -t tmpfs shm "$scratch/dev/shm"
ln -s /proc/self/fd "$scratch/dev/fd"
ln -s pts/ptmx "$scratch/dev/ptmx"
umount --recursive --lazy /dev
mount --move "$scratch/dev" /dev
virtlogd --daemon
echo ready
# collects the processes whose parents have ended: libvirt waits for that
while :; do
  sleep 3600 &
  wait $!
done
