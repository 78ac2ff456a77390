/*
 * The limit that no helper can beat: receive a request, make the one system call, send the reply. No checks, no
 * change of ids, no confinement; only open does what it takes never to open a device or a fifo. A measuring stick of
 * bench/, not part of the product.
 *   minimal-loop EXPORT [poll]        serves descriptor 3
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <stdio.h>

static char in[65544], out[65544], *at;
static int32_t d(void) { int32_t v; memcpy(&v, at, 4); at += 4; return v; }
static int64_t q(void) { int64_t v; memcpy(&v, at, 8); at += 8; return v; }
/* some strings come with a NUL, others without */
static char *s(void) {
  static char copies[2][4097]; static int which; uint16_t n; memcpy(&n, at, 2);
  if (n > 4096) n = 4096;
  char *copy = copies[which ^= 1]; memcpy(copy, at + 2, n); copy[n] = 0; at += 2 + n; return copy;
}

/* a string's length in front of it; the bytes of both */
static uint32_t string(char *body, int length) { uint16_t n = length; memcpy(body, &n, 2); return 2 + length; }

static void descriptor(int fd) {
  int32_t data = 0x7fffffff;
  struct { struct cmsghdr head; int fd; } control = {{CMSG_LEN(4), SOL_SOCKET, SCM_RIGHTS}, fd};
  struct iovec part = {&data, 4};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(4)};
  if (fd < 0) { fd = -errno; send(3, &fd, 4, 0); }
  else { sendmsg(3, &message, 0); close(fd); }
}

/* the type is looked at through O_PATH, then the same inode is opened */
static int own_descriptors;
static int open_regular(const char *path, int flags) {
  struct stat st; char number[16];
  int located = open(path, O_PATH);
  if (located < 0 || fstat(located, &st) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) return -1;
  snprintf(number, sizeof number, "%d", located);
  int fd = openat(own_descriptors, number, flags);
  close(located);
  return fd;
}

int main(int argc, char **argv) {
  int polling = argc > 2 ? MSG_DONTWAIT : 0;
  own_descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY);
  if (chroot(argv[1]) || chdir("/")) return 1;
  umask(0);
  for (;;) {
    ssize_t got = recv(3, in, sizeof in, polling);
    if (got < 0) continue;
    if (got == 0) return 0;
    int32_t type, status = 0; uint32_t bytes = 0; char *path, *two; char *body = out + 8;
    struct stat st; struct statfs sf; struct timespec times[2];
    memcpy(&type, in, 4);
    at = in + 8;
    switch (type) {
    case 2: path = s(); descriptor(open_regular(path, d())); continue;
    case 3: path = s(); { int flags = d(); descriptor(open(path, flags | O_CREAT, d())); } continue;
    case 4: at += 8; path = s(); { int mode = d(); status = mknod(path, mode, q()); } break;
    case 5: at += 8; path = s(); status = mkdir(path, d()); break;
    case 6: at += 8; { char *target = s(); status = symlink(target, s()); } break;
    case 7: path = s(); status = link(path, s()); break;
    case 8: /* the same fields in the same order, but for four bytes of padding */
      status = lstat(s(), &st); memcpy(body, &st, 36); memcpy(body + 36, (char *)&st + 40, 80); bytes = 116; break;
    case 9: path = s(); status = readlink(path, body + 2, d()); bytes = string(body, status); break;
    case 10: /* here the two words of fsid are as wide as all others */
      status = statfs(s(), &sf); memcpy(body, &sf, 56); memset(body + 56, 0, 16); memcpy(body + 72, (char *)&sf + 64, 16);
      bytes = 88; break;
    case 11: path = s(); status = chmod(path, d()); break;
    case 12: path = s(); { int uid = d(); status = lchown(path, uid, d()); } break;
    case 13: path = s(); status = truncate(path, q()); break;
    case 14: path = s(); for (int i = 0; i < 2; i++) times[i].tv_sec = q(), times[i].tv_nsec = q();
      status = utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW); break;
    case 15: path = s(); status = rename(path, s()); break;
    case 16: path = s(); status = remove(path); break;
    case 17: { int size = d(); path = s(); status = lgetxattr(path, s(), body + 2, size); bytes = size ? string(body, status) : 0; } break;
    case 18: { int size = d(); status = llistxattr(s(), body + 2, size); bytes = size ? string(body, status) : 0; } break;
    case 19: path = s(); two = s(); { uint16_t n; memcpy(&n, at, 2); status = lsetxattr(path, two, at + 2, n, 0); } break;
    case 20: path = s(); status = lremovexattr(path, s()); break;
    case 21: path = s(); memset(body, 0, bytes = 8); break;
    }
    if (status < 0) status = -errno;
    if (status < 0 || bytes == 0) memcpy(body, &status, bytes = 4);
    int32_t head[2] = {status < 0, bytes};
    memcpy(out, head, 8);
    send(3, out, 8 + bytes, 0);
  }
}
