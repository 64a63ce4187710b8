#include "event/json.h"

#include <array>
#include <initializer_list>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace sse::event {
namespace {

constexpr std::array<std::pair<TargetKind, std::string_view>, 5> kNamed{{{TargetKind::kUser, "users"},
                                                                         {TargetKind::kToken, "tokens"},
                                                                         {TargetKind::kTenant, "tenants"},
                                                                         {TargetKind::kChannel, "channels"},
                                                                         {TargetKind::kConnection, "connections"}}};

[[noreturn]] void wrong_type(std::string_view name, std::string_view expected) {
  throw Error(ErrorCode::kInvalidArgument, "field '" + std::string(name) + "' must be " + std::string(expected));
}

std::string name_from_json(const Json& value, std::string_view field) {
  if (value.is_string()) return value.text();
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  wrong_type(field, "a list of strings");
}

// Of the users and channels in the targets only the streams of that tenant.
void select_tenant(std::vector<Target>& targets, const std::string& tenant) {
  bool selects = false;
  for (Target& target : targets) {
    if (target.kind == TargetKind::kChannel) {
      target.of_tenant = tenant;
      selects = true;
    } else if (target.kind == TargetKind::kUser) {
      target.kind = TargetKind::kMember;
      for (std::string& name : target.names) {
        if (name.empty()) throw Error(ErrorCode::kInvalidArgument, "the target holds an empty user");
        name = member_name(name, tenant);
      }
      selects = true;
    }
  }
  if (selects && !tenant.empty()) return;
  throw Error(
      ErrorCode::kInvalidArgument,
      "the target's tenant requires users or channels and selects their streams of that tenant; for all users of "
      "a tenant give tenants");
}

}  // namespace

Json to_json(const Target& target) {
  Json json = Json::object();
  if (target.kind == TargetKind::kAll) json["all"] = true;
  for (const auto& [kind, name] : kNamed) {
    if (kind == target.kind) json[std::string(name)] = target.names;
  }
  if (target.kind == TargetKind::kMember) {
    for (const std::string& name : target.names) {
      const Member member = member_of(name);
      json["users"].push_back(std::string(member.user));
      json["tenant"] = std::string(member.tenant);
    }
  }
  if (!target.of_tenant.empty()) json["tenant"] = target.of_tenant;
  if (target.listening) json["listening"] = true;
  return json;
}

Json to_json(const Target& target, const std::vector<Target>& also) {
  Json json = to_json(target);
  for (const Target& one : also) json.update(to_json(one));
  return json;
}

std::vector<Target> targets_from_json(const Json& json) {
  require_fields(json, {"users", "tenant", "tokens", "tenants", "channels", "connections", "all", "listening"},
                 "target");
  const bool listening = bool_field(json, "listening");
  std::vector<Target> targets;
  if (bool_field(json, "all")) targets.push_back({TargetKind::kAll, {}, listening});
  for (const auto& [kind, name] : kNamed) {
    const auto found = json.find(std::string(name));
    if (found == json.end() || found->is_null()) continue;
    if (!found->is_array()) wrong_type(name, "a list of strings");
    Target& target = targets.emplace_back(Target{kind, {}, listening});
    for (const Json& value : *found) target.names.push_back(name_from_json(value, name));
  }
  if (targets.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                "the target is empty; give at least one of users, tenants, tokens, channels, connections or all");
  }
  if (const auto tenant = json.find("tenant"); tenant != json.end() && !tenant->is_null())
    select_tenant(targets, name_from_json(*tenant, "tenant"));
  return targets;
}

Target target_from_json(const Json& json) {
  std::vector<Target> targets = targets_from_json(json);
  if (targets.size() > 1) {
    throw Error(
        ErrorCode::kInvalidArgument,
        "the target has several kinds; give exactly one of users, tenants, tokens, channels, connections or all");
  }
  normalize(targets.front());
  return std::move(targets.front());
}

void require_fields(const Json& object, std::initializer_list<std::string_view> known, std::string_view what) {
  if (!object.is_object()) throw Error(ErrorCode::kInvalidArgument, std::string(what) + " must be a JSON object");
  for (const auto& [field, value] : object.items()) {
    bool found = false;
    for (const std::string_view name : known) found = found || name == field;
    if (found) continue;
    std::string list;
    for (const std::string_view name : known) list += (list.empty() ? "" : ", ") + std::string(name);
    throw Error(ErrorCode::kInvalidArgument,
                "unknown field '" + printable(field, 60) + "' in " + std::string(what) + "; known fields are " + list);
  }
}

std::string string_field(const Json& object, std::string_view name, std::string_view fallback) {
  const auto found = object.find(std::string(name));
  if (found == object.end() || found->is_null()) return std::string(fallback);
  if (!found->is_string()) wrong_type(name, "a string");
  return found->get<std::string>();
}

bool bool_field(const Json& object, std::string_view name, bool fallback) {
  const auto found = object.find(std::string(name));
  if (found == object.end() || found->is_null()) return fallback;
  if (!found->is_boolean()) wrong_type(name, "true or false");
  return found->get<bool>();
}

std::uint64_t id_field(const Json& object, std::string_view name) {
  const auto found = object.find(std::string(name));
  if (found == object.end()) return 0;
  if (found->is_string()) return parse_id(found->text()).value_or(0);
  // Through text, so that strings and numbers have the same range.
  return found->is_number_unsigned() ? parse_id(std::to_string(found->get<std::uint64_t>())).value_or(0) : 0;
}

}  // namespace sse::event
