#pragma once

#include <string>

#include "cli/app.h"
#include "ssectl/terminal/output.h"

namespace sse::ctl {

/// The option --yes of a command that asks the user before it acts.
struct Confirmation {
  bool yes = false;

  void declare(cli::App& app, const char* help = "Do not ask");

  /// Whether to act: true with --yes, or when the user answers yes to `question` on the terminal. Otherwise writes the
  /// note `refused`. Without --yes and without a terminal throws Error(kInvalidArgument) that says to give --yes.
  bool given(const std::string& question, const char* refused, Output& out) const;
};

}  // namespace sse::ctl
