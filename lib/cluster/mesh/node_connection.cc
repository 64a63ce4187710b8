#include "cluster/mesh/node_connection.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "cluster/core/raw_http.h"
#include "event/chunk_reader.h"
#include "net/dial.h"

namespace sse::cluster {
namespace {

constexpr std::size_t kMaxHead = std::size_t{16} << 10;
// A body up to this size leaves in one write with the head.
constexpr std::size_t kMaxJoinedBody = std::size_t{64} << 10;

std::string unreachable(const std::string& why) {
  return "it cannot be reached (" + why + ")";
}

}  // namespace

NodeConnection::NodeConnection(net::ListenAddress address, Options options)
    : address_(std::move(address)),
      options_(std::move(options)),
      resolver_(address_.host),
      wakeup_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wakeup_.valid()) throw system_error(errno, "cannot make an eventfd for the connection to another node");
}

void NodeConnection::interrupt() {
  interrupted_ = true;
  resolver_.stop();
  ::eventfd_write(wakeup_.get(), 1);  // never read: every later wait ends at once
}

NodeConnection::Response NodeConnection::exchange(const Request& request) {
  Response response;
  try {
    if (!is_usable()) connect();
    std::string text = std::string(request.method) + ' ' + request.path + " HTTP/1.1\r\nHost: " + address_.str() +
                       "\r\n" + request.headers;
    if (!request.body.empty()) text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    text += "\r\n";
    const bool joined = request.body.size() <= kMaxJoinedBody;
    if (joined) text += request.body;
    try {
      send(text);
      if (!joined) send(request.body);
    } catch (const Failure&) {
      // A node that refuses the request may have said why before it closed the connection.
      if (!in_.empty() || !receive_some()) throw;
    }
    receive(response);
    response.outcome = Outcome::kResponse;
  } catch (const Failure& failure) {
    close();
    response.outcome = failure.outcome;
    response.problem = failure.problem;
  } catch (const Error& e) {
    close();
    response.problem = unreachable(e.what());
  }
  return response;
}

void NodeConnection::close() {
  if (socket_.tls) {
    if (net::TlsTicket fresh = socket_.tls->ticket()) ticket_ = std::move(fresh);
    socket_.tls->end();
  }
  socket_ = net::Socket();
  in_.clear();
}

bool NodeConnection::is_usable() {
  if (!socket_.valid()) return false;
  const bool outdated = options_.tls && options_.tls->client_side() != client_side_;
  if (!outdated && in_.empty()) {
    // Also reads tickets, which TLS 1.3 sends when it likes.
    std::array<char, net::TlsSession::kMaxRecord> unexpected;
    if (socket_.receive(unexpected.data(), unexpected.size()) < 0 && errno == EAGAIN) return true;
  }
  close();
  return false;
}

void NodeConnection::connect() {
  dial();
  if (options_.tls) do_handshake();
}

void NodeConnection::dial() {
  const SteadyTime deadline = Clock::system().steady_now() + options_.connect_timeout;
  std::string why = "it has no address";
  std::vector<std::string> addresses;
  try {
    addresses = resolver_.addresses(deadline);
  } catch (const Error& e) {
    throw Failure{e.code() == ErrorCode::kTimeout ? Outcome::kSilent : Outcome::kFailed, unreachable(e.what())};
  }
  Outcome outcome = Outcome::kFailed;
  for (const std::string& address : addresses) {
    UniqueFd fd = net::begin_connect(address, static_cast<std::uint16_t>(address_.port), why);
    if (!fd.valid()) continue;
    socket_.fd = std::move(fd);
    int error = 0;
    socklen_t size = sizeof error;
    const auto share = options_.connect_timeout / static_cast<std::int64_t>(addresses.size());
    try {
      wait_for(POLLOUT, share, "it accepts no connection within " + format_duration(share));
    } catch (const Failure& failure) {
      if (interrupted_) throw;
      outcome = Outcome::kSilent;
      why = failure.problem;
      continue;
    }
    if (getsockopt(socket_.fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) return;
    why = std::generic_category().message(error);
  }
  throw Failure{outcome, unreachable(why)};
}

void NodeConnection::do_handshake() {
  using Step = net::TlsSession::Step;
  auto current = options_.tls->client_side();
  // A session that the old files allowed is not resumed.
  if (current != client_side_) ticket_ = nullptr;
  client_side_ = std::move(current);
  const std::string& name = options_.tls->name_of(address_.host);
  socket_.tls = client_side_->context.connect(socket_.fd.get(), name, ticket_);
  const SteadyTime deadline = Clock::system().steady_now() + options_.handshake_timeout;
  for (;;) {
    const Step step = socket_.tls->handshake();
    if (step == Step::kDone) return;
    if (step == Step::kFailed) fail_connection(errno);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::system().steady_now());
    wait_for(step == Step::kWantsRead ? POLLIN : POLLOUT, std::max(left, std::chrono::milliseconds(0)),
             "it has not ended the TLS handshake within " + format_duration(options_.handshake_timeout) +
                 "; it may not use TLS");
  }
}

