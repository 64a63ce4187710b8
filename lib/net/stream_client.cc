#include "net/stream_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "net/dial.h"

namespace sse::net {
namespace {

constexpr std::size_t kMaxShown = 200;

std::string authority_of(const StreamRequest& request) {
  std::string authority = request.host;
  if (authority.find(':') != std::string::npos) authority.insert(0, "[").append("]");
  const std::uint16_t usual = request.tls ? 443 : 80;
  if (request.port != usual) authority += ':' + std::to_string(request.port);
  return authority;
}

std::string request_text_of(const StreamRequest& request) {
  std::string text = "GET " + request.target + " HTTP/1.1\r\nHost: " + authority_of(request) +
                     "\r\nAccept: text/event-stream\r\nAccept-Encoding: identity\r\nCache-Control: no-store\r\n";
  for (const auto& [name, value] : request.headers) text.append(name).append(": ").append(value).append("\r\n");
  return text + "\r\n";
}

}  // namespace

StreamClient::StreamClient(EventLoop& loop, StreamRequest request, Owner& owner)
    : loop_(loop), request_(std::move(request)), request_text_(request_text_of(request_)), owner_(owner) {}

StreamClient::~StreamClient() = default;

void StreamClient::open(std::vector<std::string> addresses) {
  loop_.assert_in_loop_thread();
  close();
  addresses_ = std::move(addresses);
  next_address_ = 0;
  dial();
}

void StreamClient::close() {
  if (state_ == State::kClosed) return;
  loop_.assert_in_loop_thread();
  state_ = State::kClosed;
  loop_.remove(socket_.fd.get());
  socket_ = Socket();
  head_ = std::string();
}

void StreamClient::fail(const std::string& why) {
  close();
  owner_.stream_ended(why);
}

// Tries the addresses in order.
void StreamClient::dial() {
  std::string why = "cannot connect: it has no address";
  while (next_address_ < addresses_.size()) {
    why = begin_connect(addresses_[next_address_++]);
    if (why.empty()) return;
  }
  fail(why);
}

std::string StreamClient::begin_connect(const std::string& address) {
  std::string why;
  UniqueFd fd = net::begin_connect(address, request_.port, why);
  if (!fd.valid()) return "cannot connect: " + why;
  try {
    loop_.add(fd.get(), EPOLLOUT, this);
  } catch (const Error& e) {
    return e.what();
  }
  socket_ = Socket(std::move(fd));
  unsent_ = request_text_;
  head_.clear();
  begun_ = false;
  chunked_ = false;
  chunks_ = event::ChunkReader();
  server_id_.clear();
  state_ = State::kConnecting;
  return "";
}

void StreamClient::on_events(std::uint32_t) {
  switch (state_) {
    case State::kClosed:
      break;
    case State::kConnecting:
      finish_connect();
      break;
    case State::kHandshake:
      continue_handshake();
      break;
    case State::kSending:
      send_request();
      break;
    case State::kReading:
      receive();
      break;
  }
}

void StreamClient::finish_connect() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) {
    close();
    if (next_address_ < addresses_.size()) return dial();
    return owner_.stream_ended("cannot connect: " + std::generic_category().message(error));
  }
  if (!request_.tls) {
    state_ = State::kSending;
    return send_request();
  }
  try {
    socket_.tls = request_.tls->connect(socket_.fd.get(), request_.host);
  } catch (const Error& e) {
    return fail(e.what());
  }
  state_ = State::kHandshake;
  continue_handshake();
}

void StreamClient::continue_handshake() {
  switch (socket_.tls->handshake()) {
    case TlsSession::Step::kDone:
      state_ = State::kSending;
      return send_request();
    case TlsSession::Step::kWantsRead:
      return loop_.modify(socket_.fd.get(), EPOLLIN, this);
    case TlsSession::Step::kWantsWrite:
      return loop_.modify(socket_.fd.get(), EPOLLOUT, this);
    case TlsSession::Step::kFailed:
      return fail("TLS: " + printable(socket_.tls->problem(), kMaxShown));
  }
}

