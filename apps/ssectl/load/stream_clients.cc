#include "load/stream_clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace sse::load {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} * 1024;

SteadyTime from_ns(std::int64_t ns) {
  return SteadyTime(std::chrono::nanoseconds(ns));
}

// Reads `key` and a decimal number off the front of `text`.
bool take_number(std::string_view& text, std::string_view key, std::int64_t& value) {
  if (!text.starts_with(key)) return false;
  text.remove_prefix(key.size());
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop == text.data() + text.size()) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return true;
}

}  // namespace

std::string payload(SteadyTime intended, std::uint64_t sequence, std::size_t size) {
  std::string data =
      "t=" + std::to_string(intended.time_since_epoch().count()) + " s=" + std::to_string(sequence) + " ";
  if (data.size() < size) data.append(size - data.size(), 'x');
  return data;
}

class StreamClients::Worker {
 public:
  Worker(const ClientOptions& options, unsigned number) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_.valid()) throw system_error(errno, "cannot create an epoll descriptor");
    for (std::size_t i = number; i < options.streams; i += options.threads) waiting_.push_back(i);
    std::ranges::reverse(waiting_);
    streams_.reserve(waiting_.size());
  }
  ~Worker() { stop(); }

  void start() {
    thread_ = std::thread([this] { run(); });
  }
  void stop() {
    stopping_.store(true);
    if (thread_.joinable()) thread_.join();
  }

  std::atomic<std::size_t> opened{0};
  std::atomic<std::size_t> failed{0};
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::size_t> open_now{0};
  // After stop() only.
  Received received;
  std::string first_error;

 private:
  struct Stream {
    UniqueFd fd;
    std::size_t number = 0;
    bool sent = false;
    bool head_done = false;
    std::uint32_t newlines = 0;  // at the end of what the head has shown
    std::int64_t last_sequence = -1;
    std::string partial;  // an unfinished line
  };

  void run() {
    std::array<epoll_event, 1024> ready{};
    while (!stopping_.load(std::memory_order_relaxed)) {
      connect_more();
      const int n = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 20);
      for (int i = 0; i < n; ++i) {
        Stream& stream = *static_cast<Stream*>(ready.at(static_cast<std::size_t>(i)).data.ptr);
        if (!stream.sent) {
          send_request(stream);
        } else {
          read(stream);
        }
      }
    }
    streams_.clear();
  }

  void connect_more() {
    while (!waiting_.empty() && under_way_ < options_.connecting / options_.threads + 1) {
      const std::size_t number = waiting_.back();
      waiting_.pop_back();
      auto stream = std::make_unique<Stream>();
      stream->number = number;
      stream->fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (!stream->fd.valid() || !start_connect(*stream)) {
        fail(*stream, errno == EMFILE ? "out of descriptors: raise the limit with ulimit -n" : std::strerror(errno));
        continue;
      }
      ++under_way_;
      streams_.push_back(std::move(stream));
    }
  }

  bool start_connect(Stream& stream) {
    if (options_.sources > 1) {
      const int on = 1;
      // The kernel then picks the port at connect(), when it knows the destination.
      setsockopt(stream.fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
      sockaddr_in source{};
      source.sin_family = AF_INET;
      source.sin_addr.s_addr =
          htonl(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(stream.number % options_.sources));
      if (::bind(stream.fd.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) return false;
    }
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(static_cast<std::uint16_t>(options_.port));
    inet_pton(AF_INET, options_.host.c_str(), &server.sin_addr);
    if (::connect(stream.fd.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0 &&
        errno != EINPROGRESS)
      return false;
    epoll_event event{};
    event.events = EPOLLOUT;
    event.data.ptr = &stream;
    return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stream.fd.get(), &event) == 0;
  }

  void send_request(Stream& stream) {
    const std::string request = options_.request(stream.number);
    const ssize_t n = ::send(stream.fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(request.size())) {
      fail(stream, n < 0 ? std::strerror(errno) : "the request did not fit the socket");
      --under_way_;
      stream.fd.reset();
      return;
    }
    stream.sent = true;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &stream;
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, stream.fd.get(), &event);
  }

  void fail(const Stream& stream, const std::string& why) {
    if (first_error.empty()) first_error = "stream " + std::to_string(stream.number) + ": " + why;
    failed.fetch_add(1);
  }

  void read(Stream& stream) {
    const ssize_t n = ::recv(stream.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      if (stream.head_done) {
        ++received.closed;
        open_now.fetch_sub(1);
      } else {
        --under_way_;
        fail(stream, n == 0 ? "closed before its head" : std::strerror(errno));
      }
      stream.fd.reset();
      return;
    }
    std::string_view text(buffer_.data(), static_cast<std::size_t>(n));
    received.bytes += text.size();
    if (!stream.head_done && !read_head(stream, text)) return;
    read_lines(stream, text);
  }

  bool read_head(Stream& stream, std::string_view& text) {
    stream.partial += text;
    const std::size_t end = stream.partial.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const bool good = stream.partial.starts_with("HTTP/1.1 200") || stream.partial.starts_with("HTTP/1.0 200");
    const std::string status = stream.partial.substr(0, stream.partial.find('\r'));
    text.remove_prefix(text.size() - (stream.partial.size() - end - 4));
    stream.partial.clear();
    --under_way_;
    if (!good) {
      fail(stream, "answered '" + status + "'");
      stream.fd.reset();
      return false;
    }
    stream.head_done = true;
    opened.fetch_add(1);
    open_now.fetch_add(1);
    return true;
  }

  void read_lines(Stream& stream, std::string_view text) {
    const SteadyTime now = steady_now();
    std::uint64_t measured = 0;
    while (!text.empty()) {
      const void* found = std::memchr(text.data(), '\n', text.size());
      if (found == nullptr) {
        stream.partial += text;
        break;
      }
      const std::size_t end = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
      if (stream.partial.empty()) {
        measured += read_line(stream, text.substr(0, end), now) ? 1 : 0;
      } else {
        stream.partial += text.substr(0, end);
        measured += read_line(stream, stream.partial, now) ? 1 : 0;
        stream.partial.clear();
      }
      text.remove_prefix(end + 1);
    }
    if (measured == 0) return;
    received.last = now;
    events.fetch_add(measured, std::memory_order_relaxed);
  }

  bool read_line(Stream& stream, std::string_view line, SteadyTime now) {
    if (!line.starts_with("data:")) return false;
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    std::int64_t sent = 0;
    std::int64_t sequence = 0;
    if (!take_number(line, "t=", sent) || !take_number(line, "s=", sequence)) return false;
    received.latency.record(now - from_ns(sent));
    ++received.events;
    if (sequence == stream.last_sequence) {
      ++received.duplicates;
    } else if (sequence < stream.last_sequence) {
      ++received.out_of_order;
    } else {
      received.gaps += static_cast<std::uint64_t>(sequence - stream.last_sequence - 1);
      stream.last_sequence = sequence;
    }
    return true;
  }

  const ClientOptions& options_;
  UniqueFd epoll_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::vector<std::size_t> waiting_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::size_t under_way_ = 0;
  std::vector<char> buffer_ = std::vector<char>(kReadSize);
};

