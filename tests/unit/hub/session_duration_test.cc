#include "hub/session_duration.h"

#include <gtest/gtest.h>

namespace sse::hub {
namespace {

using std::chrono::seconds;

ConnectionInfo connection(const std::string& query, WallTime created) {
  ConnectionInfo info;
  info.attributes.query = query;
  info.created = created;
  return info;
}

TEST(SessionDuration, IsWhatTheClientSaidAndTheTimeSince) {
  const WallTime then = from_millis(1'000'000'000);
  EXPECT_EQ(session_duration(connection("sessionDuration=120", then), then + seconds(30)), 150);
  EXPECT_EQ(session_duration(connection("", then), then + seconds(30)), 30);
  EXPECT_EQ(session_duration(connection("sessionDuration=0", then), then), 0);
}

TEST(SessionDuration, TakesNothingFromWhatIsNoNumber) {
  const WallTime then = from_millis(1'000'000'000);
  for (const char* text : {"abc", "-5", "1.5", "1e3", "", "12x", "-99999999999999999999"})
    EXPECT_EQ(session_duration(connection("sessionDuration=" + std::string(text), then), then), 0) << text;
  EXPECT_EQ(session_duration(connection("sessionDuration=99999999999999999999", then), then), kMaxDurationSeconds);
}

TEST(SessionDuration, IsNeverLessWhenTheClockGoesBack) {
  const WallTime then = from_millis(1'000'000'000);
  EXPECT_EQ(session_duration(connection("sessionDuration=7", then), then - seconds(100)), 7);
}

TEST(SessionDuration, StartsAgainFromWhatWasSet) {
  const WallTime then = from_millis(1'000'000'000);
  ConnectionInfo info = connection("sessionDuration=7", then);
  info.duration = SetDuration{1000, then + seconds(10)};
  EXPECT_EQ(session_duration(info, then + seconds(15)), 1005);
  EXPECT_EQ(client_duration(info, then + seconds(15)), 22);
}

TEST(SessionDuration, IsReadFromTheEventThatSetsIt) {
  EXPECT_EQ(duration_data(120), R"({"duration":"120"})");
  EXPECT_EQ(duration_in("id:1\nevent:sse-set-duration\ndata:" + duration_data(120) + "\n\n"), 120);
  EXPECT_EQ(duration_in("event:x\ndata:{\"duration\":7}\n\n"), 7);
  EXPECT_EQ(duration_in("event:x\ndata:{\"duration\":1e300}\n\n"), kMaxDurationSeconds);
  EXPECT_EQ(duration_in("event:x\ndata:{\"duration\":-1}\n\n"), 0);
  for (const char* data : {"", "{", "[]", "7", "{}", "{\"duration\":null}", "{\"duration\":{}}", "\xff"})
    EXPECT_EQ(duration_in("event:x\ndata:" + std::string(data) + "\n\n"), std::nullopt) << data;
  EXPECT_EQ(duration_in("event:x\ndata:{\"duration\":\"1\",\"more\":\"" + std::string(1000, 'x') + "\"}\n\n"),
            std::nullopt);
  EXPECT_EQ(duration_in(":\n\n"), std::nullopt);
}

}  // namespace
}  // namespace sse::hub
