#include "gateway/http_caller.h"

#include <httplib.h>
#include <pthread.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "observe/barrier.h"

namespace sse::gateway {
namespace {

constexpr std::size_t kMostAnswer = std::size_t{1024} * 1024;
constexpr std::size_t kMostIdle = 64;

}  // namespace

HttpCaller::HttpCaller(const std::string& url, const std::string& option, std::chrono::milliseconds timeout,
                       const Clock& clock)
    : timeout_(timeout), clock_(clock) {
  const auto bad = [&](const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument,
                option + " '" + printable(url, 80) + "' " + why + "; write http://127.0.0.1:9000/path");
  };
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) bad("begins with neither http:// nor https://");
  if (url.find_first_of(" \t\r\n#") != std::string::npos || url.size() > 2000) bad("is no URL");
  const std::size_t slash = std::min(url.find_first_of("/?", scheme), url.size());
  base_ = url.substr(0, slash);
  const std::string host = url.substr(scheme, slash - scheme);
  if (host.empty() || host.front() == ':') bad("names no host");
  if (host.find('@') != std::string::npos) bad("holds a user name, which would end up in logs");
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    const std::string port = host.substr(colon + 1);
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
        std::stoi(port) > 65535 || std::stoi(port) == 0) {
      bad("has no port from 1 to 65535");
    }
  }
  path_ = url.substr(slash);
  if (path_.empty() || path_.front() != '/') path_.insert(0, "/");
  watcher_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-call-watch");
    observe::guarded("the time limits of calls", [this] { watch(); });
  });
}

HttpCaller::~HttpCaller() {
  stop();
  watcher_.join();
}

void HttpCaller::stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  for (const auto& [deadline, client] : running_) client->stop();
  idle_.clear();
  changed_.notify_all();
}

void HttpCaller::watch() {
  const MutexLock lock(mutex_);
  while (!stopped_) {
    if (running_.empty()) {
      changed_.wait(mutex_);
      continue;
    }
    const SteadyTime due = running_.begin()->first;
    if (due > clock_.steady_now()) {
      changed_.wait_until(mutex_, due, clock_);
      continue;
    }
    running_.begin()->second->stop();
    running_.erase(running_.begin());
  }
}

std::unique_ptr<httplib::Client> HttpCaller::take() {
  const MutexLock lock(mutex_);
  if (stopped_) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  if (!idle_.empty()) {
    auto client = std::move(idle_.back());
    idle_.pop_back();
    return client;
  }
  auto client = std::make_unique<httplib::Client>(base_);
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  const auto seconds = static_cast<time_t>(timeout_.count() / 1000);
  const auto micros = static_cast<time_t>(timeout_.count() % 1000 * 1000);
  client->set_connection_timeout(seconds, micros);
  client->set_read_timeout(seconds, micros);
  client->set_write_timeout(seconds, micros);
  return client;
}

void HttpCaller::give_back(std::unique_ptr<httplib::Client> client) {
  const MutexLock lock(mutex_);
  if (!stopped_ && idle_.size() < kMostIdle) idle_.push_back(std::move(client));
}

HttpCaller::Answer HttpCaller::post(const Request& asked) {
  std::unique_ptr<httplib::Client> client = take();
  httplib::Request request;
  request.method = "POST";
  request.path = path_;
  for (const auto& [name, value] : asked.headers) request.set_header(name, value);
  request.set_header("Accept", "application/json");
  request.set_header("Content-Type", asked.content_type);
  if (asked.stream) {
    request.content_length_ = asked.stream_length;
    request.content_provider_ = [&](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
      return asked.stream(offset, length, [&](const char* data, std::size_t n) { return sink.write(data, n); });
    };
  } else {
    request.body = asked.body;
  }
  Answer answer;
  bool too_large = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    too_large = answer.body.size() + size > kMostAnswer;
    if (!too_large) answer.body.append(data, size);
    return !too_large;
  };
  const SteadyTime deadline = clock_.steady_now() + timeout_;
  std::multimap<SteadyTime, httplib::Client*>::iterator mine;
  {
    const MutexLock lock(mutex_);
    mine = running_.emplace(deadline, client.get());
    // A later one needs no waking: it is looked at when the earlier is done.
    if (mine == running_.begin()) changed_.notify_all();
  }
  const httplib::Result result = client->send(request);
  bool in_time = false;
  {
    const MutexLock lock(mutex_);
    const auto same = running_.equal_range(deadline);
    for (auto entry = same.first; entry != same.second; ++entry) {
      if (entry->second != client.get()) continue;
      running_.erase(entry);
      in_time = true;
      break;
    }
  }
  if (result) {
    answer.status = result->status;
    answer.content_type = result->get_header_value("Content-Type");
    if (in_time) give_back(std::move(client));
    return answer;
  }
  if (too_large) throw Error(ErrorCode::kTooLarge, base_ + " answered with more than 1 MiB");
  const bool connecting = result.error() == httplib::Error::Connection;
  if (!connecting && (!in_time || clock_.steady_now() >= deadline)) {
    throw Error(ErrorCode::kTimeout, base_ + " did not answer within " + format_duration(timeout_));
  }
  if (result.error() == httplib::Error::ConnectionTimeout) {
    throw Error(ErrorCode::kTimeout, base_ + " took no connection within " + format_duration(timeout_));
  }
  throw Error(ErrorCode::kUnavailable,
              connecting ? "cannot connect to " + base_
                         : base_ + " gave no complete answer (" + httplib::to_string(result.error()) + ")");
}

}  // namespace sse::gateway
