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
virtlogd --daemon
echo ready
# collects the processes whose parents have ended: libvirt waits for that
while :; do
  sleep 3600 &
  wait $!
done
