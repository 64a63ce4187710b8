#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "ssectl/input/urls.h"

namespace sse::ctl {

/// What an examination looks at, and from where.
struct ExaminationOptions {
  Url url;
  std::vector<std::pair<std::string, std::string>> headers{};  ///< of each request
  std::string page_origin{};    ///< the Origin of a page that shall be let in; empty: not asked
  std::string local_address{};  ///< to connect from; empty: the system chooses
  bool verify_certificate = true;
  std::chrono::milliseconds watch{30'000};    ///< for how long a stream is left alone
  std::chrono::milliseconds timeout{10'000};  ///< for a connection, and for the head of a response
};

}  // namespace sse::ctl
