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

/// Why a request is refused after its head was read.
struct HeadRefusal {
  int status = 0;
  std::string sentence;
  std::string headers{};  ///< lines with their CRLF, such as `Allow`
};

/// Result of an Admit call: the sender of the request, or a refusal.
struct AdmitResult {
  std::optional<HeadRefusal> refusal{};
  std::shared_ptr<const Admission> admission{};
};

/// Decides on a request whose body has not been received yet; must not throw.
using Admit = std::function<AdmitResult(const RequestHead& head, const Peer& peer)>;

/// How to receive and handle a request, decided from its head.
struct RequestPlan {
  WorkerPool* workers = nullptr;          ///< null: the workers of HttpFront
  std::chrono::milliseconds max_wait{0};  ///< longest wait for a worker, then 503; 0: no limit
  ByteCount max_body;
  ByteCount max_in_memory = kibibytes(64);  ///< larger bodies go to disk while they arrive (FrontOptions::spoolers)
  bool in_file = false;                     ///< the handler reads a body on disk from the file
  bool takes_multipart = false;             ///< otherwise such a body is refused with 415
  std::optional<HeadRefusal> refusal{};     ///< the response, sent without reading the body
  /// Null: every sender is admitted. Runs on a worker, may block, and is called only when the body did not arrive with
  /// the head; the connection is not read meanwhile.
  Admit admit{};
};

/// The response text of a refusal by HttpFront itself.
struct RefusalText {
  std::string headers;  ///< lines with their CRLF, such as those of CORS
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
  /// Null: no peer is a proxy. Returns true when this peer forwards requests of other clients. Each of those requests
  /// counts for the address that `client_address` returns, and the proxy itself does not count. Called on the loop
  /// thread; must not block.
  std::function<bool(const std::string& peer)> is_proxy;
  std::function<std::string(const std::string& peer, const RequestHead&)> client_address;
  std::string max_connections_option = "--max-connections";  ///< named in the refusal
  /// Null: every request uses HttpFront's workers and max_body. Called on the loop thread; must not block.
  std::function<RequestPlan(const RequestHead&, const Peer&)> plan;
  /// Null: refusals are plain text. Not called for a request without a readable head. Any thread; must not block.
  std::function<RefusalText(const RequestHead&, int status, const std::string& sentence)> refusal;
  /// Null: every request is handled by the app. Called on a worker thread, may read the disk. Answers a request that
  /// needs only its head, or returns nullopt. Must not throw.
  std::function<std::optional<Reply>(const RequestHead& head, bool keep_alive)> content;
  /// The workers that write large bodies to disk, for which the loop must not wait, and the folder. Null: bodies stay
  /// in memory.
  WorkerPool* spoolers = nullptr;
  std::string spool_folder = "/tmp";
  std::size_t max_spooled = 256;  ///< bodies on disk at a time; each costs a descriptor
  /// Limits of the bytes of request bodies in memory and on disk. Null: no limit. Must outlive the front.
  ByteBudget* memory = nullptr;
  ByteBudget* disk = nullptr;
  /// Not null: connections must use TLS. Must outlive the front.
  const TlsContext* tls = nullptr;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< from accept to the end of the handshake
};

/// An HTTP/1.1 server: accepts connections, reads complete requests without blocking, passes them to workers and keeps
/// connections alive.
///
/// The head of a request decides how the rest is treated (RequestPlan). Until the decision, at most the head and the
/// bytes that arrived with it, 16 KiB in all, are read from the connection. A refused request is answered with its body
/// unread, and the connection is closed. `Expect: 100-continue` is answered after the decision.
///
/// Only admitted connections count against max_connections. A small number of refused connections stay open for a
/// moment, so that their clients can read the reason; further ones are closed at once.
///
/// A connection belongs to the front loop, except from the moment its request goes to a worker until the worker re-arms
/// it: EPOLLONESHOT suppresses events in between. An idle or slow client therefore costs a descriptor and a little
/// memory, and a request crosses threads once.
class HttpFront final : private EventLoop::Handler {
  class Connection;

