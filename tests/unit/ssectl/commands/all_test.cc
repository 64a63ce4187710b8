#include "ssectl/commands/all.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace sse::ctl {
namespace {

using ::testing::HasSubstr;

std::string full_name(const Command& command) {
  return (command.group.empty() ? "" : std::string(command.group) + " ") + command.name;
}

TEST(AllCommands, HaveNamesOfTheirOwnAndExamplesThatUseThem) {
  std::set<std::string> names;
  for (const Command& command : all_commands()) {
    EXPECT_TRUE(names.insert(full_name(command)).second) << full_name(command);
    EXPECT_THAT(command.examples, HasSubstr("ssectl " + full_name(command)));
  }
}

TEST(AllCommands, AreInGroupsThatHaveASummary) {
  const auto groups = all_groups();
  for (const Command& command : all_commands()) {
    if (command.group.empty()) continue;
    const auto same = [&](const Group& group) { return group.name == command.group; };
    EXPECT_EQ(std::count_if(groups.begin(), groups.end(), same), 1) << command.group;
  }
}

}  // namespace
}  // namespace sse::ctl
