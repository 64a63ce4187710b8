#include "ssectl/console/relay.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"
#include "cluster/core/raw_http.h"
#include "event/json.h"
#include "net/allowed_hosts.h"
#include "net/event_loop.h"
#include "net/foreign_page.h"
#include "net/http_front.h"
#include "net/httplib_app.h"
#include "net/listener.h"
#include "net/representation.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"
#include "ssectl/console/pass.h"

namespace sse::ctl {
namespace {

constexpr std::string_view kSessionPath = "/console/session";
constexpr const char* kNoSession =
    "the key of this page is not that of a session of 'ssectl console'; press Enter there for a new address";
constexpr const char* kTokenSpent =
    "this address was used before, or is older than a minute; press Enter in 'ssectl console' for a new one";
constexpr const char* kManyStreams = "the console has too many event streams open; close some of its pages";
constexpr const char* kChallenge = "WWW-Authenticate: Bearer\r\n";

std::string_view path_of(std::string_view target) {
  return target.substr(0, target.find('?'));
}

// The files of the console, and nothing that a server could read as another path.
bool is_console_file(const net::RequestHead& head) {
  std::string_view path = path_of(head.target);
  constexpr std::string_view kFolder = "/console/";
  if ((head.method != "GET" && head.method != "HEAD") || !path.starts_with(kFolder)) return false;
  path.remove_prefix(kFolder.size());
  return path.find("..") == std::string_view::npos &&
         std::ranges::all_of(path, [](char c) { return (c >= 'a' && c <= 'z') || c == '-' || c == '.'; });
}

std::string_view bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  return to_lower(authorization.substr(0, kScheme.size())) == kScheme ? authorization.substr(kScheme.size())
                                                                      : std::string_view();
}

std::string problem_text(int status, std::string_view sentence) {
  std::string_view code = error_name(ErrorCode::kInvalidArgument);
  for (const ErrorCode one : {ErrorCode::kUnauthenticated, ErrorCode::kPermissionDenied, ErrorCode::kTooLarge,
                              ErrorCode::kUnavailable, ErrorCode::kInternal}) {
    if (http_status(one) == status) code = error_name(one);
  }
  return problem_document(status, code, sentence);
}

}  // namespace

class ConsoleRelay::Core {
 public:
  Core(api::ClientOptions server, std::uint16_t port, ConsoleKeys& keys)
      : server_(std::move(server)),
        keys_(keys),
        listener_({"127.0.0.1", port, ""}, "--port"),
        loop_("ssectl-console"),
        workers_("ssectl-relay", 1, kMaxConnections, kMaxConnections) {
    app_.set_interceptor([this](std::string_view text, const net::Peer&, bool, const net::RequestExtras&) {
      return std::optional(answer(text));
    });
    front_ = std::make_unique<net::HttpFront>(loop_, listener_, app_, workers_, front_options(), metrics_,
                                              [] { return std::size_t{0}; });
  }
  ~Core() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
      for (ConsolePass* pass : passes_) pass->stop();
    }
    front_->drain();
    workers_.stop();
    loop_.stop();
  }
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  std::string origin() const { return "http://" + listener_.address().str(); }
  void start() {
    loop_.start();
    front_->start();
  }

 private:
  net::FrontOptions front_options();
  std::optional<net::HeadRefusal> refuse(const net::RequestHead& head) const;
  net::Reply answer(std::string_view text);
  net::Reply open_session(const cluster::RawRequest& request);
  void pass_on(const api::ForwardedRequest& request, bool stream, net::HandedOverConnection browser);
  bool begin(ConsolePass& pass) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (!stopping_) passes_.insert(&pass);
    return !stopping_;
  }
  void end(ConsolePass& pass) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    passes_.erase(&pass);
  }

  const api::ClientOptions server_;
  ConsoleKeys& keys_;
  const net::AllowedHosts hosts_;
  observe::Registry metrics_;
  net::Listener listener_;
  net::EventLoop loop_;
  net::WorkerPool workers_;
  net::HttplibApp app_;
  std::unique_ptr<net::HttpFront> front_;
  std::atomic<std::size_t> streams_{0};

  Mutex mutex_;
  std::set<ConsolePass*> passes_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
};

