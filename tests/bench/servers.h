#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "load/poster.h"
#include "process.h"

namespace sse::bench {

/// Where the programs are, and how large the run is.
struct Settings {
  std::string sse_serve, bare;
  std::string nginx;   ///< empty: without what needs it
  std::string nchan;   ///< nginx' module; the same
  std::string folder;  ///< for sockets, configuration and databases
  std::string output;  ///< JSON; may be empty
  std::size_t streams = 10'000;
  std::size_t idle = 19'000;  ///< of the memory section
  int rounds = 5;
  std::size_t size = 100;  ///< bytes of data in an event
  bool quick = false;
};

/// A port that is free now, for programs that cannot choose one themselves.
int free_port();

/// Something that holds streams and can be told to send to them.
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

  /// Sends `events` to every stream, as fast as they are accepted.
  virtual void broadcast(int events, std::size_t size) = 0;
  /// The request that opens stream n.
  virtual std::string request(std::size_t stream) const = 0;

 protected:
  std::string data(std::size_t size);
  /// From `http://127.0.0.1:PORT` in what was printed.
  void read_port();

  std::uint64_t sequence_ = 0;
  int port_ = 0;

 private:
  std::string name_;
  Process process_;
};

/// bare_loop.cc: nothing but send().
class BareLoop final : public Server {
 public:
  explicit BareLoop(const Settings& settings);
  void broadcast(int events, std::size_t size) override;
  std::string request(std::size_t stream) const override;

 private:
  UniqueFd control_;
};

class SseServe final : public Server {
 public:
  /// Stream n is that of user `u<n>`, with `parameters` (`&a=b`) besides. `options` of the command line.
  SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options,
           std::string parameters = "");

  /// A single event by a call of its own, more by one bulk call.
  void broadcast(int events, std::size_t size) override;
  /// All by calls of their own.
  void broadcast_singly(int events, std::size_t size);
  /// One event to one stream.
  void unicast(std::size_t stream, std::size_t size, SteadyTime intended = steady_now());
  /// One event to each of `streams`, in their order and in one call.
  void unicast_bulk(const std::vector<std::size_t>& streams, std::size_t size);
  /// The body of a call that sends one event to one stream.
  std::string unicast_body(std::size_t stream, std::size_t size, SteadyTime intended = steady_now());
  /// Any requests; throws Error unless all are accepted.
  void send(const std::string& body);
  std::string request(std::size_t stream) const override;
  /// A number of GET /api/v1/status; of its counters for a name with a dot before it.
  double status(const std::string& name) const;
  const std::string& admin() const { return admin_; }

  static std::string message(const std::string& target, const std::string& data, bool qos = false);
  /// Throws Error unless everything was accepted.
  static void require_accepted(const load::Poster::Answer& answer);

 private:
  SseServe(const Settings& settings, const std::string& name, std::vector<std::string> options, std::string parameters,
           std::string admin);
  static void post(load::Poster& poster, const std::string& body);

  const std::string admin_, parameters_;
  std::unique_ptr<load::Poster> one_, many_;
};

/// nginx: `/empty` answers 200 with nothing, and with the module `/sub/X` is a stream of the channel X of nchan.
class Nginx final : public Server {
 public:
  enum class Channels { kShared, kOwn };
  /// All streams on one channel, or each on its own; `empty`: no streams, /empty.
  Nginx(const Settings& settings, Channels channels, bool empty = false);

  void broadcast(int events, std::size_t size) override;
  void unicast(std::size_t stream, std::size_t size);
  std::string request(std::size_t stream) const override;

 private:
  Nginx(const Settings& settings, Channels channels, bool empty, int port);

  const Channels channels_;
  const bool empty_;
  std::unique_ptr<load::Poster> publisher_;
};

/// What a page of the Java library's client sends with its connect.
std::string page_parameters();

}  // namespace sse::bench
