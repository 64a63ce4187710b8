#include "load/poster.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace sse::load {

Poster::Poster(const std::string& address, const std::string& path, const std::string& content_type,
               const std::string& token)
    : address_(address),
      head_("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + content_type + "\r\n") {
  if (!token.empty()) head_ += "Authorization: Bearer " + token + "\r\n";
  connect(address);
}

void Poster::connect(const std::string& address) {
  int result = -1;
  if (address.starts_with("unix:")) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(name.sun_path, sizeof name.sun_path - 1, 5);
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    result = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  } else {
    const std::string rest = address.starts_with("http://") ? address.substr(7) : address;
    sockaddr_in name{};
    name.sin_family = AF_INET;
    inet_pton(AF_INET, rest.substr(0, rest.find(':')).c_str(), &name.sin_addr);
    name.sin_port = htons(static_cast<std::uint16_t>(std::atoi(rest.substr(rest.find(':') + 1).c_str())));
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    result = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  }
  if (result != 0) throw Error(ErrorCode::kUnavailable, "cannot reach " + address + ": " + std::strerror(errno));
  timeval limit{60, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

void Poster::broken(const char* what) const {
  throw Error(ErrorCode::kUnavailable, address_ + " " + what + "; the server may have ended");
}

std::string_view Poster::post(std::string_view body) {
  request_.assign(head_).append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  std::string_view rest = request_;
  while (!rest.empty()) {
    const ssize_t n = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n <= 0) broken("broke the connection");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  answer_.clear();
  std::array<char, std::size_t{64} * 1024> buffer;
  std::size_t wanted = std::string::npos;
  std::size_t head_size = 0;
  while (wanted == std::string::npos || answer_.size() < wanted) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n <= 0) broken("gave no answer");
    answer_.append(buffer.data(), static_cast<std::size_t>(n));
    const std::size_t end = answer_.find("\r\n\r\n");
    if (wanted != std::string::npos || end == std::string::npos) continue;
    const std::size_t field = answer_.find("Content-Length: ");
    std::size_t length = 0;
    if (field < end) std::from_chars(answer_.data() + field + 16, answer_.data() + end, length);
    head_size = end + 4;
    wanted = head_size + length;
  }
  const std::string_view answer = std::string_view(answer_).substr(head_size);
  if (answer_.compare(9, 1, "2") != 0) {
    throw Error(ErrorCode::kInternal,
                address_ + " answered " + answer_.substr(9, answer_.find('\r') - 9) + " " + std::string(answer));
  }
  return answer;
}

}  // namespace sse::load
