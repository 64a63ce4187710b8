#include "observe/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/error.h"
#include "observe/structured_log.h"
#include "support/files.h"

namespace sse::observe {
namespace {

using ::testing::MatchesRegex;

class LogTest : public ::testing::Test {
 protected:
  void TearDown() override { init_logging({}); }

  std::string path(const std::string& name = "log") const { return folder_.file(name); }
  void start(LogFormat format, Level level = Level::kInfo) { init_logging({level, format, path()}); }
  static std::vector<std::string> lines(const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }

 private:
  const sse::testing::TempFolder folder_;
};

TEST_F(LogTest, TextIsOneLineWithTimeLevelMessageAndFields) {
  start(LogFormat::kText);
  log_info("stream closed",
           {{"id", "7"}, {"reason", "slow consumer"}, {"empty", ""}, {"eq", "a=b"}, {"q", "say \"x\""}});
  const auto all = lines(path());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_THAT(all[0],
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z info stream "
                           "closed id=7 reason=\"slow consumer\" empty=\"\" eq=\"a=b\" q=\"say \\\\\"x\\\\\"\""));
}

TEST_F(LogTest, NoInputCanForgeALineOrDriveATerminal) {
  start(LogFormat::kText);
  log_warn("bad\nline", {{"agent", "a\r\n2024 info fake\x1b[2J\xff"}});
  const auto all = lines(path());
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].ends_with("Z warning bad\\x0Aline agent=\"a\\x0D\\x0A2024 info fake\\x1B[2J\\xFF\"")) << all[0];
}

TEST_F(LogTest, JsonLinesHoldNothingATerminalActsOn) {
  start(LogFormat::kJson);
  const std::string evil =
      "\xC2\x9B"
      "2J\x7F\xE2\x80\xAE"
      "gpj.exe\xE2\x81\xA6\x1b[31m";
  log_error(evil, {{"agent", evil}});
  const auto all = lines(path());
  ASSERT_EQ(all.size(), 1U);
  for (const char* bytes : {"\xC2\x9B", "\x7F", "\xE2\x80\xAE", "\xE2\x81\xA6", "\x1b"})
    EXPECT_EQ(all[0].find(bytes), std::string::npos) << all[0];
  const auto line = nlohmann::json::parse(all[0]);
  EXPECT_EQ(line["message"], evil);
  EXPECT_EQ(line["fields"]["agent"], evil);
}

TEST_F(LogTest, JsonLinesParseWhateverTheValues) {
  start(LogFormat::kJson);
  log_error("no \"luck\"\n", {{"a", "tab\t\\"},
                              {"b",
                               "\xff"
                               "é"}});
  log_info("plain {} %v");
  const auto all = lines(path());
  ASSERT_EQ(all.size(), 2U);
  const auto first = nlohmann::json::parse(all[0]);
  EXPECT_EQ(first["level"], "error");
  EXPECT_EQ(first["message"], "no \"luck\"\n");
  EXPECT_EQ(first["fields"]["a"], "tab\t\\");
  EXPECT_EQ(first["fields"]["b"], "\xEF\xBF\xBDé");
  EXPECT_TRUE(first["time"].get<std::string>().ends_with("Z"));
  EXPECT_EQ(nlohmann::json::parse(all[1])["message"], "plain {} %v");
}

TEST_F(LogTest, InJsonATraceStandsBesideTheMessage) {
  start(LogFormat::kJson);
  log_info("sent", {{"trace_id", "a"}, {"id", "7"}, {"span_id", "b"}, {"trace_flags", "01"}});
  log_info("only a trace", {{"trace_id", "a"}});
  const auto all = lines(path());
  ASSERT_EQ(all.size(), 2U);
  const auto line = nlohmann::json::parse(all[0]);
  EXPECT_EQ(line["trace_id"], "a");
  EXPECT_EQ(line["span_id"], "b");
  EXPECT_EQ(line["trace_flags"], "01");
  EXPECT_EQ(line["fields"], nlohmann::json({{"id", "7"}}));
  EXPECT_FALSE(nlohmann::json::parse(all[1]).contains("fields"));
  EXPECT_TRUE(structured_log_enabled(Level::kInfo));
  EXPECT_FALSE(structured_log_enabled(Level::kDebug));
  start(LogFormat::kText);
  EXPECT_FALSE(structured_log_enabled(Level::kError));
}

