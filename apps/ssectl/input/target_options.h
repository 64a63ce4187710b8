#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "event/target.h"

namespace sse::ctl {

/// The options that select the recipients of a command. Each is repeatable; only one kind may be used at a time.
struct TargetOptions {
  std::vector<std::string> users, tenants, tokens, channels;
  bool all = false;

  /// Adds -u,--user, --token and --all.
  void declare(cli::App& app);
  /// Adds --tenant and --channel.
  void declare_groups(cli::App& app);

  /// nullopt if none was given. Throws Error(kInvalidArgument) for several kinds or an invalid name.
  std::optional<event::Target> target() const;
};

}  // namespace sse::ctl
