#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/cluster_node.h"
#include "support/process.h"
#include "support/ssectl.h"

namespace sse::testing {

/// So many ssectl that are no node of the cluster and wait each until its message to user `u<number>` is confirmed.
class WaitingPrograms {
 public:
  /// `where`: the options that name the cluster.
  WaitingPrograms(std::size_t count, const std::string& where) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      programs_.push_back(start_ssectl(where + " --timeout 150s send --user u" + n + " --qos --wait 120s m" + n));
    }
  }
  ~WaitingPrograms() { finish(); }
  WaitingPrograms(const WaitingPrograms&) = delete;
  WaitingPrograms& operator=(const WaitingPrograms&) = delete;

  /// Waits for all; what each printed, and its exit status behind it.
  std::vector<std::string> finish() {
    std::vector<std::string> said;
    for (FILE* program : programs_) said.push_back(finish_ssectl(program));
    programs_.clear();
    return said;
  }

 private:
  std::vector<FILE*> programs_;
};

/// Programs that wait hold no thread of a node, and take nothing from what others ask: users who connect at either node
/// get what is pending for them, and pages are served through the node that has not their stream.
inline void expect_waits_take_nothing_from_others(ClusterNode& a, ClusterNode& b, const std::string& where) {
  constexpr std::size_t kPrograms = 64;
  const std::size_t page = b.streams().connect("userId=page");
  const std::string id = b.streams()[page].connection_id;
  EXPECT_EQ(a.send_to_user("kept", "kept at a", {{"qos", true}})["pending"], 1);
  const int before = a.server().threads() + b.server().threads();
  WaitingPrograms programs(kPrograms, where);
  ASSERT_TRUE(eventually([&] { return a.get("/api/v1/messages")["total"] == kPrograms + 1; }));
  // Those that the burst made go when they have had nothing to do.
  EXPECT_TRUE(eventually(
      [&] { return a.server().threads() + b.server().threads() < before + static_cast<int>(kPrograms) / 2; }));

  const std::size_t elsewhere = b.streams().connect("userId=kept");
  ASSERT_TRUE(b.receives(elsewhere, "kept at a"));
  const HttpResponse listens =
      a.pages().post("/my-sse/connect/addListener.do?userId=page", {{"connectionId", id}, {"listener", {"note"}}});
  EXPECT_EQ(listens.status, 200) << listens.body;
  EXPECT_FALSE(a.get("/api/v1/connections").contains("missing"));
  EXPECT_TRUE(a.sees(2));
  EXPECT_TRUE(b.sees(2));

  std::vector<std::size_t> streams;
  for (std::size_t i = 0; i < kPrograms; ++i)
    streams.push_back((i % 2 == 0 ? a : b).streams().connect("userId=u" + std::to_string(i)));
  for (std::size_t i = 0; i < kPrograms; ++i)
    EXPECT_TRUE((i % 2 == 0 ? a : b).receives(streams[i], "m" + std::to_string(i))) << i;
  EXPECT_TRUE(a.streams().run_until([&] {
    b.streams().run(std::chrono::milliseconds(1));
    return a.get("/api/v1/messages")["total"] == 0;
  }));
  for (const std::string& said : programs.finish()) {
    EXPECT_THAT(said, ::testing::HasSubstr("confirmed"));
    EXPECT_THAT(said, ::testing::HasSubstr("exit 0"));
  }
}

}  // namespace sse::testing
