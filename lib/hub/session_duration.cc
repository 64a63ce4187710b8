#include "hub/session_duration.h"

#include <algorithm>
#include <charconv>

#include "event/event.h"
#include "event/json.h"
#include "hub/hub.h"

namespace sse::hub {
namespace {

constexpr std::size_t kMaxDataBytes = 256;

// Returns 0 for invalid or negative text.
std::int64_t seconds_from(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return text.starts_with('-') ? 0 : kMaxDurationSeconds;
  if (error != std::errc{} || stop != text.data() + text.size()) return 0;
  return std::clamp<std::int64_t>(value, 0, kMaxDurationSeconds);
}

// Never negative, even after the clock was set back.
std::int64_t seconds_since(WallTime then, WallTime now) {
  return std::max<std::int64_t>(std::chrono::floor<std::chrono::seconds>(now - then).count(), 0);
}

event::FrameRef duration_frame(std::int64_t seconds) {
  event::Event event;
  event.name = event::kSetDuration;
  event.data = duration_data(seconds);
  return event::Frame::make(event::encode(event));
}

}  // namespace

std::int64_t client_duration(const ConnectionInfo& info, WallTime now) {
  return seconds_from(form_value(info.attributes.query, "sessionDuration")) + seconds_since(info.created, now);
}

std::int64_t session_duration(const ConnectionInfo& info, WallTime now) {
  return info.duration ? info.duration->seconds + seconds_since(info.duration->at, now) : client_duration(info, now);
}

std::string duration_data(std::int64_t seconds) {
  return R"({"duration":")" + std::to_string(seconds) + R"("})";
}

std::optional<std::int64_t> duration_in(std::string_view frame_bytes) {
  constexpr std::string_view kData = "\ndata:";
  const std::size_t at = frame_bytes.find(kData);
  if (at == std::string_view::npos) return std::nullopt;
  frame_bytes.remove_prefix(at + kData.size());
  const std::string_view data = frame_bytes.substr(0, frame_bytes.find('\n'));
  if (data.size() > kMaxDataBytes) return std::nullopt;
  const event::Json json = event::parse_json_or_null(data);
  const auto field = json.is_object() ? json.find("duration") : json.end();
  if (!json.is_object() || field == json.end()) return std::nullopt;
  if (field->is_string()) return seconds_from(field->get<std::string>());
  if (!field->is_number()) return std::nullopt;
  return static_cast<std::int64_t>(std::clamp(field->get<double>(), 0.0, static_cast<double>(kMaxDurationSeconds)));
}

std::vector<ConnectionId> set_duration(Hub& hub, const std::vector<ConnectionId>& ids, std::int64_t seconds) {
  const event::FrameRef frame = duration_frame(seconds);
  std::vector<std::vector<ConnectionId>> took(hub.directory().shards());
  hub.directory().visit({}, [&](Shard& shard, std::size_t number) {
    for (const ConnectionId id : ids) {
      Connection* connection = shard.find(id);
      if (connection != nullptr && shard.deliver_to(*connection, event::kSetDuration, frame))
        took[number].push_back(id);
    }
  });
  std::vector<ConnectionId> all;
  for (const auto& some : took) all.insert(all.end(), some.begin(), some.end());
  std::ranges::sort(all);
  return all;
}

std::vector<ConnectionId> clear_duration(Hub& hub, const std::vector<ConnectionId>& ids) {
  struct Clear {
    ConnectionId id;
    event::FrameRef frame;
  };
  std::vector<Clear> clears;
  const WallTime now = hub.clock().wall_now();
  for (const ConnectionInfo& info : hub.directory().describe(ids)) {
    if (info.duration) clears.push_back({info.id, duration_frame(client_duration(info, now))});
  }
  std::vector<std::vector<ConnectionId>> cleared(hub.directory().shards());
  hub.directory().visit({}, [&](Shard& shard, std::size_t number) {
    for (const Clear& clear : clears) {
      Connection* connection = shard.find(clear.id);
      if (connection == nullptr || !shard.deliver_to(*connection, event::kSetDuration, clear.frame)) continue;
      shard.registry().forget_duration(*connection);
      cleared[number].push_back(clear.id);
    }
  });
  std::vector<ConnectionId> all;
  for (const auto& some : cleared) all.insert(all.end(), some.begin(), some.end());
  std::ranges::sort(all);
  return all;
}

}  // namespace sse::hub
