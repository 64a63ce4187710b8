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

/// One event stream of a Streams.
struct ClientStream {
  UniqueFd fd;  ///< closed once the stream has ended
  std::string request;
  std::string head;        ///< of the answer
  int status = 0;          ///< 0: not answered yet
  bool connected = false;  ///< connect-finish has come
  bool ended = false;
  bool chunked = false;
  std::string connection_id;
  std::vector<ReceivedEvent> events;  ///< without connect-finish; empty where a listener takes them
  event::ChunkReader chunks;          ///< where it is chunked; complete(): the server ended it on purpose
  EventParser parser;
};

/// Thousands of event streams on one thread, with epoll. What arrives is read by run() and run_until() only, in the
/// thread that calls them: a stream that is not run is a client that does not read.
class Streams {
 public:
  using Listener = std::function<void(std::size_t stream, const ReceivedEvent& event)>;

  explicit Streams(Endpoint endpoint) : Streams(std::vector{std::move(endpoint)}) {}
  /// Of a cluster's nodes: streams go to them in turn.
  explicit Streams(std::vector<Endpoint> endpoints);
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  /// Begins `GET /my-sse/connect?<query>` and returns its number; run until connected. Throws std::system_error.
  std::size_t open(const std::string& query, const ConnectOptions& options = {}, const std::string& path = "/my-sse");
  /// As open(), and waits for connect-finish; throws std::runtime_error when it does not come.
  std::size_t connect(const std::string& query, const ConnectOptions& options = {});
  void close(std::size_t stream);
  /// Ends the client's half: what it has been sent is still read, by run(), to the end.
  void finish(std::size_t stream);
  /// A server that stops waits a while for streams whose client does not read to their end: close them first.
  void close_all();

  /// Takes events from now on, instead of keeping them.
  void on_event(Listener listener) { listener_ = std::move(listener); }

  ClientStream& operator[](std::size_t stream) { return *streams_.at(stream); }
  std::size_t size() const { return streams_.size(); }
  std::size_t connected() const { return connected_; }  ///< got connect-finish, whether ended since or not
  std::size_t refused() const { return refused_; }      ///< were answered with another status than 200
  std::size_t ended() const { return ended_; }
  std::size_t events() const { return events_; }  ///< received in all, without connect-finish

  /// Handles what is there, waiting at most `wait` for something.
  void run(std::chrono::milliseconds wait);
  template <class Done>
  bool run_until(Done done, std::chrono::milliseconds patience = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
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