 public:
  /// All references must outlive the front. `others_open`: connections that were handed over and still count against
  /// the limit.
  HttpFront(EventLoop& loop, Listener& listener, HttplibApp& app, WorkerPool& workers, FrontOptions options,
            observe::Registry& metrics, std::function<std::size_t()> others_open);
  /// REQUIRES: the loop and the workers have stopped.
  ~HttpFront();
  HttpFront(const HttpFront&) = delete;
  HttpFront& operator=(const HttpFront&) = delete;

  /// Starts accepting. Before or after the loop starts. Any thread.
  void start();
  /// Stops accepting and closes idle connections; requests in progress are answered with "Connection: close". Any
  /// thread.
  void drain();
  /// Connections that the front holds now. Any thread.
  std::size_t open() const { return open_.load(std::memory_order_relaxed); }

  /// Answers one request, once, from any thread. Destroyed without an answer, it sends 503: the server is shutting
  /// down.
  class Responder {
   public:
    Responder(Responder&& other) noexcept
        : front_(other.front_), connection_(std::exchange(other.connection_, nullptr)) {}
    Responder& operator=(Responder&&) = delete;
    ~Responder();
    /// `status`: 200 or an error status.
    void answer(int status, std::string_view content_type, std::string_view body);

   private:
    friend class HttpFront;
    Responder(HttpFront& front, Connection& connection) : front_(front), connection_(&connection) {}

    HttpFront& front_;
    Connection* connection_;
  };

  /// Handles a complete request on the loop thread. It moves the responder out and returns true when it will answer, or
  /// returns false to leave the request to the workers. For frequent requests that never block; must be quick and must
  /// not throw.
  using FastHandler = std::function<bool(const RequestHead& head, std::string_view body, Responder& responder)>;
  /// Before start().
  void set_fast_handler(FastHandler quick) { fast_handler_ = std::move(quick); }

 private:
  void on_events(std::uint32_t events) override;
  void accept_one(int fd, const sockaddr_storage& address);
  void refuse_connection(UniqueFd socket, Peer peer, int status, const char* reason);
  Connection* adopt(UniqueFd socket, Peer peer);
  void shed();
  void do_handshake(Connection& connection);
  void end_handshake(Connection& connection);
  void on_handshake_timeout(Connection& connection);
  void on_readable(Connection& connection);
  void advance(Connection& connection);
  bool read_head(Connection& connection);
  void read_body(Connection& connection);
  bool has_whole_body(const Connection& connection) const;
  void request_admission(Connection& connection);
  void after_admission(Connection& connection, AdmitResult result);
  void send_continue(Connection& connection);
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
  void release_body(Connection& connection);  // any thread that owns the connection
  void wait_for_memory(Connection& connection);
  void dispatch_waiting();
  void handle(Connection& connection);                             // worker thread
  void finish(Connection& connection, bool keep_alive);            // worker thread
  void continue_sending(Connection& connection, bool keep_alive);  // worker thread
  enum class WriteResult : unsigned char { kAll, kSome, kConnectionLost };
  WriteResult push(Connection& connection);  // loop or worker thread, the current owner of the connection
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
  FastHandler fast_handler_;
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
  // Null without TLS.
  observe::Counter* handshakes_done_ = nullptr;
  observe::Counter* handshakes_failed_ = nullptr;
  observe::Counter* handshakes_timed_out_ = nullptr;
  std::atomic<std::size_t> open_{0};
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> spooled_{0};  // bodies on disk

  // Loop thread only.
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::size_t refused_open_ = 0;              // of those: refused for a limit, and about to be closed
  std::deque<std::uint64_t> memory_waiters_;  // keys of connections whose body is on disk, in order of arrival
  std::uint64_t next_key_ = 1;
  TimerWheel wheel_;
  UniqueFd spare_;  // closed to accept and refuse connections when descriptors run out
  SteadyTime last_shed_log_{};
};

}  // namespace sse::net
