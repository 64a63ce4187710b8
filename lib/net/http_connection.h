#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/acceptor.h"
#include "net/connection_limits.h"
#include "net/event_loop.h"
#include "net/file_body.h"
#include "net/front_metrics.h"
#include "net/front_options.h"
#include "net/hand_over.h"
#include "net/http_connection_owner.h"
#include "net/request_body.h"
#include "net/request_head.h"
#include "net/responder.h"
#include "net/socket.h"
#include "net/upload_spooler.h"

namespace sse::net {

class HttplibApp;

/// One connection of an HttpFront: a state machine from the first byte of a request to the last one of its response,
/// and then to the next request. The order of the functions is that of the source files: http_connection_proxy.cc,
/// http_connection_tls.cc, http_connection.cc (the head), http_connection_request.cc, http_connection_reply.cc.
///
/// It belongs to the loop thread, except while a worker, a spooler or a Responder has its request: EPOLLONESHOT then
/// suppresses events until that thread gives it back, so that a request crosses threads once. Functions are for the
/// loop thread unless they say "owner": the thread that has the request.
class HttpConnection final : public EventLoop::Handler {
 public:
  enum class State : unsigned char {
    kProxyHeader,       ///< the PROXY protocol header is being received
    kHandshake,         ///< of TLS
    kIdle,              ///< between requests
    kHead,              ///< a part of a head has arrived
    kAdmission,         ///< a worker decides on the sender; nothing is read
    kBody,              ///< the body is being received
    kSpooling,          ///< a spooler writes a part of the body; nothing is read
    kWaitingForMemory,  ///< the body is on disk, and there is no memory for it yet
    kHandling,          ///< a worker or a Responder has the request
    kWriting,           ///< the socket has no room for the rest of the response
    kLingering          ///< after the last response, so that the client can read it
  };

  using Owner = HttpConnectionOwner;
  /// What the connections of a front have in common. Everything must outlive them.
  struct Shared {
    EventLoop& loop;
    const FrontOptions& options;
    HttplibApp& app;
    WorkerPool& workers;
    FrontMetrics& metrics;
    ConnectionLimits& limits;
    UploadSpooler& spooler;
    const FastHandler& fast_handler;  ///< may be empty
    const std::atomic<bool>& draining;
    Owner& owner;
  };

  /// `key`: identifies the connection to its owner.
  HttpConnection(const Shared& shared, std::uint64_t key, AcceptedConnection accepted);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Begins to receive events. Throws Error(kIo) when the kernel refuses.
  void watch();
  /// After watch(), when the owner knows the connection: begins the handshake or the first request, or refuses.
  void start();
  /// Acts on a deadline that has passed.
  void check_deadline(SteadyTime now);
  /// Tries to continue in kWaitingForMemory. False when there is still not enough.
  bool resume_with_memory();
  /// No further request. Closes the connection unless a request is being received or handled.
  void drain();

  std::uint64_t key() const { return key_; }
  ConnectionPlace& place() { return place_; }
  /// Any thread.
  State state() const { return state_.load(std::memory_order_acquire); }

 private:
  friend class Responder;
  enum class Sent : unsigned char { kAll, kSome, kConnectionLost };

  void on_events(std::uint32_t events) override;

  // kProxyHeader → kHandshake
  void read_proxy_header();
  void on_proxy_header(const std::optional<Peer>& client);
  void refuse_proxy_header(const std::string& reason);
  void begin_handshake();
  void do_handshake();
  bool begin_tls();
  void end_handshake();
  void fail_handshake();
  void on_handshake_timeout();

  // kIdle → kHead → kAdmission → kBody
  void on_readable();
  void discard();
  void advance();
  void read_head();
  void begin_request(const RequestHead& head);
  void decide();
  bool refused_by_head();
  void request_admission();
  void on_admission(AdmitResult result);

  // kBody → kSpooling → kHandling
  void await_body();
  void receive_body();
  void spool_body();
  void on_body_written(const std::string& problem);
  void on_body_complete();
  void wait_for_memory();

  // kHandling
  void dispatch();
  bool offer_to_fast_handler();
  void run_on_worker();                                                           // owner
  void handle();                                                                  // owner
  Reply reply_of(bool keep_alive);                                                // owner
  HandedOverConnection leave_front(std::string head);                             // owner
  void answer(int status, std::string_view content_type, std::string_view body);  // owner
  void answer_refusal(int status, const std::string& sentence);                   // owner
  bool waited_too_long() const;                                                   // owner
  void note_handled() const;                                                      // owner
  void release_request();                                                         // owner

  // kHandling → kWriting → kIdle, or kLingering → closed
  void finish(bool keep_alive);                                                          // owner
  void send_reply(bool keep_alive);                                                      // owner
  void give_back(State state, std::chrono::milliseconds timeout, std::uint32_t events);  // owner
  Sent send_some();                                                                      // owner
  void send_on_loop(bool keep_alive);
  void end_reply(bool keep_alive);
  void linger();
  void close();

  void refuse(int status, const std::string& sentence, const RequestHead* head = nullptr,
              const std::string& headers = "");
  void refuse(const HeadRefusal& refusal);
  void refuse_for_memory();
  void refuse_for_disk();
  std::string refusal(int status, const std::string& sentence, const RequestHead* head,
                      const std::string& headers = "") const;  // owner

  void arm(std::uint32_t events);
  void set_state(State state) { state_.store(state, std::memory_order_relaxed); }
  void set_deadline(std::chrono::milliseconds delay);
  bool is_busy() const;
  bool draining() const { return shared_.draining.load(std::memory_order_relaxed); }
  WorkerPool& workers() const { return plan_.workers != nullptr ? *plan_.workers : shared_.workers; }
  int fd() const { return socket_.fd.get(); }

  const Shared& shared_;
  const std::uint64_t key_;
  Socket socket_;
  Peer peer_;  // constant after kProxyHeader
  ConnectionPlace place_;
  const bool tls_;

  // Written by the thread that owns the request; the loop reads them to see whether it does.
  std::atomic<State> state_;
  bool keep_after_write_ = false;
  std::uint32_t lingered_ = 0;  // bytes discarded in kLingering
  std::atomic<SteadyTime> deadline_{};
  SteadyTime scheduled_ = SteadyTime::max();  // when the earliest call of check_deadline() is due

  std::string in_;
  std::size_t scanned_ = 0;  // bytes of `in_` without the end of a head
  std::string out_;
  std::size_t written_ = 0;  // bytes of `out_`
  FileBody file_;            // sent after `out_`

  // The request that is being received or handled.
  std::string head_text_;
  RequestHead head_;  // views point into head_text_
  RequestPlan plan_;
  std::shared_ptr<const Admission> admission_;
  RequestBody body_;
  SteadyTime submitted_{};  // to a worker or the fast handler
};

}  // namespace sse::net
