# What a guest does on each share, in one process where a shell would fork for every file: under emulation the forks
# would take most of the time. No module of perl's is there. Prints a line "name seconds" for each piece of work.
#   perl work.pl DIRECTORY FILES MEGABYTES [TREE]     TREE is unpacked and deleted, where it is given

my ($directory, $files, $megabytes, $tree) = @ARGV;
chdir $directory or die "chdir $directory: $!";
$| = 1;

sub now {
    my $time = pack 'qq', 0, 0;
    syscall 228, 1, $time; # clock_gettime(CLOCK_MONOTONIC); Time::HiRes would be one more thing to copy
    my ($seconds, $nanoseconds) = unpack 'qq', $time;
    return $seconds + $nanoseconds / 1e9;
}

sub timed {
    my ($name, $work) = @_;
    # what the guest remembers of the work before is not part of this one
    open my $drop, '>', '/proc/sys/vm/drop_caches' or die "drop_caches: $!";
    print $drop 3;
    close $drop;
    my $start = now;
    $work->();
    printf "%s %.6f\n", $name, now() - $start;
}

sub command { system(@_) == 0 or die "@_: $?" }

mkdir 'many' or die "mkdir: $!";
timed create => sub {
    for (1 .. $files) {
        open my $file, '>', "many/$_" or die "create: $!";
        print $file 'x' x 1000;
        close $file or die "close: $!";
    }
};
timed list => sub {
    opendir my $listing, 'many' or die "opendir: $!";
    my @names = readdir $listing;
    lstat "many/$_" or die "lstat: $!" for @names;
};
timed chmod => sub { chmod 0600, "many/$_" or die "chmod: $!" for 1 .. $files };
timed read => sub {
    for (1 .. $files) {
        open my $file, '<', "many/$_" or die "open: $!";
        defined read $file, my $content, 4096 or die "read: $!";
    }
};
timed rename => sub { rename "many/$_", "many/n$_" or die "rename: $!" for 1 .. $files };
timed remove => sub { unlink "many/n$_" or die "unlink: $!" for 1 .. $files };
rmdir 'many' or die "rmdir: $!";
if ($tree) {
    timed untar => sub { command 'tar', 'xf', $tree };
    timed delete => sub { command 'rm', '-r', 'tree' };
}
timed 'dd-write' => sub { command "dd if=/dev/zero of=data bs=1M count=$megabytes 2>/dev/null" };
timed 'dd-read' => sub { command 'dd if=data of=/dev/null bs=1M 2>/dev/null' };
unlink 'data' or die "unlink: $!";
