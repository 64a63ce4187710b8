#include "net/host_resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/mutex.h"
#include "base/text.h"

namespace sse::net {
namespace {

constexpr std::chrono::seconds kFresh{5};
// Limit of a new look-up while older addresses are known.
constexpr std::chrono::seconds kRefreshWait{1};
constexpr std::size_t kMaxAddresses = 16;

bool is_numeric(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

std::vector<std::string> look_up_name(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0)
    throw Error(ErrorCode::kUnavailable, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; one != nullptr && addresses.size() < kMaxAddresses; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  }
  return addresses;
}

}  // namespace

struct HostResolver::State {
  explicit State(LookUp how) : look_up(std::move(how)) {}

  void run(const std::string& host) {
    std::vector<std::string> fresh;
    std::string why;
    try {
      fresh = look_up(host);
      if (fresh.empty()) why = "it has no address";
    } catch (const std::exception& e) {
      why = e.what();
    } catch (...) {
      why = "the look-up failed";
    }
    const MutexLock lock(mutex);
    if (!fresh.empty()) known = std::move(fresh);
    problem = std::move(why);
    running = false;
    ++finished;
    changed.notify_all();
  }

  const LookUp look_up;
  Mutex mutex;
  CondVar changed;
  std::vector<std::string> known GUARDED_BY(mutex);
  std::string problem GUARDED_BY(mutex);  // of the last look-up
  SteadyTime begun GUARDED_BY(mutex){};   // the last look-up
  std::uint64_t finished GUARDED_BY(mutex) = 0;
  bool running GUARDED_BY(mutex) = false;
  bool stopped GUARDED_BY(mutex) = false;
};

HostResolver::HostResolver(std::string host, const Clock& clock, LookUp look_up)
    : host_(std::move(host)),
      numeric_(is_numeric(host_)),
      clock_(clock),
      state_(std::make_shared<State>(look_up ? std::move(look_up) : &look_up_name)) {}

void HostResolver::stop() {
  const MutexLock lock(state_->mutex);
  state_->stopped = true;
  state_->changed.notify_all();
}

std::vector<std::string> HostResolver::addresses(SteadyTime deadline) {
  if (numeric_) return {host_};
  State& state = *state_;
  const MutexLock lock(state.mutex);
  const SteadyTime now = clock_.steady_now();
  if (!state.known.empty() && state.problem.empty() && !state.running && now - state.begun < kFresh) return state.known;
  if (!state.running && !state.stopped) {
    try {
      // getaddrinfo() cannot be interrupted, so no thread waits for this one to end.
      std::thread([shared = state_, host = host_] {
        pthread_setname_np(pthread_self(), "sse-resolve");
        shared->run(host);
      }).detach();
    } catch (const std::system_error& e) {
      throw Error(ErrorCode::kUnavailable, "cannot look up the host '" + printable(host_, 80) + "': " + e.what());
    }
    state.running = true;
    state.begun = now;
  }
  const std::uint64_t before = state.finished;
  const SteadyTime until = state.known.empty() ? deadline : std::min<SteadyTime>(deadline, now + kRefreshWait);
  while (state.finished == before && !state.stopped && state.changed.wait_until(state.mutex, until, clock_)) {
  }
  if (state.stopped) throw Error(ErrorCode::kUnavailable, "this server is shutting down");
  if (!state.known.empty()) return state.known;
  if (state.finished == before)
    throw Error(ErrorCode::kTimeout, "the name server did not answer in time for the host '" + printable(host_, 80) +
                                         "'; a name in /etc/hosts, or an address, needs none");
  throw Error(ErrorCode::kUnavailable,
              "cannot look up the host '" + printable(host_, 80) + "': " + printable(state.problem, 200));
}

}  // namespace sse::net
