#include "net/http_caller.h"

#include <httplib.h>
#include <pthread.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"
#include "observe/barrier.h"

namespace sse::net {
namespace {

constexpr std::size_t kMaxResponse = std::size_t{1024} * 1024;
constexpr std::size_t kMaxIdle = 64;

}  // namespace

HttpCaller::HttpCaller(const std::string& url, const std::string& option, std::chrono::milliseconds timeout,
                       const Clock& clock, HostResolver::LookUp look_up)
    : timeout_(timeout), clock_(clock) {
  const auto bad = [&](const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument,
                option + " '" + printable(url, 80) + "' " + why + "; write http://127.0.0.1:9000/path");
  };
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) bad("begins with neither http:// nor https://");
  if (url.find_first_of(" \t\r\n#") != std::string::npos || url.size() > 2000) bad("is not a URL");
  const std::size_t slash = std::min(url.find_first_of("/?", scheme), url.size());
  base_ = url.substr(0, slash);
  const std::string host = url.substr(scheme, slash - scheme);
  if (host.empty() || host.front() == ':') bad("names no host");
  if (host.find('@') != std::string::npos) bad("contains a user name, which would appear in logs");
  const std::size_t colon = host.rfind(':');
  std::size_t port_at = host.size();
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    const std::string port = host.substr(colon + 1);
    port_at = colon;
    if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
        std::stoi(port) > 65535 || std::stoi(port) == 0) {
      bad("has no port from 1 to 65535");
    }
  }
  path_ = url.substr(slash);
  if (path_.empty() || path_.front() != '/') path_.insert(0, "/");
  host_ = host.substr(0, port_at);
  if (host_.front() == '[' && host_.back() == ']') host_ = host_.substr(1, host_.size() - 2);
  resolver_ = std::make_unique<HostResolver>(host_, clock_, std::move(look_up));
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
  std::vector<ClientRef> ended;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    for (const auto& [deadline, client] : running_) ended.push_back(client);
    idle_.clear();
    changed_.notify_all();
  }
  resolver_->stop();
  for (const ClientRef& client : ended) client->stop();
}

// Null after stop().
HttpCaller::ClientRef HttpCaller::next_overdue() {
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
    return std::move(running_.extract(running_.begin()).mapped());
  }
  return nullptr;
}

void HttpCaller::watch() {
  while (const ClientRef client = next_overdue()) client->stop();
}

HttpCaller::ClientRef HttpCaller::take_idle() {
  const MutexLock lock(mutex_);
  if (stopped_) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  if (idle_.empty()) return nullptr;
  ClientRef client = std::move(idle_.back());
  idle_.pop_back();
  return client;
}

HttpCaller::ClientRef HttpCaller::new_client() const {
  const auto client = std::make_shared<httplib::Client>(base_);
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  client->set_read_timeout(timeout_);
  client->set_write_timeout(timeout_);
  if (!ca_file_.empty()) client->set_ca_cert_path(ca_file_.c_str());
  return client;
}

void HttpCaller::return_idle(ClientRef client) {
  const MutexLock lock(mutex_);
  if (!stopped_ && idle_.size() < kMaxIdle) idle_.push_back(std::move(client));
}

void HttpCaller::begin_call(SteadyTime deadline, const ClientRef& client) {
  const MutexLock lock(mutex_);
  if (stopped_) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  const auto mine = running_.emplace(deadline, client);
  // A later deadline needs no wake-up: the watcher checks it after the earlier one.
  if (mine == running_.begin()) changed_.notify_all();
}

bool HttpCaller::end_call(SteadyTime deadline, const ClientRef& client) {
  const MutexLock lock(mutex_);
  const auto same = running_.equal_range(deadline);
  for (auto entry = same.first; entry != same.second; ++entry) {
    if (entry->second != client) continue;
    running_.erase(entry);
    return true;
  }
  return false;
}

HttpCaller::Answer HttpCaller::get(const Headers& headers) {
  httplib::Request request;
  request.method = "GET";
  for (const auto& [name, value] : headers) request.set_header(name, value);
  return call(request);
}

HttpCaller::Answer HttpCaller::post(const Request& asked) {
  httplib::Request request;
  request.method = "POST";
  for (const auto& [name, value] : asked.headers) request.set_header(name, value);
  request.set_header("Content-Type", asked.content_type);
  if (asked.stream) {
    request.content_length_ = asked.stream_length;
    request.content_provider_ = [&](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
      return asked.stream(offset, length, [&](const char* data, std::size_t n) { return sink.write(data, n); });
    };
  } else {
    request.body = asked.body;
  }
  return call(request);
}

HttpCaller::Answer HttpCaller::call(httplib::Request& request) {
  const SteadyTime deadline = clock_.steady_now() + timeout_;
  request.path = path_;
  request.set_header("Accept", "application/json");
  Answer answer;
  bool too_large = false;
  request.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    too_large = answer.body.size() + size > kMaxResponse;
    if (!too_large) answer.body.append(data, size);
    return !too_large;
  };
  httplib::Error error = httplib::Error::Unknown;
  bool in_time = false;
  // Returns false when no connection was made, so that nothing was sent.
  const auto send = [&](const ClientRef& client, std::chrono::milliseconds connect_time) {
    client->set_connection_timeout(std::max(connect_time, std::chrono::milliseconds(1)));
    begin_call(deadline, client);
    const httplib::Result result = client->send(request);
    in_time = end_call(deadline, client);
    error = result.error();
    if (!result) return error != httplib::Error::Connection && error != httplib::Error::ConnectionTimeout;
    answer.status = result->status;
    answer.content_type = result->get_header_value("Content-Type");
    if (in_time) return_idle(client);
    return true;
  };
  const auto left = [&] { return std::chrono::floor<std::chrono::milliseconds>(deadline - clock_.steady_now()); };
  // When the server has closed an idle connection, its address may have changed, too.
  const ClientRef idle = take_idle();
  bool connected = idle != nullptr && send(idle, left() / 2);
  if (!connected) {
    const std::vector<std::string> addresses = resolver_->addresses(deadline);
    for (std::size_t i = 0; i < addresses.size() && !connected && (i == 0 || left().count() > 0); ++i) {
      const ClientRef client = new_client();
      if (!resolver_->numeric()) client->set_hostname_addr_map({{host_, addresses[i]}});
      connected = send(client, left() / static_cast<std::int64_t>(addresses.size() - i));
    }
  }
  if (answer.status != 0) return answer;
  if (too_large) throw Error(ErrorCode::kTooLarge, base_ + " sent a response of more than 1 MiB");
  if (error == httplib::Error::ConnectionTimeout)
    throw Error(ErrorCode::kTimeout, base_ + " accepted no connection within " + format_duration(timeout_));
  if (connected && (!in_time || clock_.steady_now() >= deadline))
    throw Error(ErrorCode::kTimeout, base_ + " did not answer within " + format_duration(timeout_));
  throw Error(ErrorCode::kUnavailable, !connected
                                           ? "cannot connect to " + base_
                                           : base_ + " sent no complete response (" + httplib::to_string(error) + ")");
}

}  // namespace sse::net
