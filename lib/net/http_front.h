#pragma once

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/fd.h"
#include "base/units.h"
#include "net/address_limiter.h"
#include "net/byte_budget.h"
#include "net/event_loop.h"
#include "net/httplib_app.h"
#include "net/listener.h"
#include "net/request_head.h"
#include "net/timer_wheel.h"
#include "net/tls_context.h"
#include "net/worker_pool.h"
#include "observe/metrics.h"

namespace sse::net {

/// Why a request is refused by its head.
struct HeadRefusal {
  int status = 0;
  std::string sentence;
  std::string headers{};  ///< lines with their CRLF, such as `Allow`
};

/// What an Admit found out: who sends the request, or why it is refused.
struct AdmitResult {
  std::optional<HeadRefusal> refusal{};
  std::shared_ptr<const Admission> admission{};
};

/// Asked about a request whose body has still to come; must not throw.
using Admit = std::function<AdmitResult(const RequestHead& head, const Peer& peer)>;

/// What a request's head decides.
struct RequestPlan {
  WorkerPool* workers = nullptr;           ///< null: the front's
  std::chrono::milliseconds most_wait{0};  ///< for a worker, before it gets 503; 0: no limit
  ByteCount max_body;
  ByteCount max_in_memory = kibibytes(64);  ///< what is larger goes to disk while it comes in (FrontOptions::spoolers)
  bool in_file = false;                     ///< the handler reads a body that is on disk from there
  bool takes_multipart = false;             ///< else such a body is refused with 415
  std::optional<HeadRefusal> refusal{};     ///< the answer, without the body being read
  /// Null: whoever sends it may. Runs on a worker, may block, and only when the body has not come with the head; the
  /// connection stays unread meanwhile.
  Admit admit{};
};

/// How the front says no to a request by itself.
struct RefusalText {
  std::string headers;  ///< lines with their CRLF, such as CORS asks for
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct FrontOptions {
  std::string name;                               ///< of this listener in logs and metrics: "public", "admin"
  std::chrono::milliseconds head_timeout{5000};   ///< from a head's first byte to its last
  std::chrono::milliseconds body_timeout{30000};  ///< from the head's last byte to the body's
  std::chrono::milliseconds idle_timeout{75000};  ///< between requests
  ByteCount max_body = mebibytes(8);
  std::size_t max_connections = 0;  ///< 0: no limit; `others_open` counts towards it
  std::size_t max_per_address = 0;  ///< 0: no limit
  /// Null: nobody is a proxy. Whether this peer forwards requests of others; those count by the address that the next
  /// tells, request by request, and the peer itself not at all. Called on the loop thread; must not block.
  std::function<bool(const std::string& peer)> is_proxy;
  std::function<std::string(const std::string& peer, const RequestHead&)> client_address;
  std::string max_connections_option = "--max-connections";  ///< named in the refusal
  /// Null: every request goes to the front's workers and may have max_body. Called on the loop thread; must not block.
  std::function<RequestPlan(const RequestHead&, const Peer&)> plan;
  /// Null: refusals are plain text. Not called for what has no readable head. Any thread; must not block.
  std::function<RefusalText(const RequestHead&, int status, const std::string& sentence)> refusal;
  /// Null: every request is the app's. Called on a worker thread, where it may read the disk: answers what needs no
  /// more than the head, or returns nullopt. Must not throw.
  std::function<std::optional<Reply>(const RequestHead& head, bool keep_alive)> content;
  /// Who writes large bodies to disk, as the loop must not wait for it, and where. Null: they stay in memory.
  WorkerPool* spoolers = nullptr;
  std::string spool_folder = "/tmp";
  std::size_t max_spooled = 256;  ///< bodies on disk at a time, each of which costs a descriptor
  /// Bytes of request bodies in memory, and on disk. Null: no bound. Must outlive the front.
  ByteBudget* memory = nullptr;
  ByteBudget* disk = nullptr;
  /// Not null: connections speak TLS, and nothing else. Must outlive the front.
  const TlsContext* tls = nullptr;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< from a connection to the end of its handshake
};

/// Accepts connections, reads complete requests without blocking, lets workers handle them, keeps connections alive.
///
/// A request's head decides what becomes of it (RequestPlan). Until it has, no more than the head and what came in the
/// same piece, 16 KiB at most, is taken from the connection; what is refused then is answered with the body unread, and
/// the connection ends. `Expect: 100-continue` is answered when the decision has been made.
///
/// Only connections that were admitted count against max_connections. Those refused for a limit stay open for a moment,
/// so that their client can read why: a small number of them, the rest are closed at once.
///
/// A connection belongs to the front loop, except from the moment its request goes to a worker until the worker
/// re-arms it: EPOLLONESHOT keeps the loop from hearing of it in between. So an idle or slow client costs a descriptor
/// and a little memory, and a request crosses threads once.
class HttpFront final : private EventLoop::Handler {
  class Connection;

 public:
  /// All references must outlive the front. `others_open`: connections that left the front and count towards the limit.
  HttpFront(EventLoop& loop, Listener& listener, HttplibApp& app, WorkerPool& workers, FrontOptions options,
            observe::Registry& metrics, std::function<std::size_t()> others_open);
  /// REQUIRES: the loop and the workers have stopped.
  ~HttpFront();
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;

