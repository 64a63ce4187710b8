#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/stream_probe.h"
#include "ssectl/doctor/options.h"
#include "ssectl/doctor/own_server.h"
#include "ssectl/doctor/report.h"

namespace sse::ctl {

/// What an examination looks at.
struct ExaminationOptions : PublicAddress {
  std::string page_origin{};                ///< the Origin of a page that shall be let in; empty: not asked
  std::chrono::milliseconds watch{30'000};  ///< for how long a stream is left alone
};

/// Looks at an event stream from the outside, as a page would, and reports what stands in its way. Uses a few streams
/// of its own; with the server behind it also events of its own.
class Examination {
 public:
  /// `server`: null when events cannot be sent. All must outlive this.
  Examination(const ExaminationOptions& options, OwnServer* server, Report& report);

  /// Blocks for about ExaminationOptions::watch. Throws Error(kUnavailable) when nothing answers at the address.
  void run();

 private:
  /// Finds the stream, along redirects; false when what it found is no stream that can be examined further.
  bool open_first();
  /// Whether the stream is at `connect` below the address, which is that of a service of sse-server.
  bool is_service();
  bool follow_redirect(const api::ProbeHead& head, int count);
  bool is_stream(const api::ProbeHead& head);
  void check_origin(const api::ProbeHead& head);
  /// That the stream is one of the server that sends the events; otherwise forgets that server.
  void check_server();
  void check_buffering();
  void measure_delay(std::chrono::milliseconds first);
  void measure_buffer();
  void check_compression();
  void check_address();
  void check_leaver();
  void check_idle();
  void check_heartbeats(const api::ProbeState& state);

  void unchecked(std::string_view check, std::string why) { report_.add(check, Verdict::kUnchecked, std::move(why)); }
  std::unique_ptr<api::StreamProbe> open(std::string_view name, std::string_view encodings,
                                         std::string_view method = "GET");

  ExaminationOptions options_;
  OwnServer* server_;
  Report& report_;
  std::unique_ptr<api::StreamProbe> plain_;       // accepts no compression
  std::unique_ptr<api::StreamProbe> compressed_;  // accepts what browsers accept
  std::unique_ptr<api::StreamProbe> quiet_;       // is left alone
  std::chrono::milliseconds round_trip_{};        // from the request to the head, at most
  std::string last_event_;                        // data of the last event that was sent
  bool measured_ = false;                         // buffering, while the head was held back
  bool passes_at_once_ = false;
};

}  // namespace sse::ctl
