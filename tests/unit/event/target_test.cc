#include "event/target.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sse::event {
namespace {

using Names = std::vector<std::string>;

void expect_refused(Target target, std::string_view sentence) {
  try {
    normalize(target);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.what(), sentence);
  }
}

TEST(TargetKind, NamesReadBack) {
  for (const auto kind : {TargetKind::kUser, TargetKind::kToken, TargetKind::kTenant, TargetKind::kChannel,
                          TargetKind::kAll, TargetKind::kMember, TargetKind::kConnection}) {
    EXPECT_EQ(kind_from_name(kind_name(kind)), kind);
  }
  EXPECT_THROW(kind_from_name("users"), Error);
  EXPECT_THROW(kind_from_name(""), Error);
}

TEST(TargetKind, NumbersAreStableBecauseTheyAreStored) {
  EXPECT_EQ(static_cast<int>(TargetKind::kUser), 0);
  EXPECT_EQ(static_cast<int>(TargetKind::kToken), 1);
  EXPECT_EQ(static_cast<int>(TargetKind::kTenant), 2);
  EXPECT_EQ(static_cast<int>(TargetKind::kChannel), 3);
  EXPECT_EQ(static_cast<int>(TargetKind::kAll), 4);
  EXPECT_EQ(static_cast<int>(TargetKind::kMember), 5);
  EXPECT_EQ(static_cast<int>(TargetKind::kConnection), 6);
}

TEST(MemberName, IsTheSameForNoOtherUserAndTenant) {
  EXPECT_EQ(member_name("bob", "acme"), "3:bobacme");
  EXPECT_NE(member_name("bob", "acme"), member_name("bobacme", ""));
  EXPECT_NE(member_name("1:a", "b"), member_name("1", ":ab"));
  for (const auto& [user, tenant] : std::vector<std::pair<std::string, std::string>>{
           {"bob", "acme"}, {"", "acme"}, {"bob", ""}, {"3:x", ":"}, {std::string("a\0b", 3), "t"}}) {
    const std::string name = member_name(user, tenant);
    EXPECT_EQ(member_of(name).user, user);
    EXPECT_EQ(member_of(name).tenant, tenant);
  }
  for (const std::string broken : {"", "bob", ":x", "9:bob", "-1:bob", "99999999999999999999:x"}) {
    EXPECT_EQ(member_of(broken).user, "") << broken;
    EXPECT_EQ(member_of(broken).tenant, "") << broken;
  }
  EXPECT_EQ(shown(TargetKind::kMember, "3:bobacme").kind, TargetKind::kUser);
  EXPECT_EQ(shown(TargetKind::kMember, "3:bobacme").name, "bob");
  EXPECT_EQ(shown(TargetKind::kMember, "3:bobacme").tenant, "acme");
  EXPECT_EQ(shown(TargetKind::kToken, "3:bobacme").name, "3:bobacme");
  EXPECT_EQ(to_target_name(TargetKind::kUser, "bob", "acme").name, "3:bobacme");
  EXPECT_EQ(to_target_name(TargetKind::kUser, "bob", "").kind, TargetKind::kUser);
  EXPECT_THROW(to_target_name(TargetKind::kToken, "bob", "acme"), Error);
}

TEST(Normalize, LooksAtUserAndTenantOfAMember) {
  Target good{TargetKind::kMember, {member_name("bob", "acme"), member_name(std::string(1024, 'u'), "t")}, false};
  normalize(good);
  expect_refused({TargetKind::kMember, {member_name("", "acme")}, false}, "the target holds an empty user");
  expect_refused({TargetKind::kMember, {member_name("bob", "")}, false}, "the target holds an empty tenant");
  expect_refused({TargetKind::kMember, {member_name("\xFF", "t")}, false},
                 "the target holds a user that is not valid UTF-8");
}

TEST(Normalize, DropsDoublesAndKeepsTheOrder) {
  Target target{TargetKind::kUser, {"b", "a", "b", "c", "a"}, true};
  normalize(target);
  EXPECT_EQ(target.names, (Names{"b", "a", "c"}));
  EXPECT_TRUE(target.listening);
}

TEST(Normalize, LeavesGoodTargetsAlone) {
  for (Target target : {Target::all(), Target::user(UserId("1")), Target::channel(ChannelName("news"))}) {
    const Names names = target.names;
    normalize(target);
    EXPECT_EQ(target.names, names);
  }
}

TEST(Normalize, RefusesTargetsThatNameNothing) {
  expect_refused({TargetKind::kUser, {}, false}, "the target names no user");
  expect_refused({TargetKind::kChannel, {}, false}, "the target names no channel");
  expect_refused({TargetKind::kUser, {""}, false}, "the target holds an empty user");
  expect_refused({TargetKind::kTenant, {"a", ""}, false}, "the target holds an empty tenant");
  expect_refused({TargetKind::kAll, {"a"}, false}, "a target 'all' takes no names and no tenant");
  expect_refused({TargetKind::kAll, {}, false, "acme"}, "a target 'all' takes no names and no tenant");
  expect_refused({TargetKind::kToken, {"a"}, false, "acme"},
                 "a tenant selects streams of users and of channels, not of tokens");
  expect_refused({TargetKind::kChannel, {"a"}, false, "\xFF"}, "the target holds a tenant that is not valid UTF-8");
}