  /// Begins to accept. Before or after the loop starts. Any thread.
  void start();
  /// Accepts no more and closes idle connections; requests under way are answered, with "Connection: close". Any
  /// thread.
  void drain();
  /// Connections the front holds now. Any thread.
  std::size_t open() const { return open_.load(std::memory_order_relaxed); }

  /// The duty to answer one request, once, from any thread. Destroyed unanswered it says that the server stops.
  class Responder {
   public:
    Responder(Responder&& other) noexcept
        : front_(other.front_), connection_(std::exchange(other.connection_, nullptr)) {}
    Responder& operator=(Responder&&) = delete;
    ~Responder();
    /// `status`: 200 or one that goes with an error.
    void answer(int status, std::string_view content_type, std::string_view body);

   private:
    friend class HttpFront;
    Responder(HttpFront& front, Connection& connection) : front_(front), connection_(&connection) {}

    HttpFront& front_;
    Connection* connection_;
  };

  /// Looks at a complete request on the front's loop: takes the responder out and returns true when it will answer it,
  /// or leaves it to the workers. For hot requests that never block; must be quick and must not throw.
  using Quick = std::function<bool(const RequestHead& head, std::string_view body, Responder& responder)>;
  /// Before start().
  void set_quick(Quick quick) { quick_ = std::move(quick); }

  /// The ticket of the connection that is being handed over; to be called in a HandOver. Null where there is no limit.
  static std::unique_ptr<AddressLimiter::Ticket> take_ticket();

 private:
  void on_events(std::uint32_t events) override;
  void accept_one(int fd, const sockaddr_storage& address);
  void turn_away(UniqueFd socket, Peer peer, int status, const char* reason);
  Connection* adopt(UniqueFd socket, Peer peer);
  void shed();
  void shake_hands(Connection& connection);
  void end_handshake(Connection& connection);
  void give_up_handshake(Connection& connection);
  void on_readable(Connection& connection);
  void advance(Connection& connection);
  bool read_head(Connection& connection);
  void read_body(Connection& connection);
  bool has_whole_body(const Connection& connection) const;
  void ask_admission(Connection& connection);
  void after_admission(Connection& connection, AdmitResult result);
  void invite_body(Connection& connection);
  void spool(Connection& connection, bool complete);
  void after_spool(Connection& connection, bool complete, const std::string& problem);
  void refuse(Connection& connection, int status, const std::string& reason, const RequestHead* head = nullptr,
              const std::string& headers = "");
  void refuse(Connection& connection, const HeadRefusal& refusal);
  void refuse_for_memory(Connection& connection);
  std::string refusal(int status, const std::string& sentence, const RequestHead* head,
                      const std::string& headers = "") const;
  bool admit_forwarded(Connection& connection, const RequestHead& head);
  void begin_request(Connection& connection, const RequestHead& head);
  void dispatch(Connection& connection);
  void forget_body(Connection& connection);  // whoever has it
  void wait_for_memory(Connection& connection);
  void dispatch_waiting();
  void handle(Connection& connection);                    // worker thread
  void finish(Connection& connection, bool keep_alive);   // worker thread
  void send_on(Connection& connection, bool keep_alive);  // worker thread
  enum class Pushed : unsigned char { kAll, kSome, kLost };
  Pushed push(Connection& connection);  // loop or worker thread, whoever has it
  void note_handled(const Connection& connection);
  void send_out(Connection& connection, bool keep_alive);     // loop thread
  void after_reply(Connection& connection, bool keep_alive);  // loop thread
  void linger(Connection& connection);
  void arm(Connection& connection, std::uint32_t events);
  void set_deadline(Connection& connection, std::chrono::milliseconds delay);
  void schedule(Connection& connection, SteadyTime when);
  void check_deadlines();
  void destroy(Connection& connection);

  EventLoop& loop_;
  Listener& listener_;
  HttplibApp& app_;
  WorkerPool& workers_;
  const FrontOptions options_;
  const std::function<std::size_t()> others_open_;
  const std::string full_;  // the sentence of a refusal
  const std::shared_ptr<AddressLimiter> limiter_;
  Quick quick_;
  observe::Counter& accepted_;
  observe::Counter& requests_;
  observe::Counter& refused_full_;
  observe::Counter& refused_address_;
  observe::Counter& refused_descriptors_;
  observe::Counter& bad_requests_;
  observe::Counter& timeouts_;
  observe::Counter& refused_memory_;
  observe::Counter& refused_disk_;
  observe::Histogram& request_seconds_;
  // Where TLS is spoken.
  observe::Counter* handshakes_done_ = nullptr;
  observe::Counter* handshakes_failed_ = nullptr;
  observe::Counter* handshakes_late_ = nullptr;
  std::atomic<std::size_t> open_{0};
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> spooled_{0};  // bodies on disk

  // Loop thread only.
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::size_t turned_away_ = 0;               // of those: refused for a limit, and about to end
  std::deque<std::uint64_t> memory_waiters_;  // keys of connections whose body is on disk, in the order they came
  std::uint64_t next_key_ = 1;
  TimerWheel wheel_;
  UniqueFd spare_;  // given up to accept and refuse when descriptors run out
  SteadyTime last_shed_log_{};
};

}  // namespace sse::net
