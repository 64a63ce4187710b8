#include "support/streams.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace sse::testing {

Streams::Streams(std::vector<Endpoint> endpoints)
    : endpoints_(std::move(endpoints)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

std::size_t Streams::open(const std::string& query, const ConnectOptions& options, const std::string& path) {
  auto stream = std::make_unique<ClientStream>();
  ConnectOptions without_waiting = options;
  without_waiting.blocking = false;
  stream->fd = connect_to(endpoints_[streams_.size() % endpoints_.size()], without_waiting);
  stream->request = "GET " + path + "/connect?" + query + " HTTP/1.1\r\nHost: localhost\r\n" + options.headers + "\r\n";
  const std::size_t number = streams_.size();
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u64 = number;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stream->fd.get(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  streams_.push_back(std::move(stream));
  return number;
}

std::size_t Streams::connect(const std::string& query, const ConnectOptions& options) {
  const std::size_t number = open(query, options);
  const ClientStream& stream = *streams_[number];
  run_until([&] { return stream.connected || stream.ended; });
  if (!stream.connected) throw std::runtime_error("the stream did not open: " + stream.head);
  return number;
}

void Streams::close(std::size_t stream) {
  if (!streams_.at(stream)->ended) end(*streams_.at(stream));
}

void Streams::finish(std::size_t stream) {
  if (!streams_.at(stream)->ended) ::shutdown(streams_.at(stream)->fd.get(), SHUT_WR);
}

void Streams::close_all() {
  for (const auto& stream : streams_) {
    if (!stream->ended) end(*stream);
  }
}

void Streams::run(std::chrono::milliseconds wait) {
  std::array<epoll_event, 512> events{};
  const int n =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(wait.count()));
  for (int i = 0; i < n; ++i) on_ready(static_cast<std::size_t>(events.at(static_cast<std::size_t>(i)).data.u64));
}

void Streams::on_ready(std::size_t number) {
  ClientStream& stream = *streams_[number];
  if (stream.ended) return;
  if (!stream.request.empty()) {
    // Fits any socket buffer, so that it goes out at once or the connection failed.
    const ssize_t n = ::send(stream.fd.get(), stream.request.data(), stream.request.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(stream.request.size())) {
      end(stream);
      return;
    }
    std::string().swap(stream.request);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, stream.fd.get(), &event);
    return;
  }
  static thread_local std::array<char, 256 * 1024> buffer;
  const ssize_t n = ::recv(stream.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 0) {
    take_bytes(number, {buffer.data(), static_cast<std::size_t>(n)});
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    end(stream);
  }
}

void Streams::take_bytes(std::size_t number, std::string_view bytes) {
  ClientStream& stream = *streams_[number];
  std::string rest;
  if (stream.status == 0) {
    stream.head += bytes;
    const std::size_t end_of_head = stream.head.find("\r\n\r\n");
    if (end_of_head == std::string::npos) return;
    rest = stream.head.substr(end_of_head + 4);
    stream.head.resize(end_of_head + 4);
    stream.status = std::atoi(stream.head.c_str() + 9);
    stream.chunked = stream.head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos;
    bytes = rest;
    // A refusal leaves its connection open for further requests, as that of a kicked client's return with 204 does.
    if (stream.status != 200) {
      ++refused_;
      end(stream);
      return;
    }
  }
  if (!stream.chunked) {
    take_body(number, bytes);
    return;
  }
  stream.chunks.feed(bytes, [&](std::string_view part) { take_body(number, part); });
  if (stream.chunks.bad()) throw std::runtime_error("malformed chunks on stream " + std::to_string(number));
}

void Streams::take_body(std::size_t number, std::string_view bytes) {
  ClientStream& stream = *streams_[number];
  stream.parser.feed(bytes, [&](ReceivedEvent event) {
    if (!stream.connected && event.type == "connect-finish") {
      stream.connected = true;
      const auto field = [&](const std::string& name) {
        const std::string key = '"' + name + "\":\"";
        const std::size_t begin = event.data.find(key);
        if (begin == std::string::npos) return std::string();
        return event.data.substr(begin + key.size(), event.data.find('"', begin + key.size()) - begin - key.size());
      };
      // Not the event's id: a client that comes back is left where it was.
      stream.connection_id = field("connectionId");
      if (stream.connection_id.empty()) throw std::runtime_error("connect-finish names no connection: " + event.data);
      stream.request_key = field("requestKey");
      ++connected_;
      return;
    }
    ++events_;
    if (listener_) {
      listener_(number, event);
    } else {
      stream.events.push_back(std::move(event));
    }
  });
}

void Streams::end(ClientStream& stream) {
  stream.ended = true;
  stream.fd.reset();
  ++ended_;
}

}  // namespace sse::testing
