#include "cli/app.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "support/files.h"

namespace sse::cli {
namespace {

using Kind = Outcome::Kind;

TEST(Cli, PutsTheOptionsNameBeforeWhatItsReaderFindsWrong) {
  App app("", "test");
  app.add_text(
      "--size", [](const std::string& text) { throw Error(ErrorCode::kInvalidArgument, text + " is no size"); }, "");
  const Outcome outcome = app.parse({"--size", "big"});
  EXPECT_EQ(outcome.kind, Kind::kMisuse);
  EXPECT_EQ(outcome.text, "--size: big is no size");
}

TEST(Cli, LeavesErrorsOutsideOfReadersAlone) {
  App app("", "test");
  app.on_chosen([] { throw Error(ErrorCode::kIo, "disk"); });
  EXPECT_THROW(app.parse(std::vector<std::string>{}), Error);
}

TEST(Cli, RefusesWhatIsNoNumberOrOutOfRange) {
  std::uint64_t count = 7;
  for (const char* text : {"-1", "0", "11", "1x", "99999999999999999999"}) {
    App app("", "test");
    app.add_option("--count", count, "").range(1, 10);
    EXPECT_EQ(app.parse({"--count", text}).kind, Kind::kMisuse) << text;
    EXPECT_EQ(count, 7U) << text;
  }
  App app("", "test");
  const Option option = app.add_option("--count", count, "").range(1, 10);
  EXPECT_EQ(app.parse({"--count", "10"}).text, "");
  EXPECT_EQ(count, 10U);
  EXPECT_TRUE(option.given());
}

TEST(Cli, PrintsTheHelpOfTheCommandThatWasNamed) {
  App app("Program", "test");
  app.add_subcommand("run", "Runs it");
  const Outcome outcome = app.parse({"run", "--help"});
  EXPECT_EQ(outcome.kind, Kind::kPrint);
  EXPECT_NE(outcome.text.find("Runs it"), std::string::npos) << outcome.text;
}

TEST(Cli, TellsWhichCommandWasChosenAndWhatIsUnknown) {
  App app("", "test");
  app.require_subcommand();
  App& group = app.add_subcommand("group", "");
  group.require_subcommand();
  group.add_subcommand("list", "");
  EXPECT_EQ(app.parse({"group", "lost"}).kind, Kind::kMisuse);
  ASSERT_EQ(app.chosen(), &group);
  EXPECT_EQ(group.chosen(), nullptr);
  EXPECT_TRUE(group.is_subcommand_missing());
  EXPECT_EQ(app.unknown(), std::vector<std::string>{"lost"});
  EXPECT_EQ(app.parse({"group", "list"}).text, "");
  ASSERT_NE(group.chosen(), nullptr);
  EXPECT_EQ(group.chosen()->name(), "list");
}

TEST(Cli, ReadsAFileAndRefusesKeysItDoesNotKnow) {
  const sse::testing::TempFolder folder;
  const std::string path = folder.file("options");
  const auto parse = [&path](const std::string& text) {
    std::ofstream(path) << text;
    bool demo = false;
    std::string secret;
    App app("", "test");
    app.set_config("--config", "");
    app.add_flag("--demo", demo, "");
    app.add_option("--secret", secret, "").not_configurable();
    const Outcome outcome = app.parse({"--config", path});
    return std::pair(outcome.kind, demo);
  };
  EXPECT_EQ(parse("demo = true\n"), std::pair(Kind::kParsed, true));
  EXPECT_EQ(parse("demmo = true\n").first, Kind::kInvalidFile);
  EXPECT_EQ(parse("secret = x\n").first, Kind::kInvalidFile);
  App app("", "test");
  app.set_config("--config", "");
  EXPECT_EQ(app.parse({"--config", folder.file("missing")}).kind, Kind::kUnreadableFile);
}

TEST(Cli, DescribesWhatWasDeclared) {
  bool flag = false;
  std::string value = "10s";
  std::vector<std::string> ids;
  App app("Program", "test");
  App& command = app.add_subcommand("run", "Runs it");
  command.begin_group("Time");
  command.add_flag("-f,--flag", flag, "Flag");
  command.add_option("--wait", value, "Wait").type_name("DURATION").show_default();
  command.add_option("ID", ids, "Ids").type_name("");
  EXPECT_EQ(command.parent(), &app);
  ASSERT_EQ(app.subcommands().size(), 1U);
  EXPECT_EQ(app.subcommands().front()->description(), "Runs it");
  const std::vector<Option> options = command.options();
  ASSERT_EQ(options.size(), 4U);  // --help first
  EXPECT_EQ(options[1].long_names(), std::vector<std::string>{"flag"});
  EXPECT_EQ(options[1].short_names(), std::vector<std::string>{"f"});
  EXPECT_FALSE(options[1].needs_value());
  EXPECT_TRUE(options[2].needs_value());
  EXPECT_EQ(options[2].type_name(), "DURATION");
  EXPECT_TRUE(options[3].positional());
  EXPECT_EQ(command.option("--wait").help(), "Wait");
}

}  // namespace
}  // namespace sse::cli
