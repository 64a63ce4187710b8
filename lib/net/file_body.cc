#include "net/file_body.h"

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>

namespace sse::net {
namespace {

ssize_t send_by_kernel(int socket, int file, std::uint64_t offset, std::size_t size) {
  off_t from = static_cast<off_t>(offset);
  return ::sendfile(socket, file, &from, size);
}

// TLS records are made from bytes in user memory; one buffer per thread serves all connections.
ssize_t send_encrypted(TlsSession& tls, int file, std::uint64_t offset, std::size_t size) {
  thread_local std::array<char, TlsSession::kMaxRecord> piece;
  const ssize_t got = ::pread(file, piece.data(), std::min(size, piece.size()), static_cast<off_t>(offset));
  // After EAGAIN the next call offers the same record again, as TlsSession::write() requires: `offset` has not moved.
  return got <= 0 ? got : tls.write(std::string_view(piece.data(), static_cast<std::size_t>(got)));
}

}  // namespace

ssize_t FileBody::send_some(Socket& socket, std::size_t max_bytes) {
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left, max_bytes));
  const ssize_t n = socket.tls ? send_encrypted(*socket.tls, file->get(), offset, size)
                               : send_by_kernel(socket.fd.get(), file->get(), offset, size);
  if (n == 0) {
    errno = EIO;
    return -1;
  }
  if (n > 0) {
    offset += static_cast<std::uint64_t>(n);
    left -= static_cast<std::uint64_t>(n);
  }
  return n;
}

void block_broken_pipe_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace sse::net
