#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.h"
#include "event/target.h"

namespace sse::ctl {

/// The options that select the recipients of a command. Each is repeatable; only a send takes several kinds of them.
struct TargetOptions {
  std::vector<std::string> users, tenants, tokens, channels, also_tenants, connections;
  bool all = false;

  /// Adds -u,--user, --token and --all.
  void declare(cli::App& app);
  /// Adds --tenant and --channel.
  void declare_groups(cli::App& app);

  /// Adds --also-tenant and --connection.
  void declare_union(cli::App& app);

  /// nullopt if none was given. Throws Error(kInvalidArgument) for several kinds or an invalid name.
  std::optional<event::Target> target() const;
  /// The targets of a send, of which a stream may be in several; empty if none was given. They are not normalized.
  /// Throws Error(kInvalidArgument) for options that have no union.
  std::vector<event::Target> targets() const;
};

}  // namespace sse::ctl
