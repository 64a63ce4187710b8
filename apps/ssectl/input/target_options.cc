#include "ssectl/input/target_options.h"

#include <utility>

#include "base/error.h"

namespace sse::ctl {
namespace {

void add_names(cli::App& app, const char* option, std::vector<std::string>& names, const char* type, const char* help) {
  // One value per occurrence: the next argument may be DATA or an id.
  app.add_option(option, names, help).type_name(type).one_value_each().not_configurable();
}

}  // namespace

void TargetOptions::declare(cli::App& app) {
  add_names(app, "-u,--user", users, "USER", "Streams of this user; repeatable");
  add_names(app, "--token", tokens, "TOKEN", "Streams with this access token; repeatable");
  app.add_flag("--all", all, "Every stream").not_configurable();
}

void TargetOptions::declare_groups(cli::App& app) {
  add_names(app, "--tenant", tenants, "TENANT",
            "Streams of this tenant, repeatable; with --user or --channel: only those of that user or channel");
  add_names(app, "--channel", channels, "CHANNEL", "Streams in this channel; repeatable");
}

void TargetOptions::declare_union(cli::App& app) {
  add_names(app, "--also-tenant", also_tenants, "TENANT",
            "Streams of this tenant besides those of --user, --token and --channel; repeatable");
  add_names(app, "--connection", connections, "ID", "This stream, while it is open; not with --qos; repeatable");
}

std::vector<event::Target> TargetOptions::targets() const {
  std::vector<event::Target> targets;
  const auto take = [&](event::TargetKind kind, const std::vector<std::string>& names) {
    if (!names.empty()) targets.push_back({kind, names, false});
  };
  const bool selects = !tenants.empty() && (!users.empty() || !channels.empty());
  if (!selects) {
    take(event::TargetKind::kUser, users);
    take(event::TargetKind::kChannel, channels);
    take(event::TargetKind::kTenant, tenants);
  } else {
    if (tenants.size() > 1) {
      throw Error(ErrorCode::kInvalidArgument,
                  "with --user or --channel, one --tenant selects their streams of that tenant; --also-tenant adds all "
                  "streams of a tenant");
    }
    if (tenants.front().empty()) throw Error(ErrorCode::kInvalidArgument, "--tenant must not be empty");
    std::vector<std::string> members;
    for (const std::string& user : users) {
      if (user.empty()) throw Error(ErrorCode::kInvalidArgument, "--user must not be empty");
      members.push_back(event::member_name(user, tenants.front()));
    }
    take(event::TargetKind::kMember, members);
    take(event::TargetKind::kChannel, channels);
    if (!channels.empty()) targets.back().of_tenant = tenants.front();
  }
  take(event::TargetKind::kToken, tokens);
  take(event::TargetKind::kTenant, also_tenants);
  take(event::TargetKind::kConnection, connections);
  if (all) targets.push_back(event::Target::all());
  return targets;
}

std::optional<event::Target> TargetOptions::target() const {
  std::vector<event::Target> given = targets();
  if (given.empty()) return std::nullopt;
  if (given.size() > 1) {
    throw Error(ErrorCode::kInvalidArgument,
                "several kinds of recipients were given; use one of --user, --tenant, --token, --channel and --all, or "
                "--user or --channel and one --tenant for their streams of that tenant");
  }
  event::normalize(given.front());
  return std::move(given.front());
}

}  // namespace sse::ctl
