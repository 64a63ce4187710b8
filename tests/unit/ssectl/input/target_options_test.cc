#include "ssectl/input/target_options.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace sse::ctl {
namespace {

struct Parsed {
  TargetOptions options;
  std::vector<std::string> rest;

  explicit Parsed(std::vector<std::string> arguments) {
    cli::App app("", "test");
    options.declare(app);
    options.declare_groups(app);
    app.add_option("REST", rest, "");
    EXPECT_EQ(app.parse(std::move(arguments)).text, "");
  }
};

TEST(TargetOptions, TakeOneNameAnOccurrence) {
  const Parsed parsed({"--user", "1", "-u", "2", "--user=1", "data"});
  ASSERT_TRUE(parsed.options.target().has_value());
  EXPECT_EQ(parsed.options.target()->names, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(parsed.rest, std::vector<std::string>{"data"});
}

TEST(TargetOptions, TakeNamesAsTheyAre) {
  const Parsed parsed({"--channel", "[a,b]", "--channel", "c d"});
  EXPECT_EQ(parsed.options.target()->names, (std::vector<std::string>{"[a,b]", "c d"}));
}

TEST(TargetOptions, MeanAUserOfOneTenantByBoth) {
  const auto target = Parsed({"--user", "bob", "--user", "ann", "--tenant", "acme"}).options.target();
  EXPECT_EQ(target->kind, event::TargetKind::kMember);
  EXPECT_EQ(target->names,
            (std::vector<std::string>{event::member_name("bob", "acme"), event::member_name("ann", "acme")}));
  EXPECT_EQ(Parsed({"--tenant", "a", "--tenant", "b"}).options.target()->kind, event::TargetKind::kTenant);
  EXPECT_THROW(Parsed({"--user", "bob", "--tenant", "a", "--tenant", "b"}).options.target(), Error);
  EXPECT_THROW(Parsed({"--user", "bob", "--tenant", "a", "--channel", "c"}).options.target(), Error);
  EXPECT_THROW(Parsed({"--user", "", "--tenant", "a"}).options.target(), Error);
}

TEST(TargetOptions, MayBeAbsentButNotMixed) {
  EXPECT_FALSE(Parsed({}).options.target().has_value());
  EXPECT_EQ(Parsed({"--all"}).options.target()->kind, event::TargetKind::kAll);
  EXPECT_THROW(Parsed({"--all", "--user", "1"}).options.target(), Error);
  EXPECT_THROW(Parsed({"--user", ""}).options.target(), Error);
}

}  // namespace
}  // namespace sse::ctl
