#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "event/target.h"

namespace sse::ctl {

/// The options that say who is meant: each repeatable, only one kind at a time.
struct TargetOptions {
  std::vector<std::string> users, tenants, tokens, channels;
  bool all = false;

  /// -u,--user, --token and --all.
  void declare(cli::App& app);
  /// --tenant and --channel as well.
  void declare_groups(cli::App& app);

  /// nullopt when none was given. Throws Error(kInvalidArgument) for several kinds or a name that cannot be.
  std::optional<event::Target> target() const;
};

}  // namespace sse::ctl
