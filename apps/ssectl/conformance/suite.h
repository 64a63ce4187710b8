#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/stream_probe.h"
#include "event/json.h"
#include "ssectl/conformance/publisher.h"
#include "ssectl/conformance/raw_connection.h"
#include "ssectl/doctor/options.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/terminal/table.h"

namespace sse::ctl {

/// Ends a case: what was expected, and what came instead.
struct CaseFailed {
  std::string why;
};
/// Ends a case that cannot be tried.
struct CaseSkipped {
  std::string why;
};

/// The server under test, as cases see it. One thread.
class Suite {
 public:
  struct Options : PublicAddress {
    std::chrono::milliseconds watch{30'000};  ///< for how long to wait for a heartbeat
  };

  /// `server` and `publisher` may be null, and must outlive this.
  Suite(Options options, OwnServer* server, Publisher* publisher);

  const Options& options() const { return options_; }

  /// Opens a stream and waits for its head; fails the case when it does not come. `headers`: further ones.
  std::unique_ptr<api::StreamProbe> open(std::vector<std::pair<std::string, std::string>> headers = {});
  /// The same, but does not wait.
  std::unique_ptr<api::StreamProbe> request(std::string_view method,
                                            std::vector<std::pair<std::string, std::string>> headers = {});
  RawConnection raw() const;
  /// A request for a stream in HTTP/1.1 with the headers of all requests, without the blank line at its end.
  std::string raw_request(std::string_view method = "GET", std::string_view version = "HTTP/1.1");
  /// Fails the case unless a new stream still opens.
  void expect_alive();

  /// Whether events can be published; skips the case if not.
  void need_publisher() const;
  bool publishes() const { return publisher_ != nullptr; }
  bool names_events() const { return publisher_->names_events(); }
  bool publish(const std::string& data, const std::string& name = {}) { return publisher_->publish(data, name); }
  /// Text that no other event has.
  std::string unique(std::string_view name);
  /// Publishes the data and waits until it comes; fails the case unless it does, unchanged. Returns the event.
  api::StreamEvent expect_event(api::StreamProbe& stream, const std::string& sent, const std::string& expected);

  /// The stream that nothing is done with, opened with the first case.
  api::StreamProbe& quiet() { return *quiet_; }

 private:
  /// Of a new stream.
  std::string query();

  const Options options_;
  OwnServer* const server_;
  Publisher* const publisher_;
  std::unique_ptr<api::StreamProbe> quiet_;
  unsigned streams_ = 0;
  unsigned events_ = 0;
};

/// One requirement and how it is tried.
struct Case {
  std::string_view group;
  std::string_view name;    ///< a sentence about a server that meets it
  std::string_view source;  ///< the standard and its section; empty: what users expect
  void (*run)(Suite&);      ///< returns, or throws CaseFailed or CaseSkipped
};

std::span<const Case> response_cases();
std::span<const Case> request_cases();
std::span<const Case> event_cases();
std::span<const Case> load_cases();

/// Runs all cases. Blocks; throws Error(kUnavailable) when no stream can be opened at all.
/// `{"url", "passed", "failed", "skipped", "cases": [{"group", "case", "source", "result", "detail"}]}`
event::Json run_cases(Suite& suite);

/// The result of run_cases() for people.
std::string describe_cases(const event::Json& report, const TableStyle& style);

}  // namespace sse::ctl
