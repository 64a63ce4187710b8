#include "ssectl/bench/plan.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "event/json.h"
#include "ssectl/load/mark.h"

namespace sse::ctl::bench {
namespace {

using event::Json;

struct Message {
  std::string user;  // or the channel
  load::Mark mark;
  Json json;
};

std::vector<Message> messages_of(Sender& sender, std::uint64_t group) {
  std::vector<Message> messages;
  std::istringstream lines(sender.group(group, SteadyTime(std::chrono::nanoseconds(5))));
  for (std::string line; std::getline(lines, line);) {
    Message message;
    message.json = Json::parse(line);
    const Json& target = message.json.at("target");
    if (target.contains("users")) message.user = target["users"][0];
    if (target.contains("channels")) message.user = target["channels"][0];
    message.mark = load::read_mark(message.json.at("data").get<std::string>()).value();
    messages.push_back(message);
  }
  return messages;
}

Options options(std::uint64_t events, std::uint64_t burst, unsigned senders, const std::string& to) {
  Options options;
  options.events = events;
  options.burst = burst;
  options.senders = senders;
  options.to = to;
  return options;
}

TEST(Plan, TheLastGroupHoldsWhatIsLeft) {
  const Plan plan(options(25, 10, 1, "channel"), "m", "", {0, 1});
  ASSERT_EQ(plan.groups(), 3U);
  EXPECT_EQ(plan.size_of(0), 10U);
  EXPECT_EQ(plan.size_of(2), 5U);
  EXPECT_EQ(plan.receivers(), 2U);
}

TEST(Plan, GroupsAreDueSoThatTheRateOfEventsHolds) {
  Options wanted = options(1000, 10, 1, "channel");
  EXPECT_EQ(Plan(wanted, "m", "", {0}).due(7), std::chrono::nanoseconds(0));
  wanted.rate = 100;
  const Plan plan(wanted, "m", "", {0});
  EXPECT_EQ(plan.due(0), std::chrono::nanoseconds(0));
  EXPECT_EQ(plan.due(7), std::chrono::milliseconds(700));
}

TEST(Plan, NumbersOfASenderRiseByOneOnEveryStream) {
  for (const char* to : {"channel", "each", "random"}) {
    const Plan plan(options(600, 3, 4, to), "m", "", {0, 1, 2, 3, 5, 6, 8});
    std::map<std::pair<std::string, unsigned>, std::uint64_t> next;
    std::uint64_t total = 0;
    for (unsigned number = 0; number < 4; ++number) {
      Sender sender(plan, number);
      for (std::uint64_t group = number; group < plan.groups(); group += 4) {
        for (const Message& message : messages_of(sender, group)) {
          EXPECT_EQ(message.mark.sender, number);
          EXPECT_EQ(message.mark.sequence, (next[{message.user, number}]++)) << to;
          ++total;
        }
      }
    }
    EXPECT_EQ(total, 600U);
  }
}

TEST(Plan, EachGoesToOneStreamAfterTheOtherOfThoseThatAreOpen) {
  const Plan plan(options(6, 1, 1, "each"), "m", "", {0, 2, 3});
  EXPECT_EQ(plan.receivers(), 1U);
  Sender sender(plan, 0);
  std::vector<std::string> users;
  for (std::uint64_t group = 0; group < 6; ++group) users.push_back(messages_of(sender, group).front().user);
  EXPECT_EQ(users, (std::vector<std::string>{"m-0", "m-2", "m-3", "m-0", "m-2", "m-3"}));
}

TEST(Plan, NoTwoSendersShareAStreamWithOneStreamAnEvent) {
  const Plan plan(options(400, 1, 4, "random"), "m", "", {0, 1, 2, 3, 4, 5});
  std::map<std::string, std::set<unsigned>> senders;
  for (unsigned number = 0; number < 4; ++number) {
    Sender sender(plan, number);
    for (std::uint64_t group = number; group < plan.groups(); group += 4)
      senders[messages_of(sender, group).front().user].insert(number);
  }
  EXPECT_EQ(senders.size(), 6U);
  for (const auto& [user, who] : senders) EXPECT_EQ(who.size(), 1U) << user;
}

TEST(Plan, QosMessagesDoNotOutliveTheRunByMuch) {
  Options wanted = options(1, 1, 1, "all");
  wanted.qos = true;
  const Plan plan(wanted, "m", "hr", {0});
  Sender sender(plan, 0);
  const Json json = messages_of(sender, 0).front().json;
  EXPECT_EQ(json.at("qos"), true);
  EXPECT_EQ(json.at("ttl"), "10m");
  EXPECT_EQ(json.at("service"), "hr");
  EXPECT_EQ(json.at("target").at("all"), true);
  EXPECT_EQ(json.at("data").get<std::string>().size(), wanted.size);
}

}  // namespace
}  // namespace sse::ctl::bench
