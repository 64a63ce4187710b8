#include "ssectl/load/poster.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "api/address.h"
#include "base/error.h"
#include "base/text.h"

namespace sse::load {
namespace {

Peer peer_of(const std::string& text) {
  const api::Address address = api::parse_address(text);
  if (address.tls)
    throw Error(ErrorCode::kInvalidArgument, "bench supports plain HTTP only; the admin address uses TLS: " + text);
  return address.is_unix() ? Peer::unix_socket(address.path) : Peer(address.host, address.port);
}

}  // namespace

Poster::Poster(const std::string& address, const std::string& path, const std::string& content_type,
               const std::string& token)
    : address_(address), peer_(peer_of(address)), path_(path) {
  fields_ = " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + content_type + "\r\n";
  if (!token.empty()) fields_ += "Authorization: Bearer " + token + "\r\n";
  connect();
}

void Poster::connect() {
  fd_.reset(::socket(peer_.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd_.valid() || peer_.connect(fd_.get()) != 0) {
    throw Error(ErrorCode::kUnavailable, "cannot reach " + address_ + ": " + std::strerror(errno));
  }
  const int on = 1;
  if (peer_.family() != AF_UNIX) setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit{60, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  last_ = false;
}

void Poster::broken(const char* what) const {
  throw Error(ErrorCode::kUnavailable, address_ + " " + what + "; the server may have ended");
}

void Poster::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) broken("broke the connection");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

Poster::Answer Poster::post_to(std::string_view suffix, std::string_view body) {
  begin_to(suffix, body);
  return finish();
}

void Poster::begin_to(std::string_view suffix, std::string_view body) {
  if (last_) connect();
  request_.assign("POST ").append(path_).append(suffix).append(fields_);
  request_.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  send_all(request_);
}

Poster::Answer Poster::finish() {
  answer_.clear();
  std::array<char, std::size_t{64} * 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  std::size_t wanted = std::string::npos;
  std::size_t head_size = 0;
  while (wanted == std::string::npos || answer_.size() < wanted) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) broken("closed the connection without a response");
    answer_.append(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t end = answer_.find("\r\n\r\n");
    if (wanted != std::string::npos || end == std::string::npos) continue;
    head_size = end + 4;
    const std::string head = to_lower(std::string_view(answer_).substr(0, head_size));
    const std::size_t field = head.find("\r\ncontent-length:");
    std::size_t length = 0;
    if (field != std::string::npos) {
      const std::size_t digits = head.find_first_not_of(' ', field + 17);
      std::from_chars(head.data() + digits, head.data() + head.size(), length);
    }
    last_ = head.find("\r\nconnection: close") != std::string::npos;
    wanted = head_size + length;
  }
  Answer answer;
  std::from_chars(answer_.data() + std::min<std::size_t>(9, head_size), answer_.data() + head_size, answer.status);
  answer.body = std::string_view(answer_).substr(head_size);
  return answer;
}

}  // namespace sse::load
