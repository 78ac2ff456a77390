/*
 * The limit that no 9P server before a helper can beat: receive a request, ask the minimal loop (descriptor 4) where a
 * helper is needed, and send the reply. It knows one file and checks nothing. A measuring stick of bench/, not part of the
 * product.
 *   minimal-server PATH [poll]        serves descriptor 3; PATH: the file, as the loop sees it; poll: never sleeps
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT = 3, HELPER = 4, HEADER = 7, QID = 13 };
static char in[70000], out[70000], ask[4200], answer[4200];
static int wait_flags, file = -1;

static ssize_t receive(int fd, void *into, size_t size) {
  ssize_t got;
  do got = recv(fd, into, size, wait_flags); while (got < 0);
  if (got == 0) _exit(0);
  return got;
}

static uint32_t u32(const char *at) { uint32_t v; memcpy(&v, at, 4); return v; }

/* a request about the file: its path, then `rest` more bytes */
static void request(uint32_t type, const char *path, const void *tail, uint32_t rest) {
  uint16_t length = strlen(path);
  uint32_t head[2] = {type, 2 + length + rest};
  memcpy(ask, head, 8); memcpy(ask + 8, &length, 2); memcpy(ask + 10, path, length); memcpy(ask + 10 + length, tail, rest);
  send(HELPER, ask, 10 + length + rest, 0);
}

static void open_file(const char *path) {
  int32_t flags = O_RDWR, data;
  union { struct cmsghdr head; char bytes[CMSG_SPACE(sizeof(int))]; } control;
  struct iovec part = {&data, 4};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  request(2, path, &flags, 4);
  while (recvmsg(HELPER, &message, wait_flags) < 0);
  if (file >= 0) close(file);
  memcpy(&file, CMSG_DATA(&control.head), sizeof(int));
}

int main(int argc, char **argv) {
  const char *path = argv[1];
  wait_flags = argc > 2 ? MSG_DONTWAIT : 0;
  for (;;) {
    size_t got = receive(CLIENT, in, sizeof in);
    while (got < u32(in)) got += receive(CLIENT, in + got, sizeof in - got);
    uint32_t bytes = 0, count;
    uint64_t offset;
    char *body = out + HEADER;
    switch (in[4]) {
    case 100: bytes = u32(in) - HEADER; memcpy(body, in + HEADER, bytes); break;
    case 104: memset(body, 0, bytes = QID); break;
    case 110: /* one name at most */
      bytes = 2 + in[HEADER + 8] * QID; memset(body, 0, bytes); body[0] = in[HEADER + 8];
      if (bytes == 2) break;
      request(8, path, 0, 0); receive(HELPER, answer, sizeof answer); memcpy(body + 7, answer + 16, 8); break;
    case 24: request(8, path, 0, 0); receive(HELPER, answer, sizeof answer);
      memset(body, 0, bytes = 153); memcpy(body + 21, answer + 8, 116); break;
    case 12: open_file(path); memset(body, 0, bytes = QID + 4); break;
    case 116: memcpy(&offset, in + HEADER + 4, 8); count = pread(file, body + 4, u32(in + HEADER + 12), offset);
      memcpy(body, &count, 4); bytes = 4 + count; break;
    case 118: memcpy(&offset, in + HEADER + 4, 8); count = pwrite(file, in + HEADER + 16, u32(in + HEADER + 12), offset);
      memcpy(body, &count, bytes = 4); break;
    }
    bytes += HEADER;
    memcpy(out, &bytes, 4); out[4] = in[4] + 1; memcpy(out + 5, in + 5, 2);
    send(CLIENT, out, bytes, 0);
  }
}
