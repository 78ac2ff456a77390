# One piece of work on several shares, in one process where a shell would fork for every file: under emulation the forks
# would take most of the time. No module of perl's is there. The shares take turns in slices of the work, as the machine
# is faster and slower from one second to the next. Prints for each share its name and the seconds of each slice.
#   perl work.pl WORK AMOUNT SLICES SHARE...     AMOUNT is files, megabytes for dd, or reads
# Each share is mounted at /mnt/SHARE and worked on in a directory of its name; the work before has to be done.

my ($name, $amount, $slices, @shares) = @ARGV;

sub now {
    my $time = pack 'qq', 0, 0;
    syscall 228, 1, $time; # clock_gettime(CLOCK_MONOTONIC); Time::HiRes would be one more thing to copy
    my ($seconds, $nanoseconds) = unpack 'qq', $time;
    return $seconds + $nanoseconds / 1e9;
}

sub command { system(@_) == 0 or die "@_: $?" }

my %listings;
my %works = (
    create => sub {
        for (@_) {
            open my $file, '>', "many/$_" or die "create: $!";
            print $file 'x' x 1000;
            close $file or die "close: $!";
        }
    },
    list => sub {
        my ($slice, $share) = splice @_, 0, 2;
        opendir $listings{$share}, 'many' or die "opendir: $!" if $slice == 0;
        for (@_) {
            my $entry = readdir $listings{$share};
            lstat "many/$entry" or die "lstat: $!" if defined $entry;
        }
    },
    chmod => sub { chmod 0600, "many/$_" or die "chmod: $!" for @_ },
    read => sub {
        for (@_) {
            open my $file, '<', "many/$_" or die "open: $!";
            defined read $file, my $content, 4096 or die "read: $!";
        }
    },
    rename => sub { rename "many/$_", "many/n$_" or die "rename: $!" for @_ },
    remove => sub { unlink "many/n$_" or die "unlink: $!" for @_ },
    untar => sub { command 'tar', 'xf', "/bench/tree-$_[0].tar" },
    git => sub {
        my $git = "git -C tree/$_[0] -c user.name=bench -c user.email=bench -c gc.auto=0";
        command "$git init -q --template= -b main && $git add 0 1 && $git commit -q -m work && $git status >/dev/null";
    },
    delete => sub { command 'rm', '-r', "tree/$_[0]" },
    'dd-write' => sub { command "dd if=/dev/zero of=data bs=1M count=$amount 2>/dev/null" },
    'dd-read' => sub { command 'dd if=../data of=/dev/null bs=1M 2>/dev/null' },
    'random-read' => sub {
        my ($slice) = @_;
        open my $file, '<', '../data' or die "open: $!";
        my $blocks = (-s $file) / 4096;
        srand $slice + 1; # the same places on each share
        for (1 .. $amount) {
            sysseek $file, 4096 * int(rand $blocks), 0 or die "sysseek: $!";
            sysread($file, my $content, 4096) == 4096 or die "sysread: $!";
        }
    },
);
my $work = $works{$name} or die "no such work: $name";
my $by_slice = $name =~ /^(list|untar|git|delete|random-read)$/;
my $by_file = $name =~ /^(create|list|chmod|read|rename|remove)$/;
my $is_data = $name =~ /^(dd-write|dd-read|random-read)$/;

# what the guest remembers of the work before is not part of this one
sub forget {
    open my $drop, '>', '/proc/sys/vm/drop_caches' or die "drop_caches: $!";
    print $drop 3;
    close $drop;
}

# what a cache holds back is written before another share has its turn
sub settle {
    opendir my $here, '.' or die "opendir: $!";
    syscall 306, fileno $here; # syncfs
}

my %seconds;
forget;
for my $slice (0 .. $slices - 1) {
    my @files = $by_file ? (1 + $amount * $slice / $slices .. $amount * ($slice + 1) / $slices) : ();
    for my $turn (0 .. $#shares) {
        # who goes first changes
        my $share = $shares[($turn + $slice) % @shares];
        my $directory = "/mnt/$share/$share";
        mkdir $_ for $slice == 0 ? ($directory, "$directory/many") : ();
        chdir $directory or die "chdir $directory: $!";
        forget if $is_data;
        my $start = now;
        $work->($by_slice ? ($slice, $share) : (), @files);
        push @{ $seconds{$share} }, now() - $start;
        if ($name eq 'dd-write') { unlink 'data' or die "unlink: $!" }
        settle;
    }
}
printf "%s %s\n", $_, join ' ', map { sprintf '%.6f', $_ } @{ $seconds{$_} } for @shares;