TEST(Normalize, RefusesWhatIsTooMuchOrNotText) {
  Target longest{TargetKind::kToken, {std::string(kMaxNameBytes, 'x')}, false};
  EXPECT_NO_THROW(normalize(longest));
  expect_refused({TargetKind::kToken, {std::string(kMaxNameBytes + 1, 'x')}, false},
                 "the target holds a token of 1025 bytes, at most 1024 are allowed");
  expect_refused({TargetKind::kUser, {"\xFF"}, false}, "the target holds a user that is not valid UTF-8");

  Names names;
  for (std::size_t i = 0; i < kMaxNames; ++i) names.push_back(std::to_string(i));
  Target largest{TargetKind::kUser, names, false};
  EXPECT_NO_THROW(normalize(largest));
  names.push_back("one more");
  expect_refused({TargetKind::kUser, names, false}, "the target names 10001 users, at most 10000 fit one send");
}

TEST(Normalize, RefusesWhatIsNoIdOfAConnection) {
  Target connection = Target::connection(ConnectionId(7));
  EXPECT_NO_THROW(normalize(connection));
  for (const std::string bad : {"bob", "0", "-1", "1.5", "99999999999999999999", " 7"}) {
    expect_refused({TargetKind::kConnection, {bad}, false},
                   "the target holds '" + bad +
                       "', which is not the id of a connection: that is a number, as 'connectionId' in the first event "
                       "of a stream");
  }
  expect_refused({TargetKind::kConnection, {""}, false}, "the target holds an empty connection");
  expect_refused({TargetKind::kConnection, {"7"}, false, "acme"},
                 "a tenant selects streams of users and of channels, not of connections");
}

struct Union {
  std::vector<Target> targets;
  std::string except{};
  bool qos = false;
};

// The targets, normalized.
std::vector<Target> united(Union all) {
  Target first = std::move(all.targets.front());
  all.targets.erase(all.targets.begin());
  normalize({first, all.targets, all.except}, all.qos);
  all.targets.insert(all.targets.begin(), std::move(first));
  return all.targets;
}

void expect_no_union(const Union& all, std::string_view words) {
  try {
    united(all);
    ADD_FAILURE() << "accepted, not refused with " << words;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
  }
}

TEST(NormalizeUnion, JoinsTargetsOfAKindAndPutsChannelsFirst) {
  const std::vector<Target> all = united({{{TargetKind::kUser, {"b", "a"}, true},
                                           {TargetKind::kTenant, {"t"}, true},
                                           {TargetKind::kChannel, {"c"}, true, "acme"},
                                           {TargetKind::kUser, {"a", "d"}, true},
                                           {TargetKind::kChannel, {"e", "c"}, true, "acme"}},
                                          "tab-1"});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].kind, TargetKind::kChannel);
  EXPECT_EQ(all[0].names, (Names{"c", "e"}));
  EXPECT_EQ(all[0].of_tenant, "acme");
  EXPECT_EQ(all[1].kind, TargetKind::kUser);
  EXPECT_EQ(all[1].names, (Names{"b", "a", "d"}));
  EXPECT_EQ(all[2].kind, TargetKind::kTenant);
  EXPECT_TRUE(all[2].listening);
}

TEST(NormalizeUnion, RefusesWhatHasNoUnion) {
  const Target users = Target::user(UserId("1"));
  const Target channel = Target::channel(ChannelName("c"));
  expect_no_union({{users, Target::all()}}, "all streams of the service already");
  expect_no_union({{users, channel.only_listening()}}, "'listening' must be the same");
  expect_no_union({{channel, Target::channel(ChannelName("d"), TenantId("t"))}}, "for the same tenant");
  expect_no_union({{users, {TargetKind::kToken, {}, false}}}, "the target names no token");
  expect_no_union({{users, {TargetKind::kChannel, {"\xFF"}, false}}}, "not valid UTF-8");
  expect_no_union({{users}, std::string(1025, 'c')}, "a client to leave out of 1025 bytes");
  expect_no_union({{users}, "\xFF"}, "a client to leave out that is not valid UTF-8");
  Names half;
  for (std::size_t i = 0; i < kMaxNames / 2 + 1; ++i) half.push_back(std::to_string(i));
  expect_no_union({{{TargetKind::kUser, half, false}, {TargetKind::kChannel, half, false}}},
                  "the target names 10002 recipients, at most 10000");
}

TEST(NormalizeUnion, RefusesWithQosWhatCannotBeStoredForItsRecipients) {
  const Target users = Target::user(UserId("1"));
  EXPECT_EQ(united({{users}, "", true}).size(), 1U);
  EXPECT_EQ(united({{Target::token(AccessToken("t"))}, "", true}).size(), 1U);
  const Target token = Target::token(AccessToken("t"));
  const Target member = Target::member(UserId("1"), TenantId("acme"));
  EXPECT_EQ(united({{users, token, member}, "", true}).size(), 3U);
  expect_no_union({{users, Target::channel(ChannelName("c"))}, "", true}, "is for users and tokens only");
  expect_no_union({{token, Target::tenant(TenantId("t"))}, "", true}, "is for users and tokens only");
  expect_no_union({{users}, "tab-1", true}, "leave out 'except'");
  expect_no_union({{Target::channel(ChannelName("c"), TenantId("t"))}, "", true}, "of one tenant cannot be selected");
  expect_no_union({{Target::connection(ConnectionId(7))}, "", true}, "with qos an event cannot be for a connection");
}

TEST(Normalize, CountsNamesAfterDroppingDoubles) {
  Target target{TargetKind::kUser, Names(kMaxNames + 1, "same"), false};
  normalize(target);
  EXPECT_EQ(target.names, Names{"same"});
}

}  // namespace
}  // namespace sse::event
