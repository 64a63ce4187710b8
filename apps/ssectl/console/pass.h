#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>

#include "api/client.h"
#include "api/transport.h"
#include "base/error.h"
#include "net/hand_over.h"

namespace sse::ctl {

/// A problem document (RFC 9457), as the admin API has them.
std::string problem_document(int status, std::string_view code, std::string_view sentence);

/// A response on its way from the server to the browser, which has its connection for itself and ends with it.
class ConsolePass {
 public:
  /// A browser that takes nothing for so long is given up, and so is a server that sends nothing.
  static constexpr std::chrono::seconds kMaxQuiet{60};

  /// Throws Error(kInvalidArgument) for an invalid address of the server.
  ConsolePass(const api::ClientOptions& server, net::HandedOverConnection browser);

  /// Sends the request and passes its response on, or a problem document if there is none. Blocks until the response,
  /// the server or the browser ends it.
  void run(const api::ForwardedRequest& request);
  /// A problem document instead of a response.
  void refuse(int status, std::string_view code, std::string_view sentence);
  /// Makes run() return soon. Any thread.
  void stop();

 private:
  bool begin(const api::ForwardedResponse& head);
  bool add(std::string_view piece);
  bool write(std::string_view bytes);

  api::Transport transport_;
  net::HandedOverConnection browser_;
  bool begun_ = false;
  std::atomic<bool> stopping_{false};
};

}  // namespace sse::ctl
