#include "event/target.h"

#include <array>
#include <unordered_set>

#include "base/error.h"
#include "base/text.h"

namespace sse::event {
namespace {

constexpr std::array<std::string_view, 5> kKindNames{"user", "token", "tenant", "channel", "all"};

}  // namespace

std::string_view kind_name(TargetKind kind) {
  return kKindNames.at(static_cast<std::size_t>(kind));
}

TargetKind kind_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kKindNames.size(); ++i) {
    if (kKindNames.at(i) == name) return static_cast<TargetKind>(i);
  }
  throw Error(ErrorCode::kInvalidArgument,
              "'" + printable(name, 40) + "' is no kind of target; use user, token, tenant, channel or all");
}

void normalize(Target& target) {
  const std::string kind(kind_name(target.kind));
  if (target.kind == TargetKind::kAll) {
    if (!target.names.empty()) throw Error(ErrorCode::kInvalidArgument, "a target 'all' takes no names");
    return;
  }
  if (target.names.size() > 1) {
    std::unordered_set<std::string> seen;
    std::erase_if(target.names, [&](const std::string& name) { return !seen.insert(name).second; });
  }
  if (target.names.empty()) throw Error(ErrorCode::kInvalidArgument, "the target names no " + kind);
  if (target.names.size() > kMaxNames) {
    throw Error(ErrorCode::kInvalidArgument, "the target names " + std::to_string(target.names.size()) + " " + kind +
                                                 "s, at most " + std::to_string(kMaxNames) + " fit one send");
  }
  for (const std::string& name : target.names) {
    if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "the target holds an empty " + kind);
    if (name.size() > kMaxNameBytes) {
      throw Error(ErrorCode::kInvalidArgument, "the target holds a " + kind + " of " + std::to_string(name.size()) +
                                                   " bytes, at most " + std::to_string(kMaxNameBytes) + " are allowed");
    }
    if (!is_valid_utf8(name))
      throw Error(ErrorCode::kInvalidArgument, "the target holds a " + kind + " that is not valid UTF-8");
  }
}

}  // namespace sse::event