void StreamClient::send_request() {
  while (!unsent_.empty()) {
    const ssize_t sent = socket_.send(unsent_);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return loop_.modify(socket_.fd.get(), EPOLLOUT, this);
      return fail(reason(errno));
    }
    unsent_.remove_prefix(static_cast<std::size_t>(sent));
  }
  state_ = State::kReading;
  loop_.modify(socket_.fd.get(), EPOLLIN, this);
  receive();
}

void StreamClient::receive() {
  std::array<char, kMaxPiece> buffer;
  while (state_ == State::kReading) {
    const ssize_t received = socket_.receive(buffer.data(), buffer.size());
    if (received > 0) {
      take({buffer.data(), static_cast<std::size_t>(received)});
    } else if (received == 0) {
      fail(begun_ ? "it ended the stream" : "it closed the connection without a response");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      fail(reason(errno));
    }
  }
}

std::string StreamClient::reason(int error) const {
  if (socket_.tls && !socket_.tls->problem().empty())
    return "the connection was lost: TLS: " + printable(socket_.tls->problem(), kMaxShown);
  return "the connection was lost: " + std::generic_category().message(error);
}

void StreamClient::take(std::string_view bytes) {
  if (begun_) return take_body(bytes);
  head_ += bytes;
  for (;;) {
    const std::size_t end = head_.find("\r\n\r\n");
    if (std::min(end, head_.size()) > kMaxResponseHead)
      return fail("the head of its response is larger than " + std::to_string(kMaxResponseHead / 1024) + "KiB");
    if (end == std::string::npos) return;
    const std::string head = head_.substr(0, end);
    head_.erase(0, end + 4);
    // An interim response (RFC 9110 §15.2) precedes the final one.
    if (head.starts_with("HTTP/1.1 1")) continue;
    if (const std::string why = read_head(head); !why.empty()) return fail(why);
    break;
  }
  begun_ = true;
  const std::string rest = std::exchange(head_, {});
  owner_.stream_begun(server_id_);
  if (state_ == State::kReading && !rest.empty()) take_body(rest);
}

std::string StreamClient::read_head(std::string_view head) {
  std::string_view line = head.substr(0, head.find("\r\n"));
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ')
    return "it does not speak HTTP/1.1: its response begins with '" + printable(line, 40) + "'";
  const std::string_view status = line.substr(9, 3);
  std::string type;
  std::string encoding;
  std::string location;
  for (std::size_t at = line.size() + 2; at < head.size(); at += line.size() + 2) {
    line = head.substr(at, head.find("\r\n", at) - at);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string_view value = trim_blanks(line.substr(colon + 1));
    if (name == "content-type") type = to_lower(value);
    if (name == "content-encoding") encoding = to_lower(value);
    if (name == "transfer-encoding") chunked_ = to_lower(value) == "chunked";
    if (name == "location") location = printable(value, kMaxShown);
    if (name == "x-sse-server-id") server_id_ = printable(value, kMaxShown);
  }
  const std::string by = server_id_.empty() ? "" : " (server " + server_id_ + ")";
  if (status.front() == '3' && !location.empty()) return "it redirects to " + location + "; give that URL";
  if (status != "200") return "it answered with status " + printable(status, 3) + by;
  if (!type.starts_with("text/event-stream")) return "its response is no event stream" + by;
  if (!encoding.empty() && encoding != "identity") return "it compresses the stream, which was not asked for" + by;
  return "";
}

void StreamClient::take_body(std::string_view bytes) {
  if (!chunked_) return owner_.stream_bytes(bytes);
  chunks_.feed(bytes, [this](std::string_view part) {
    if (state_ == State::kReading) owner_.stream_bytes(part);
  });
  if (state_ != State::kReading) return;
  if (chunks_.bad()) return fail("its chunks are malformed");
  if (chunks_.complete()) fail("it ended the stream");
}

}  // namespace sse::net
