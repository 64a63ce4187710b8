#pragma once

#include <functional>
#include <string>

#include "cli/app.h"
#include "ssectl/context/context.h"

namespace sse::ctl {

/// The option `--watch [INTERVAL]`, for commands that show the current state.
class Watch {
 public:
  void declare(cli::App& app);

  /// Runs `once` once, or with --watch repeatedly until SIGINT or SIGTERM, with exit code 0. On a terminal a table is
  /// redrawn in place; elsewhere, and in the other formats, results are printed one after the other. An error of the
  /// first run ends the command; later errors are shown, and the next run is attempted.
  int run(Context& context, const std::function<int()>& once) const;

 private:
  std::string interval_ = "2s";
  cli::Option given_;
};

}  // namespace sse::ctl
