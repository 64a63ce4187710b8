#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "event/chunk_reader.h"
#include "support/event_parser.h"
#include "support/socket.h"

namespace sse::testing {

/// One event stream of a Streams object, from the client's side.
struct ClientStream {
  UniqueFd fd;  ///< closed once the stream has ended
  std::string request;
  std::string head;        ///< of the response
  int status = 0;          ///< 0: no response yet
  bool connected = false;  ///< connect-finish was received
  bool ended = false;
  bool chunked = false;
  std::string connection_id;
  std::string request_key;            ///< of a stream that was opened with a ticket
  std::vector<ReceivedEvent> events;  ///< without connect-finish; empty when a listener is set
  event::ChunkReader chunks;          ///< for a chunked response; complete(): the server ended it properly
  EventParser parser;
};

/// A client for thousands of event streams on one thread, with epoll. Only run() and run_until() read, in the calling
/// thread: while neither is called, the streams behave as clients that do not read.
class Streams {
 public:
  using Listener = std::function<void(std::size_t stream, const ReceivedEvent& event)>;

  explicit Streams(Endpoint endpoint) : Streams(std::vector{std::move(endpoint)}) {}
  /// For the nodes of a cluster: streams connect to them in turn.
  explicit Streams(std::vector<Endpoint> endpoints);
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// Sends `GET /my-sse/connect?<query>` and returns the stream's number; call run() until it is connected. Throws
  /// std::system_error.
  std::size_t open(const std::string& query, const ConnectOptions& options = {}, const std::string& path = "/my-sse");
  /// As open(), and waits for connect-finish; throws std::runtime_error when it is not received.
  std::size_t connect(const std::string& query, const ConnectOptions& options = {});
  void close(std::size_t stream);
  /// Shuts down the client's sending side; run() still reads the events sent so far, to the end.
  void finish(std::size_t stream);
  /// Call it before stopping the server, which waits a while for streams whose client does not read to the end.
  void close_all();

  /// Passes further events to `listener` instead of storing them.
  void on_event(Listener listener) { listener_ = std::move(listener); }

  ClientStream& operator[](std::size_t stream) { return *streams_.at(stream); }
  std::size_t size() const { return streams_.size(); }
  std::size_t connected() const { return connected_; }  ///< received connect-finish, whether or not they have ended
  std::size_t refused() const { return refused_; }      ///< answered with a status other than 200
  std::size_t ended() const { return ended_; }
  std::size_t events() const { return events_; }  ///< received in total, without connect-finish

  /// Handles the available data, waiting at most `wait` for some.
  void run(std::chrono::milliseconds wait);
  template <class Done>
  bool run_until(Done done, std::chrono::milliseconds timeout = kTimeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      run(std::chrono::milliseconds(20));
    }
    return true;
  }

 private:
  void on_ready(std::size_t number);
  void take_bytes(std::size_t number, std::string_view bytes);
  void take_body(std::size_t number, std::string_view bytes);
  void end(ClientStream& stream);

  const std::vector<Endpoint> endpoints_;
  UniqueFd epoll_;
  std::vector<std::unique_ptr<ClientStream>> streams_;
  Listener listener_;
  std::size_t connected_ = 0;
  std::size_t ended_ = 0;
  std::size_t refused_ = 0;
  std::size_t events_ = 0;
};

}  // namespace sse::testing