StreamClients::StreamClients(ClientOptions options) : options_(std::move(options)) {
  options_.threads = std::max(1U, options_.threads);
}

StreamClients::~StreamClients() = default;

OpenResult StreamClients::open(const std::function<void(std::size_t)>& progress) {
  const SteadyTime begin = steady_now();
  for (unsigned i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<Worker>(options_, i));
  for (auto& worker : workers_) worker->start();
  OpenResult result;
  for (;;) {
    result.opened = 0;
    result.failed = 0;
    for (const auto& worker : workers_) {
      result.opened += worker->opened.load();
      result.failed += worker->failed.load();
    }
    if (progress) progress(result.opened);
    if (result.opened + result.failed >= options_.streams || steady_now() - begin > options_.timeout) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  result.seconds = std::chrono::duration<double>(steady_now() - begin).count();
  return result;
}

std::uint64_t StreamClients::events() const {
  std::uint64_t n = 0;
  for (const auto& worker : workers_) n += worker->events.load(std::memory_order_relaxed);
  return n;
}

std::size_t StreamClients::open_streams() const {
  std::size_t n = 0;
  for (const auto& worker : workers_) n += worker->open_now.load(std::memory_order_relaxed);
  return n;
}

bool StreamClients::wait_events(std::uint64_t count, std::chrono::milliseconds patience) const {
  std::uint64_t last = events();
  SteadyTime changed = steady_now();
  while (last < count) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    const std::uint64_t now = events();
    if (now != last) {
      last = now;
      changed = steady_now();
    } else if (steady_now() - changed > patience) {
      return false;
    }
  }
  return true;
}

Received StreamClients::finish() {
  Received total;
  for (auto& worker : workers_) {
    worker->stop();
    total.events += worker->received.events;
    total.bytes += worker->received.bytes;
    total.duplicates += worker->received.duplicates;
    total.out_of_order += worker->received.out_of_order;
    total.gaps += worker->received.gaps;
    total.closed += worker->received.closed;
    total.latency.merge(worker->received.latency);
    total.last = std::max(total.last, worker->received.last);
  }
  return total;
}

}  // namespace sse::load
