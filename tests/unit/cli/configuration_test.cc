#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/app.h"
#include "support/files.h"

namespace sse::cli {
namespace {

using Kind = Outcome::Kind;

// A program whose options are read from a file with this text.
struct Program {
  explicit Program(const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    app.set_config("-c,--config", "");
    app.add_flag("--demo", demo, "");
    app.add_option("-l,--listen", listen, "").envname("CLI_TEST_LISTEN");
    app.add_option("--service", services, "").envname("CLI_TEST_SERVICE").list_separator(',');
    app.add_option("--count", count, "").range(1, 10).envname("CLI_TEST_COUNT");
    app.add_text(
        "--size",
        [](const std::string& size) {
          if (size == "big") throw Error(ErrorCode::kInvalidArgument, "'big' is not a size");
        },
        "");
    app.add_option("--here", here, "").not_configurable();
    App& send = app.add_subcommand("send", "");
    send.add_flag("--qos", qos, "");
  }
  Outcome parse(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--config", path});
    return app.parse(more);
  }
  std::string at(int line) const { return path + ":" + std::to_string(line) + ": "; }

  const sse::testing::TempFolder folder;
  const std::string path = folder.file("options.conf");
  App app{"", "test"};
  bool demo = false;
  bool qos = false;
  std::string listen;
  std::string here;
  std::vector<std::string> services;
  std::uint64_t count = 1;
};

TEST(ConfigurationFile, ReadsWordsTextsAndLists) {
  Program program(
      "\xEF\xBB\xBF# a comment\r\n; another\r\n\r\n"
      "listen = \"a # b, \\\"c\\\" \\\\\"  # a comment\r\n"
      "service = [ 'x=/x', y=/y,  # more follows\n  \"z=/z\" ]\ndemo = yes\ncount=7\n[send]\nqos = true\n");
  EXPECT_EQ(program.parse().text, "");
  EXPECT_EQ(program.listen, "a # b, \"c\" \\");
  EXPECT_EQ(program.services, (std::vector<std::string>{"x=/x", "y=/y", "z=/z"}));
  EXPECT_TRUE(program.demo);
  EXPECT_EQ(program.count, 7U);
  EXPECT_TRUE(program.qos);
  EXPECT_EQ(program.app.chosen(), nullptr);
}

TEST(ConfigurationFile, TakesBareWordsAndRepeatedNamesAsInIniFiles) {
  Program program("demo\nservice = x=/x,y=/y\nlisten = http://a/#b\nservice = z=/z\n");
  EXPECT_EQ(program.parse().text, "");
  EXPECT_TRUE(program.demo);
  EXPECT_EQ(program.listen, "http://a/#b");
  EXPECT_EQ(program.services, (std::vector<std::string>{"x=/x", "y=/y", "z=/z"}));
}

TEST(ConfigurationFile, NamesTheLineOfAnError) {
  struct {
    const char* text;
    int line;
    const char* error;
  } const cases[] = {
      {"demo = true\n\nlisen = x\n", 3, "there is no option 'lisen'; did you mean 'listen'?"},
      {"colour = red\n", 1, "there is no option 'colour'"},
      {"\nhere = x\n", 2, "'here' may be given on the command line only, not in a configuration file"},
      {"demo = maybe\n", 1, "'demo' is either true or false"},
      {"this is no line\n", 1, "'this is no line' is not a line NAME = VALUE"},
      {"service = [a, b\n", 1, "the list has no closing ']'"},
      {"listen = \"a\n", 1, "the text has no closing quotation mark"},
      {"[sned]\nqos = true\n", 1, "there is no command 'sned' for this section"},
      {"send.qs = true\n", 1, "there is no option 'qs'; did you mean 'qos'?"},
      {"= x\n", 1, "a line is NAME = VALUE, and this one has no name"},
      {"\n\nsize = big\n", 3, "--size: 'big' is not a size"},
      {"count = 99\n", 1, "--count: '99' is not a whole number from 1 to 10"},
      {"listen = a\nlisten = b\n", 1, "--listen was given twice; it takes one value"},
      {"demo = true\n\ndemo = true\n", 3, "'demo' is set already in line 1"},
  };
  for (const auto& one : cases) {
    Program program(one.text);
    const Outcome outcome = program.parse();
    EXPECT_NE(outcome.kind, Kind::kParsed) << one.text;
    EXPECT_EQ(outcome.text, program.at(one.line) + one.error) << one.text;
  }
}

TEST(ConfigurationFile, RefusesWhatIsNoConfigurationFile) {
  Program binary(std::string("demo\0= true", 11));
  EXPECT_EQ(binary.parse().text, binary.path + ": it is not text in UTF-8");
  Program latin("listen = \xE4\n");
  EXPECT_EQ(latin.parse().text, latin.path + ": it is not text in UTF-8");
  Program large(std::string(10'000'000, '#'));
  EXPECT_EQ(large.parse().text, large.path + ": it is larger than 1 MiB, so it is not a configuration file");
  Program any("");
  Outcome outcome = any.app.parse({"--config", any.folder.path().string()});
  EXPECT_EQ(outcome.kind, Kind::kUnreadableFile);
  EXPECT_EQ(outcome.text, "'" + any.folder.path().string() + "': it is a folder");
  Program other("");
  outcome = other.app.parse({"--config", other.folder.file("none")});
  EXPECT_EQ(outcome.text, "'" + other.folder.file("none") + "': No such file or directory");
}

TEST(ConfigurationFile, TellsWhereEachValueComesFrom) {
  ::setenv("CLI_TEST_LISTEN", "from environment", 1);
  ::setenv("CLI_TEST_COUNT", "5", 1);
  ::setenv("CLI_TEST_SERVICE", "a=/a,b=/b", 1);
  ::setenv("CLI_TEST_LISEN", "x", 1);
  ::setenv("CLI_TEST_PORT", "tcp://10.0.0.1:80", 1);
  ::setenv("CLI_TEST_SERVICE_HOST", "10.0.0.1", 1);
  Program program("\ncount = 3\nsize = small\n");
  EXPECT_EQ(program.parse({"--size", "large"}).text, "");
  const auto source = [&](const char* name) { return program.app.source_of(program.app.option(name)); };
  EXPECT_EQ(source("--listen"), "CLI_TEST_LISTEN");
  EXPECT_EQ(source("--count"), program.path + ":2");
  EXPECT_EQ(source("--size"), "command line");
  EXPECT_EQ(source("--demo"), "default");
  EXPECT_EQ(program.app.option("--service").values(), (std::vector<std::string>{"a=/a", "b=/b"}));
  EXPECT_EQ(program.app.unknown_environment("CLI_TEST_"),
            std::vector<std::string>{"no option reads the variable CLI_TEST_LISEN; did you mean 'CLI_TEST_LISTEN'?"});
  ::setenv("CLI_TEST_COUNT", "50", 1);
  Program invalid("");
  EXPECT_EQ(invalid.parse().text, "CLI_TEST_COUNT: --count: '50' is not a whole number from 1 to 10");
  for (const char* name : {"LISTEN", "COUNT", "SERVICE", "LISEN", "PORT", "SERVICE_HOST"})
    ::unsetenv((std::string("CLI_TEST_") + name).c_str());
}

TEST(Cli, SaysWhatIsWrongInTermsOfTheOptions) {
  const auto text = [](const std::vector<std::string>& arguments) {
    Program program("");
    return program.app.parse(arguments).text;
  };
  EXPECT_EQ(text({"--lisen", "x"}), "there is no option '--lisen'; did you mean '--listen'?");
  EXPECT_EQ(text({"--lisen=x"}), "there is no option '--lisen'; did you mean '--listen'?");
  EXPECT_EQ(text({"stray"}), "the argument 'stray' is not expected here");
  EXPECT_EQ(text({"--listen"}), "--listen needs a value");
  EXPECT_EQ(text({"--listen", "a", "--listen", "b"}), "--listen was given twice; it takes one value");
  EXPECT_EQ(text({"--count", "x"}), "--count: 'x' is not a whole number from 1 to 10");
  EXPECT_EQ(text({"--demo=maybe"}), "--demo is either true or false");
}

}  // namespace
}  // namespace sse::cli