TEST_F(LogTest, LevelsBelowTheChosenAreLeftOut) {
  start(LogFormat::kText, Level::kWarn);
  EXPECT_FALSE(log_enabled(Level::kInfo));
  EXPECT_TRUE(log_enabled(Level::kError));
  log_debug("d");
  log_info("i");
  log_warn("w");
  log_error("e");
  EXPECT_EQ(lines(path()).size(), 2U);
}

TEST_F(LogTest, ReopensAfterARotation) {
  start(LogFormat::kText);
  log_info("before");
  std::filesystem::rename(path(), path("log.1"));
  log_info("still the old one");
  reopen_log();
  log_info("after");
  EXPECT_EQ(lines(path("log.1")).size(), 2U);
  EXPECT_EQ(lines(path()).size(), 1U);
}

TEST_F(LogTest, KeepsTheOldFileWhenTheNewOneCannotBeOpened) {
  start(LogFormat::kText);
  std::filesystem::rename(path(), path("log.1"));
  std::filesystem::create_directory(path());
  reopen_log();
  log_info("after");
  const auto all = lines(path("log.1"));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[0], ::testing::HasSubstr("could not be reopened"));
}

TEST_F(LogTest, RefusesAFileItCannotOpenAndStaysAsItWas) {
  start(LogFormat::kText);
  EXPECT_THROW(init_logging({Level::kInfo, LogFormat::kJson, path("no/such/dir")}), Error);
  log_info("here");
  EXPECT_EQ(lines(path()).size(), 1U);
}

TEST_F(LogTest, AppendsToWhatIsThere) {
  std::ofstream(path()) << "old\n";
  start(LogFormat::kText);
  log_info("new");
  EXPECT_EQ(lines(path()).size(), 2U);
}

TEST_F(LogTest, LinesOfManyThreadsNeverMixAndNoneIsLostOverAReopen) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  start(LogFormat::kJson);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < kLines; ++i) log_info(std::string(100, 'x'), {{"i", std::to_string(i)}});
    });
  }
  for (int i = 0; i < 20; ++i) reopen_log();
  for (std::thread& thread : threads) thread.join();
  const auto all = lines(path());
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kThreads * kLines));
  for (const std::string& line : all) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST_F(LogTest, GoesToTheSinksWhileThereAreSome) {
  start(LogFormat::kText);
  std::vector<std::string> all;
  std::vector<std::string> errors;
  {
    const auto sink = add_log_sink(
        [&](const LogRecord& record) {
          std::string line(record.message);
          for (const Field& field : record.fields) line += " " + std::string(field.key) + "=" + field.value;
          EXPECT_GT(record.time, WallTime());
          all.push_back(line);
        },
        Level::kDebug);
    const auto other =
        add_log_sink([&](const LogRecord& record) { errors.emplace_back(record.message); }, Level::kError);
    EXPECT_TRUE(log_enabled(Level::kDebug));
    log_debug("closed", {{"id", "7"}, {"reason", "two\nlines"}});
    log_error("failed");
  }
  log_info("to the file again");
  EXPECT_FALSE(log_enabled(Level::kDebug));
  EXPECT_EQ(all, (std::vector<std::string>{"closed id=7 reason=two\nlines", "failed"}));
  EXPECT_EQ(errors, std::vector<std::string>{"failed"});
  EXPECT_EQ(lines(path()).size(), 1U);
}

TEST_F(LogTest, SurvivesSinksThatThrowOrLog) {
  int calls = 0;
  const auto sink = add_log_sink(
      [&](const LogRecord&) {
        ++calls;
        log_info("from the sink");
        throw std::runtime_error("not for the library");
      },
      Level::kInfo);
  log_info("one");
  log_info("two");
  EXPECT_EQ(calls, 2);
}

TEST(LogNames, AreReadAndRefused) {
  EXPECT_EQ(level_from_name("debug"), Level::kDebug);
  EXPECT_EQ(level_from_name("info"), Level::kInfo);
  EXPECT_EQ(level_from_name("warn"), Level::kWarn);
  EXPECT_EQ(level_from_name("warning"), Level::kWarn);
  EXPECT_EQ(level_from_name("error"), Level::kError);
  EXPECT_EQ(log_format_from_name("json"), LogFormat::kJson);
  EXPECT_EQ(log_format_from_name("text"), LogFormat::kText);
  EXPECT_THROW(level_from_name("INFO"), Error);
  EXPECT_THROW(log_format_from_name(""), Error);
}

}  // namespace
}  // namespace sse::observe
