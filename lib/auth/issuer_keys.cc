#include "auth/issuer_keys.h"

#include <pthread.h>

#include <utility>

#include "auth/secret_file.h"
#include "base/error.h"
#include "base/text.h"
#include "event/json.h"
#include "net/http_caller.h"
#include "observe/barrier.h"
#include "observe/log.h"

namespace sse::auth {
namespace {

constexpr const char* kIssuerOption = "--jwt-issuer";

// Whether the answer of the URL is protected against changes on its way: by TLS, or because it stays on this machine.
bool is_protected(std::string_view url) {
  if (url.starts_with("https://")) return true;
  for (const std::string_view host : {"http://127.0.0.1", "http://[::1]", "http://localhost"}) {
    if (url.starts_with(host) && (url.size() == host.size() || url[host.size()] == ':' || url[host.size()] == '/'))
      return true;
  }
  return false;
}

std::string discovery_url(std::string issuer) {
  while (issuer.ends_with('/')) issuer.pop_back();
  return issuer + "/.well-known/openid-configuration";
}

Error unusable_answer(const std::string& url, const std::string& why) {
  return {ErrorCode::kInvalidArgument, "the answer of " + printable(url, 200) + " " + why};
}

}  // namespace

bool IssuerKeys::is_discoverable(std::string_view issuer) {
  return issuer.starts_with("https://") || issuer.starts_with("http://");
}

void IssuerKeys::check(const Options& options) {
  if (!is_protected(options.issuer)) {
    throw Error(ErrorCode::kInvalidArgument,
                "--jwt-issuer '" + printable(options.issuer, 200) +
                    "' must begin with https://, because its keys decide who is let in; http:// is accepted for this "
                    "machine only");
  }
  const net::HttpCaller valid(discovery_url(options.issuer), kIssuerOption, options.timeout);
  if (!options.ca_file.empty()) read_whole_file(options.ca_file, "--jwt-issuer-ca");
}

std::string IssuerKeys::get(const std::string& url, const Options& options,
                            const std::function<void(net::HttpCaller*)>& calling) {
  struct Call {
    net::HttpCaller http;
    const std::function<void(net::HttpCaller*)>& calling;
    ~Call() { calling(nullptr); }
  };
  Call call{{url, kIssuerOption, options.timeout, *options.clock}, calling};
  call.http.set_ca_file(options.ca_file);
  calling(&call.http);
  const net::HttpCaller::Answer answer = call.http.get();
  if (answer.status != 200) throw unusable_answer(url, "has the status " + std::to_string(answer.status));
  return answer.body;
}

JwtKeys IssuerKeys::fetch(const Options& options, const std::function<void(net::HttpCaller*)>& calling) {
  const std::string url = discovery_url(options.issuer);
  const event::Json document = event::parse_json_or_null(get(url, options, calling));
  if (!document.is_object()) throw unusable_answer(url, "is not a JSON object");
  // OpenID Connect Discovery 1.0 §4.3: otherwise one provider could speak for another.
  if (const std::string issuer = event::string_field(document, "issuer"); issuer != options.issuer) {
    throw unusable_answer(
        url, "is that of the issuer '" + printable(issuer, 200) + "'; --jwt-issuer must be exactly this text");
  }
  const std::string keys = event::string_field(document, "jwks_uri");
  if (!is_protected(keys) || (keys.starts_with("http://") && !options.issuer.starts_with("http://")))
    throw unusable_answer(url, "names no 'jwks_uri' with https://");
  return JwtKeys::parse_published(get(keys, options, calling), "the answer of " + printable(keys, 200));
}

IssuerKeys::IssuerKeys(Options options) : options_(std::move(options)) {
  check(options_);
  {
    const MutexLock lock(mutex_);
    next_ = options_.clock->steady_now();
    fetched_ = next_;
  }
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "sse-issuer");
    observe::guarded("reading the keys of the issuer", [this] { run(); });
  });
}

IssuerKeys::~IssuerKeys() {
  stop();
  thread_.join();
}

void IssuerKeys::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  if (call_ != nullptr) call_->stop();
  changed_.notify_all();
}

void IssuerKeys::set_call(net::HttpCaller* call) {
  const MutexLock lock(mutex_);
  call_ = call;
  if (stopping_ && call != nullptr) call->stop();
}

void IssuerKeys::reload() {
  const MutexLock lock(mutex_);
  next_ = options_.clock->steady_now();
  changed_.notify_all();
}

void IssuerKeys::run() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && next_ > options_.clock->steady_now()) changed_.wait_until(mutex_, next_, *options_.clock);
      if (stopping_) return;
      fetching_ = true;
      fetched_ = options_.clock->steady_now();
    }
    fetch_once();
  }
}

void IssuerKeys::fetch_once() {
  std::shared_ptr<const JwtKeys> fresh;
  try {
    fresh = std::make_shared<const JwtKeys>(fetch(options_, [this](net::HttpCaller* call) { set_call(call); }));
  } catch (const Error& e) {
    observe::log_warn("the keys of the issuer cannot be read (--jwt-issuer); tried again soon", {{"error", e.what()}});
  }
  const MutexLock lock(mutex_);
  fetching_ = false;
  next_ = options_.clock->steady_now() + (fresh == nullptr ? options_.retry : options_.refresh);
  if (fresh != nullptr) {
    if (keys_ == nullptr)
      observe::log_info("read the keys of the issuer",
                        {{"issuer", options_.issuer}, {"keys", std::to_string(fresh->size())}});
    keys_ = std::move(fresh);
  }
  changed_.notify_all();
}

bool IssuerKeys::known(std::string_view key_id) const {
  return keys_ != nullptr && (key_id.empty() || keys_->contains(key_id));
}

std::shared_ptr<const JwtKeys> IssuerKeys::keys_for(std::string_view key_id) {
  const MutexLock lock(mutex_);
  if (!known(key_id) && !fetching_ && keys_ != nullptr && options_.clock->steady_now() - fetched_ >= options_.reread) {
    fetching_ = true;
    fetched_ = options_.clock->steady_now();
    next_ = fetched_;
    changed_.notify_all();
  }
  const SteadyTime deadline = options_.clock->steady_now() + 2 * options_.timeout;
  while (!known(key_id) && fetching_ && !stopping_ && options_.clock->steady_now() < deadline) {
    if (waiting_ == kMaxWaiting) break;
    ++waiting_;
    changed_.wait_until(mutex_, deadline, *options_.clock);
    --waiting_;
  }
  if (keys_ == nullptr || (fetching_ && !known(key_id))) {
    throw Error(ErrorCode::kUnavailable,
                "the keys of the issuer (--jwt-issuer) cannot be read at present; try again later");
  }
  return keys_;
}

}  // namespace sse::auth