void NodeConnection::fail_connection(int error) {
  if (socket_.tls && !socket_.tls->problem().empty()) {
    using Fault = net::TlsSession::Fault;
    const Fault fault = socket_.tls->fault();
    const bool untrusted = fault == Fault::kUntrustedPeer || fault == Fault::kRefusedByPeer;
    throw Failure{untrusted ? Outcome::kUntrusted : Outcome::kFailed,
                  why_tls_failed(*socket_.tls, options_.tls->name_of(address_.host))};
  }
  if (error == 0) throw Failure{Outcome::kFailed, "it closed the connection without a response"};
  throw Failure{Outcome::kFailed, "the connection to it broke: " + std::generic_category().message(error)};
}

void NodeConnection::wait_for(short events, std::chrono::milliseconds timeout, const std::string& problem) {
  std::array<pollfd, 2> fds{{{socket_.fd.get(), events, 0}, {wakeup_.get(), POLLIN, 0}}};
  const SteadyTime deadline = Clock::system().steady_now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::system().steady_now());
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (interrupted_) throw Failure{Outcome::kFailed, "this program is stopping"};
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw Failure{Outcome::kFailed, unreachable(system_error(errno, "poll").what())};
    if (ready == 0) throw Failure{Outcome::kSilent, problem};
  }
}

void NodeConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = socket_.send(bytes);
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT, options_.answer_timeout,
               "it has not taken a request for " + format_duration(options_.answer_timeout));
    } else if (errno != EINTR) {
      fail_connection(errno);
    }
  }
}

bool NodeConnection::receive_some() {
  std::array<char, net::TlsSession::kMaxRecord> buffer;
  for (;;) {
    const ssize_t n = socket_.receive(buffer.data(), buffer.size());
    if (n > 0) in_.append(buffer.data(), static_cast<std::size_t>(n));
    if (n >= 0) return n > 0;
    if (errno == EAGAIN) {
      wait_for(POLLIN, options_.answer_timeout, "it has not answered for " + format_duration(options_.answer_timeout));
    } else if (errno != EINTR) {
      fail_connection(errno);
    }
  }
}

void NodeConnection::receive(Response& response) {
  for (;;) {
    const std::size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (in_.size() > kMaxHead)
        throw Failure{Outcome::kFailed, "the head of its response is larger than " + format_bytes(ByteCount(kMaxHead))};
      if (!receive_some()) fail_connection(0);
      continue;
    }
    const std::string head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    // An interim response (RFC 9110 §15.2) precedes the final one.
    if (!head.starts_with("HTTP/1.1 1")) return read_body(head, response);
  }
}

void NodeConnection::read_body(std::string_view head, Response& response) {
  const RawResponse parsed = RawResponse::parse(head);
  if (parsed.status == 0)
    throw Failure{Outcome::kFailed, "it does not speak HTTP/1.1: '" + printable(head.substr(0, 40)) + "'"};
  response.status = parsed.status;
  const auto require_room = [&](std::size_t size) {
    if (size > options_.max_response) {
      throw Failure{Outcome::kFailed, "its response is larger than " + format_bytes(ByteCount(options_.max_response))};
    }
  };
  const auto receive_more = [&] {
    in_.clear();
    if (!receive_some()) throw Failure{Outcome::kFailed, "it closed the connection within its response"};
  };
  bool keep = to_lower(parsed.header("Connection")) != "close";
  const std::string length = parsed.header("Content-Length");
  if (to_lower(parsed.header("Transfer-Encoding")) == "chunked") {
    event::ChunkReader chunks;
    for (;; receive_more()) {
      require_room(response.body.size() + in_.size());
      chunks.feed(in_, [&](std::string_view part) { response.body += part; });
      if (chunks.bad()) throw Failure{Outcome::kFailed, "the chunks of its response are malformed"};
      if (chunks.complete()) break;
    }
    keep = false;  // what follows the last chunk is lost
  } else if (length.empty() && parsed.status != 204) {
    do {
      require_room(response.body.size() + in_.size());
      response.body += std::exchange(in_, {});
    } while (receive_some());
    keep = false;
  } else {
    std::size_t size = 0;
    const auto [stop, error] = std::from_chars(length.data(), length.data() + length.size(), size);
    if (!length.empty() && (error != std::errc{} || stop != length.data() + length.size()))
      throw Failure{Outcome::kFailed, "the Content-Length of its response is malformed"};
    require_room(size);
    response.body.reserve(size);
    for (;; receive_more()) {
      const std::size_t taken = std::min(size - response.body.size(), in_.size());
      response.body.append(in_, 0, taken);
      in_.erase(0, taken);
      if (response.body.size() == size) break;
    }
  }
  if (!keep) close();
}

}  // namespace sse::cluster
