#include "ssectl/load/stream_clients.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "ssectl/load/event_reader.h"
#include "ssectl/load/order_check.h"

namespace sse::load {
namespace {

constexpr std::size_t kReadSize = std::size_t{256} * 1024;

std::string reason(int error) {
  if (error == EMFILE) return "this process is out of descriptors; raise its limit (ulimit -n)";
  if (error == EADDRNOTAVAIL) return "no port is left on this source address; use more --sources";
  return std::strerror(error);
}

}  // namespace

// Opens and reads the streams `number`, `number` + threads, … on a thread of its own.
class StreamClients::Worker {
 public:
  Worker(const ClientOptions& options, Counters& counters, unsigned number)
      : options_(options),
        counters_(counters),
        next_(number),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_.valid() || !wake_.valid()) throw system_error(errno, "cannot create an epoll descriptor");
    watch(wake_.get(), EPOLL_CTL_ADD, EPOLLIN, nullptr);
    thread_ = std::thread([this] { run(); });
  }
  ~Worker() {
    stopping_.store(true);
    wake();
    thread_.join();
  }

  void allow(std::size_t streams) {
    allowed_.store(streams);
    wake();
  }
  std::string first_error() {
    const std::scoped_lock lock(mutex_);
    return first_error_;
  }
  void add_opened(std::vector<std::size_t>& numbers) {
    const std::scoped_lock lock(mutex_);
    numbers.insert(numbers.end(), opened_.begin(), opened_.end());
  }
  void take_into(Received& total) {
    const std::scoped_lock lock(mutex_);
    total.events += received_.events;
    total.bytes += received_.bytes;
    total.duplicates += received_.duplicates;
    total.late += received_.late;
    total.closed += received_.closed;
    total.latency.merge(received_.latency);
    total.last = std::max(total.last, received_.last);
    received_ = Received();
  }

 private:
  struct Stream {
    UniqueFd fd;
    std::size_t number = 0;
    bool sent = false;
    EventReader reader;
    OrderCheck order;
  };

  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }
  bool watch(int fd, int operation, std::uint32_t events, Stream* stream) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = stream;
    return epoll_ctl(epoll_.get(), operation, fd, &event) == 0;
  }

  void run() {
    std::array<epoll_event, 1024> ready{};
    while (!stopping_.load(std::memory_order_relaxed)) {
      connect_more();
      const int n = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), -1);
      for (int i = 0; i < n; ++i) {
        auto* stream = static_cast<Stream*>(ready.at(static_cast<std::size_t>(i)).data.ptr);
        if (stream == nullptr) {
          std::uint64_t count = 0;
          static_cast<void>(!::read(wake_.get(), &count, sizeof count));
        } else if (!stream->sent) {
          send_request(*stream);
        } else {
          read(*stream);
        }
      }
    }
  }

  void connect_more() {
    while (next_ < allowed_.load() && connecting_ < options_.connecting / options_.threads + 1) {
      auto stream = std::make_unique<Stream>();
      stream->number = next_;
      next_ += options_.threads;
      ++connecting_;
      stream->fd.reset(::socket(options_.peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (!stream->fd.valid() || !start_connect(*stream)) {
        fail(*stream, reason(errno));
        continue;
      }
      streams_.push_back(std::move(stream));
    }
  }

  bool start_connect(Stream& stream) const {
    const int fd = stream.fd.get();
    if (options_.sources > 1 && !bind_source(fd, 1 + static_cast<unsigned>(stream.number % options_.sources)))
      return false;
    if (options_.peer.connect(fd) != 0 && errno != EINPROGRESS) return false;
    return watch(fd, EPOLL_CTL_ADD, EPOLLOUT, &stream);
  }

  void send_request(Stream& stream) {
    const std::string request = options_.request(stream.number);
    const ssize_t n = ::send(stream.fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (n != static_cast<ssize_t>(request.size())) {
      fail(stream, n < 0 ? reason(errno) : "the request did not fit the socket");
      return;
    }
    stream.sent = true;
    watch(stream.fd.get(), EPOLL_CTL_MOD, EPOLLIN, &stream);
  }

  // Ends a stream that has not received its response head.
  void fail(Stream& stream, const std::string& why) {
    --connecting_;
    stream.fd.reset();
    {
      const std::scoped_lock lock(mutex_);
      if (first_error_.empty()) first_error_ = "stream " + std::to_string(stream.number) + ": " + why;
    }
    counters_.failed.fetch_add(1);
  }

  void read(Stream& stream) {
    const ssize_t n = ::recv(stream.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      if (stream.reader.head() != EventReader::Head::kGood) {
        fail(stream, n == 0 ? "closed before its response head" : reason(errno));
        return;
      }
      stream.fd.reset();
      const std::scoped_lock lock(mutex_);
      ++received_.closed;
      counters_.open_now.fetch_sub(1);
      return;
    }
    std::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
    if (stream.reader.head() == EventReader::Head::kIncomplete) {
      read_head(stream, bytes);
      if (bytes.empty() || !stream.fd.valid()) return;
    }
    count(stream, bytes);
  }

  void read_head(Stream& stream, std::string_view& bytes) {
    const EventReader::Head head = stream.reader.read_head(bytes);
    if (head == EventReader::Head::kIncomplete) return;
    if (head == EventReader::Head::kRefused) {
      fail(stream, "answered '" + stream.reader.status() + "'");
      return;
    }
    --connecting_;
    {
      const std::scoped_lock lock(mutex_);
      opened_.push_back(stream.number);
    }
    counters_.open_now.fetch_add(1);
    counters_.opened.fetch_add(1);
  }

  void count(Stream& stream, std::string_view bytes) {
    const SteadyTime now = steady_now();
    std::uint64_t events = 0;
    {
      const std::scoped_lock lock(mutex_);
      received_.bytes += bytes.size();
      stream.reader.read(bytes, [&](const Mark& mark) {
        ++events;
        received_.latency.record(now - mark.intended);
        const OrderCheck::Result result = stream.order.record(mark.sender, mark.sequence);
        if (result == OrderCheck::Result::kLate) ++received_.late;
        if (result == OrderCheck::Result::kDuplicate) ++received_.duplicates;
      });
      received_.events += events;
      if (events != 0) received_.last = now;
    }
    if (events != 0) counters_.events.fetch_add(events);
  }

  const ClientOptions& options_;
  Counters& counters_;
  std::atomic<std::size_t> allowed_{0};
  std::atomic<bool> stopping_{false};

  // Used by the worker's thread only.
  std::size_t next_;
  std::size_t connecting_ = 0;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<char> buffer_ = std::vector<char>(kReadSize);

  // Rarely contended: other threads take it only to read results.
  std::mutex mutex_;
  Received received_;
  std::vector<std::size_t> opened_;
  std::string first_error_;

  std::thread thread_;
};

StreamClients::StreamClients(ClientOptions options)
    : options_(std::move(options)), counters_(options_.counters != nullptr ? options_.counters : &own_) {
  options_.threads = std::max(1U, options_.threads);
  for (unsigned i = 0; i < options_.threads; ++i) workers_.push_back(std::make_unique<Worker>(options_, *counters_, i));
}

StreamClients::~StreamClients() = default;

OpenResult StreamClients::open(std::size_t count, const std::function<bool(std::size_t)>& progress) {
  const SteadyTime begin = steady_now();
  for (const auto& worker : workers_) worker->allow(std::min(count, options_.streams));
  OpenResult result;
  for (;;) {
    result.opened = counters_->opened.load();
    result.failed = counters_->failed.load();
    const bool keep_going = !progress || progress(result.opened);
    if (result.opened + result.failed >= count || !keep_going || steady_now() - begin > options_.timeout) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  result.seconds = std::chrono::duration<double>(steady_now() - begin).count();
  for (const auto& worker : workers_) {
    if (result.first_error.empty()) result.first_error = worker->first_error();
  }
  if (result.opened + result.failed < count) {
    result.failed = count - result.opened;
    if (result.first_error.empty()) result.first_error = "the server did not answer in time";
  }
  return result;
}

std::vector<std::size_t> StreamClients::opened() const {
  std::vector<std::size_t> numbers;
  for (const auto& worker : workers_) worker->add_opened(numbers);
  std::ranges::sort(numbers);
  return numbers;
}

bool StreamClients::wait_events(std::uint64_t count, std::chrono::milliseconds timeout,
                                const std::function<bool()>& keep_going) {
  std::uint64_t last = counters_->events.load();
  SteadyTime changed = steady_now();
  while (last < count) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (keep_going && !keep_going()) return false;
    const bool all_ended = counters_->open_now.load() == 0;
    const std::uint64_t now = counters_->events.load();
    if (now != last) {
      last = now;
      changed = steady_now();
    } else if (all_ended || steady_now() - changed > timeout) {
      return false;
    }
  }
  return true;
}

Received StreamClients::take() {
  Received total;
  for (const auto& worker : workers_) worker->take_into(total);
  return total;
}

}  // namespace sse::load
