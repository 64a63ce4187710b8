#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/stream_probe.h"
#include "cli/app.h"
#include "ssectl/input/urls.h"

namespace sse::ctl {

/// The address of a stream, and how to reach it.
struct PublicAddress {
  Url url;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< of each request
  std::string local_address{};                                 ///< to connect from; empty: the system chooses
  bool verify_certificate = true;
  std::chrono::milliseconds timeout{10'000};  ///< for a connection, and for the head of a response

  /// A request there, for an event stream. `query`: appended to that of the URL.
  api::ProbeRequest request(std::string_view method, std::string_view query) const;
};

/// The options of the commands that look at a server from outside, as given.
struct ProbeOptions {
  std::string url;
  std::vector<std::string> headers;
  std::string watch = "30s";
  bool insecure = false;

  /// Declares URL, --header, --for and --insecure.
  void declare(cli::App& app, const std::string& url_help, const std::string& watch_help);
  /// Throws Error(kInvalidArgument) that names the option, or that of read_headers().
  PublicAddress address(std::chrono::milliseconds timeout) const;
  /// --for: how long a stream is left alone. Throws Error(kInvalidArgument) unless it is from 1 s to 1 d.
  std::chrono::milliseconds watch_time() const;
};

}  // namespace sse::ctl