net::FrontOptions ConsoleRelay::Core::front_options() {
  net::FrontOptions front;
  front.name = "console";
  front.max_body = kMaxBody;
  front.max_connections = kMaxConnections;
  front.max_connections_option = "ssectl console serves " + std::to_string(kMaxConnections) + " at a time";
  front.plan = [this](const net::RequestHead& head, const net::Peer&) {
    net::RequestPlan plan{.max_body = kMaxBody};
    plan.refusal = refuse(head);
    return plan;
  };
  front.refusal = [](const net::RequestHead&, int status, const std::string& sentence) {
    return net::RefusalText{"Cache-Control: no-store\r\n", "application/problem+json", problem_text(status, sentence)};
  };
  return front;
}

std::optional<net::HeadRefusal> ConsoleRelay::Core::refuse(const net::RequestHead& head) const {
  const bool file = is_console_file(head);
  if (auto refusal = net::refuse_foreign_page(head, file ? net::Links::kAllowed : net::Links::kRefused)) return refusal;
  const std::string_view host = net::header_value(head, "Host");
  if (!hosts_.allows(host)) {
    return net::HeadRefusal{403, "the Host '" + printable(host, 80) +
                                     "' is not allowed, because it may belong to a foreign page; use 127.0.0.1 or "
                                     "localhost"};
  }
  const bool exchange = head.method == "POST" && head.target == kSessionPath;
  if (file || exchange || keys_.is_session(bearer(net::header_value(head, "Authorization")))) return std::nullopt;
  return net::HeadRefusal{401, kNoSession, kChallenge};
}

net::Reply ConsoleRelay::Core::answer(std::string_view text) {
  const cluster::RawRequest request = cluster::RawRequest::parse(text);
  if (request.method == "POST" && request.path == kSessionPath) return open_session(request);
  api::ForwardedRequest passed{request.method, {}, request.headers, request.body};
  const std::size_t target = text.find(' ') + 1;
  passed.target = text.substr(target, text.find(' ', target) - target);
  const bool stream = request.path == "/api/v1/events" && request.parameter("follow") == "true";
  net::Reply reply;
  // The real head is that of the server.
  reply.bytes = "HTTP/1.1 200 OK\r\n\r\n";
  reply.hand_over = [this, passed = std::move(passed), stream](net::HandedOverConnection browser) {
    pass_on(passed, stream, std::move(browser));
  };
  return reply;
}

net::Reply ConsoleRelay::Core::open_session(const cluster::RawRequest& request) {
  const std::optional<std::string> key = keys_.redeem(bearer(request.header("Authorization")));
  net::RequestHead head;
  head.method = "POST";
  const std::string headers = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!key) {
    return net::short_reply(head, "401 Unauthorized", headers + kChallenge, "application/problem+json",
                            problem_text(401, kTokenSpent), false);
  }
  return net::short_reply(head, "200 OK", headers, "application/json", event::dump_json({{"token", *key}}), false);
}

void ConsoleRelay::Core::pass_on(const api::ForwardedRequest& request, bool stream, net::HandedOverConnection browser) {
  ConsolePass pass(server_, std::move(browser));
  if (!begin(pass)) return;
  if (stream && ++streams_ > kMaxStreams) {
    pass.refuse(503, error_name(ErrorCode::kUnavailable), kManyStreams);
  } else {
    pass.run(request);
  }
  if (stream) --streams_;
  end(pass);
}

ConsoleRelay::ConsoleRelay(api::ClientOptions server, std::uint16_t port, ConsoleKeys& keys)
    : core_(std::make_unique<Core>(std::move(server), port, keys)) {}

ConsoleRelay::~ConsoleRelay() = default;

std::string ConsoleRelay::origin() const {
  return core_->origin();
}

void ConsoleRelay::start() {
  core_->start();
}

}  // namespace sse::ctl
