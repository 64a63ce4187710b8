#include "net/http_front.h"

#include <vector>

#include "base/error.h"
#include "observe/log.h"

namespace sse::net {
namespace {

constexpr std::chrono::milliseconds kTick{250};

}  // namespace

HttpFront::HttpFront(EventLoop& loop, Listener& listener, HttplibApp& app, WorkerPool& workers, FrontOptions options,
                     observe::Registry& metrics, std::function<std::size_t()> others_open)
    : loop_(loop),
      options_(std::move(options)),
      metrics_(metrics, options_),
      limits_(options_, metrics_, std::move(others_open)),
      spooler_(loop, options_),
      shared_{loop, options_, app, workers, metrics_, limits_, spooler_, fast_handler_, draining_, *this},
      wheel_(kTick, 512, loop.clock().steady_now()) {
  listen_on(listener);
}

HttpFront::~HttpFront() = default;

void HttpFront::listen_on(Listener& listener) {
  Acceptor::Owner& owner = *this;
  acceptors_.push_back(std::make_unique<Acceptor>(loop_, listener, options_, limits_, metrics_, owner));
}

void HttpFront::start() {
  for (const auto& acceptor : acceptors_) acceptor->start();
  loop_.post([this] { loop_.run_every(kTick, [this] { check_deadlines(); }); });
}

void HttpFront::drain() {
  draining_.store(true);
  loop_.post([this] {
    for (const auto& acceptor : acceptors_) acceptor->stop();
    std::vector<HttpConnection*> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection.get());
    for (HttpConnection* connection : all) connection->drain();
  });
}

void HttpFront::accepted(AcceptedConnection accepted) {
  loop_.assert_in_loop_thread();
  const std::uint64_t key = next_key_++;
  auto owned = std::make_unique<HttpConnection>(shared_, key, std::move(accepted));
  HttpConnection& connection = *owned;
  try {
    connection.watch();
  } catch (const Error& e) {
    observe::log_warn("connection refused", {{"listener", options_.name}, {"error", e.what()}});
    return;
  }
  connections_.emplace(key, std::move(owned));
  limits_.opened(connection.place());
  connection.start();
}

SteadyTime HttpFront::schedule(HttpConnection& connection, SteadyTime when) {
  loop_.assert_in_loop_thread();
  return wheel_.add(connection.key(), when);
}

void HttpFront::wait_for_memory(HttpConnection& connection) {
  loop_.assert_in_loop_thread();
  memory_waiters_.push_back(connection.key());
}

void HttpFront::closed(HttpConnection& connection) {
  loop_.assert_in_loop_thread();
  limits_.closed(connection.place());
  connections_.erase(connection.key());
}

void HttpFront::check_deadlines() {
  loop_.assert_in_loop_thread();
  resume_waiting();
  const SteadyTime now = loop_.now();
  wheel_.advance(now, [&](std::uint64_t key) {
    if (HttpConnection* connection = find(key)) connection->check_deadline(now);
  });
}

// In order of arrival: a body that fits does not pass a larger one that does not.
void HttpFront::resume_waiting() {
  while (!memory_waiters_.empty()) {
    HttpConnection* connection = find(memory_waiters_.front());
    const bool waits = connection != nullptr && connection->state() == HttpConnection::State::kWaitingForMemory;
    if (waits && !connection->resume_with_memory()) return;
    memory_waiters_.pop_front();
  }
}

HttpConnection* HttpFront::find(std::uint64_t key) const {
  const auto found = connections_.find(key);
  return found != connections_.end() ? found->second.get() : nullptr;
}

}  // namespace sse::net
