#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "process.h"
#include "ssectl/load/poster.h"

namespace sse::bench {

/// The programs to measure and the size of the run.
struct Settings {
  std::string sse_serve, bare;
  std::string nginx;   ///< empty: omit measurements that need nginx
  std::string nchan;   ///< module of nginx; empty: omit measurements that need it
  std::string folder;  ///< for sockets, configuration and databases
  std::string output;  ///< JSON; may be empty
  std::size_t streams = 10'000;
  std::size_t idle = 19'000;  ///< streams of the memory section
  int rounds = 5;
  std::size_t size = 100;  ///< bytes of data in an event
  bool quick = false;
};

/// A port that is currently free, for programs that cannot choose one themselves.
int free_port();

/// A program that holds streams and sends events to them: the server or a reference.
class Server {
 public:
  Server(std::string name, const std::vector<std::string>& words, const std::string& ready)
      : name_(std::move(name)), process_(words, ready) {}
  virtual ~Server() = default;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const { return name_; }
  int port() const { return port_; }
  Process& process() { return process_; }

  /// Sends `events` events to every stream, as fast as the server accepts them.
  virtual void broadcast(int events, std::size_t size) = 0;
  /// The request that opens stream n.
  virtual std::string request(std::size_t stream) const = 0;

 protected:
  std::string data(std::size_t size);
  /// Reads the port from `http://127.0.0.1:PORT` in the output of the program.
  void read_port();

  std::uint64_t sequence_ = 0;
  int port_ = 0;

 private:
  std::string name_;
  Process process_;
};

/// The reference program bare_loop.cc, which only calls send().
class BareLoop final : public Server {
 public:
  explicit BareLoop(const Settings& settings);
  void broadcast(int events, std::size_t size) override;
  std::string request(std::size_t stream) const override;

 private:
  UniqueFd control_;
};

/// A running sse-serve.
class SseServe : public Server {
 public:
  /// Stream n belongs to user `u<n>` and has the additional `parameters` (`&a=b`). `options`: the command line.
  SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options,
           std::string parameters = "");

  /// Sends a single event with one call, several with one bulk call.
  void broadcast(int events, std::size_t size) override;
  /// Sends each event with a call of its own.
  void broadcast_singly(int events, std::size_t size);
  /// Sends one event to one stream.
  void unicast(std::size_t stream, std::size_t size, SteadyTime intended = steady_now());
  /// Sends one event to each of `streams`, in this order and with one call.
  void unicast_bulk(const std::vector<std::size_t>& streams, std::size_t size);
  /// The body of a call that sends one event to one stream.
  std::string unicast_body(std::size_t stream, std::size_t size, SteadyTime intended = steady_now());
  /// Sends the given requests; throws Error unless all are accepted.
  void send(const std::string& body);
  std::string request(std::size_t stream) const override;
  /// A number from GET /api/v1/status; a name that begins with a dot selects one of its counters.
  double status(const std::string& name) const;
  const std::string& admin() const { return admin_; }

  static std::string message(const std::string& target, const std::string& data, bool qos = false);
  /// Throws Error unless all events were accepted.
  static void require_accepted(const load::Poster::Answer& answer);

 private:
  SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options, std::string parameters,
           std::string admin);
  static void post(load::Poster& poster, const std::string& body);

  const std::string admin_, parameters_;
  std::unique_ptr<load::Poster> one_, many_;
};

/// nginx: `/empty` responds with 200 and no body; with the nchan module, `/sub/X` is a stream of channel X.
class Nginx final : public Server {
 public:
  enum class Channels { kShared, kOwn };
  /// All streams use one channel, or each stream its own; `empty`: requests of /empty instead of streams.
  Nginx(const Settings& settings, Channels channels, bool empty = false);
  /// All streams are in all of these channels (multiplexed); broadcast() sends to `all`.
  Nginx(const Settings& settings, const std::vector<std::string>& channels);

  void broadcast(int events, std::size_t size) override;
  void unicast(std::size_t stream, std::size_t size);
  std::string request(std::size_t stream) const override;

 private:
  Nginx(const Settings& settings, Channels channels, bool empty, int port);

  const Channels channels_;
  const bool empty_;
  std::string shared_ = "all";
  std::unique_ptr<load::Poster> publisher_;
};

/// The query parameters that a page with the Java library's client sends when it connects.
std::string page_parameters();

}  // namespace sse::bench
