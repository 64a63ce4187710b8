#pragma once

#include <functional>
#include <string>

#include "cli/app.h"
#include "command.h"

namespace sse::ctl {

/// `--watch [INTERVAL]`, for commands that show how things are now.
class Watch {
 public:
  void declare(cli::App& app);

  /// Runs `once` once, or with --watch again and again until SIGINT or SIGTERM, which is exit code 0. On a terminal a
  /// table is redrawn in place; elsewhere, and in the other formats, one goes out after the other. The first run must
  /// succeed; later errors are shown, and the next run may be better.
  int run(Context& context, const std::function<int()>& once) const;

 private:
  std::string interval_ = "2s";
  cli::Option given_;
};

}  // namespace sse::ctl
