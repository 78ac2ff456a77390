/** Work on the current directory of the guest, in steps that two drivers can take turns with. */

/**
 * Puts the names of all objects below a directory into files, by kind. As `find`, but it leaves out names with a dot: a
 * guest sees those of mapped-file's metadata over the helper, though it can do nothing with them.
 */
const walk = `
names() {
  for name in "$1"/*; do
    if [ -L "$name" ]; then echo "$name" >>/tmp/others
    elif [ -d "$name" ]; then echo "$name" >>/tmp/directories; echo "$name" >>/tmp/all; names "$name"; continue
    elif [ -f "$name" ]; then echo "$name" >>/tmp/files; echo "$name" >>/tmp/others
    elif [ -e "$name" ]; then echo "$name" >>/tmp/others
    else continue
    fi
    echo "$name" >>/tmp/all
  done
}
walk() {
  : >/tmp/others; : >/tmp/files; echo . >/tmp/directories; echo . >/tmp/all
  names "$1"
}`;

/** Runs a command of the guest on the names in a file. */
const each = (file: string, command: string): string => `tr '\\n' '\\0' </tmp/${file} | xargs -0 ${command}`;

/** Everything that a file system keeps about its objects, but for attributes with names. */
const make = `
umask 022
mkdir d d/e; mkdir -m 1777 sticky; mkdir -m 2775 shared; chgrp 50 shared
echo content >plain; : >empty; seq 3000 >d/lines; printf 'no newline' >'with space'; echo x >-dash; echo y >'ü'
echo x >owned; chown 1000:100 owned; chmod 640 owned
echo x >set-uid; chown 1:2 set-uid; chmod 4755 set-uid; echo x >set-gid; chmod 2711 set-gid
echo x >none; chmod 0 none; chown 4294967294:70000 none
ln -s plain link; ln -s /no/such/place dangling; ln -s "$(seq -s / 100)" long; chown -h 7:8 link
ln plain d/hard; ln link d/link
setpriv --reuid=1234 --regid=5678 --clear-groups dash -ec '
  umask 027; cd sticky
  echo mine >file; mkdir directory; ln -s file link; echo x >directory/inside; chmod 4711 directory/inside'
setpriv --reuid=1234 --regid=5678 --groups=50 dash -ec 'umask 002; cd shared; echo ours >file; mkdir below'
touch -h -d 2001-02-03 d/lines link`;

const makeSpecial = `
mknod char c 1 3; mknod -m 640 block b 253 70000; mknod -m 604 fifo p; chown 5:6 char fifo; ln char d/char
setpriv --reuid=1234 --regid=5678 --clear-groups mkfifo sticky/fifo; touch -h -d 2001-02-03 char`;

/** Changes each kind of object, moves and removes some, and makes new ones among them. */
const change = `${walk}
umask 077
chmod 600 plain; chmod 6755 d/lines; chmod 700 d; chmod 640 none
chown 2000:2001 set-uid; chown 3000 d/e; chown -h 9:10 dangling; chown 11:12 none
mv owned renamed; mv d/hard d/harder; mv 'with space' d/e; mv link d/e/moved
echo old >old; chown 44:45 old; mv -f set-gid old
mv d/e moved; mv moved/moved back
rm empty; rm -rf sticky/directory; echo again >empty
ln set-uid d/second; rm set-uid; echo more >>plain; truncate -s 5 d/lines
mkdir again; echo 1 >again/file; chown 21:22 again/file; rm -rf again; mkdir again; echo 2 >again/file
walk .; ${each('all', 'tar -cf /tmp/tree.tar --no-recursion')}; mkdir copy; tar -xpf /tmp/tree.tar -C copy
! rmdir copy 2>/dev/null; ! mkdir copy 2>/dev/null; ! ln -s x plain 2>/dev/null; ! ln plain empty 2>/dev/null
! rm copy 2>/dev/null; ! mv copy plain 2>/dev/null`;

const changeSpecial = `
chmod 444 char; chmod 1700 fifo; chgrp 3001 block; mv block d/block
rm sticky/fifo; mkfifo -m 666 sticky/fifo; mknod null c 1 3; mknod many b 4095 1048574
tar -cf /tmp/tree.tar --no-recursion char fifo d d/block null; mkdir special; tar -xpf /tmp/tree.tar -C special`;

/** User attributes and access control lists. */
const label = `
umask 022
mkdir labels; cd labels; mkdir d; echo x >file; echo x >other; chown 1000:100 other
setfattr -n user.colour -v blue file; setfattr -n user.gone -v x d; setfattr -n user.bytes -v 0x00ff0a80 other
setfacl -m u:1234:rw,g:50:r file; setfacl -m m::r other; chmod 640 file
setfacl -d -m u:1234:rwx,g:50:rx d; mkdir d/inherits; echo x >d/inherits/file; echo x >d/file`;

const relabel = `
cd labels
setfattr -n user.colour -v red file; setfattr -n user.shape -v round file; setfattr -x user.gone d
setfacl -x u:1234 file; setfacl -b other; setfacl -k d; echo x >d/later
setfacl -m u:77:x d/inherits/file; mv d/inherits/file moved; cp -a file copy; rm file`;

/** All that a guest can do on any of its file systems: a tmpfs has no user attributes. */
export const everywhere = [make, makeSpecial, change, changeSpecial].join('\n');

export interface Step {
  readonly name: string;
  /** Who takes it: the driver that made a tree, or the other one. */
  readonly by: 'maker' | 'other';
  readonly script: string;
}

/**
 * QEMU's `local` cannot make or change special files in an export that is not mapped, since its fix of CVE-2023-2861, and
 * in its model `none` there are no access control lists.
 */
export const stepsFor = (withSpecialFiles: boolean, withLabels: boolean): readonly Step[] => [
  {
    name: 'made',
    by: 'maker',
    script: [make, withSpecialFiles ? makeSpecial : '', withLabels ? label : ''].join('\n'),
  },
  {
    name: 'changed',
    by: 'other',
    script: [change, withSpecialFiles ? changeSpecial : '', withLabels ? relabel : ''].join('\n'),
  },
];

/** What every Linux file system shows alike. */
export const list = `${walk}
walk .
${each('directories', "/usr/bin/stat -c '%n %A %u:%g'")}
${each('others', "/usr/bin/stat -c '%N %A %u:%g %h %s %t:%T'")}
${each('files', 'sha256sum')}`;

/** The line between what two trees have in common and what one tree shows whoever asks. */
export const divider = '--- the tree itself';

/** The list, and what is to be the same when one tree is seen twice. */
export const listAll = `${list}
echo '${divider}'
${each('all', "/usr/bin/stat -c '%n %h %s %b %.9Y'")}
${each('all', '/usr/bin/getfattr -h -d -m - -e hex')}
${each('all', '/usr/bin/getfacl -P -n')}`;
