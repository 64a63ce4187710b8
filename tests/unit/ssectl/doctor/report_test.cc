#include "ssectl/doctor/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sse::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report example() {
  Report report("https://push.example.org/my-sse");
  report.set_proxy("nginx");
  report.add("version", Verdict::kOk, "HTTP/1.1");
  report.add("idle", Verdict::kFinding, "the stream was cut 5s after it was opened, 5s after its last byte");
  report.add("address", Verdict::kUnchecked, "give --server");
  return report;
}

TEST(ReportTest, CountsOnlyWhatMustBeMended) {
  EXPECT_EQ(example().findings(), 1U);
  EXPECT_EQ(Report("x").findings(), 0U);
}

TEST(ReportTest, ItsJsonHasAdviceForFindingsOnly) {
  const event::Json json = example().json();
  EXPECT_EQ(json["url"], "https://push.example.org/my-sse");
  EXPECT_EQ(json["proxy"], "nginx");
  EXPECT_EQ(json["findings"], 1);
  EXPECT_FALSE(json["checks"][0].contains("advice"));
  EXPECT_EQ(json["checks"][1]["advice"][0]["line"], "proxy_read_timeout 1h;");
  EXPECT_EQ(json["checks"][2]["result"], "not checked");
}

TEST(ReportTest, WrapsDetailsButNoLineThatIsToBeCopied) {
  const std::string text = describe_report(example().json(), {false, 60});
  EXPECT_THAT(text,
              HasSubstr("idle         finding     the stream was cut 5s after it was\n"
                        "                         opened, 5s after its last byte\n"
                        "             nginx       proxy_read_timeout 1h;\n"
                        "             sse-serve   --heartbeat 15s  # shorter than the shortest time-out in between\n"));
  EXPECT_THAT(text, HasSubstr("address      not checked give --server\n"));
}

TEST(ReportTest, ShowsNothingThatATerminalWouldObey) {
  Report report("x");
  report.add("response", Verdict::kFinding, "Content-Type \033[2J");
  EXPECT_THAT(describe_report(report.json(), {false, 80}), Not(HasSubstr("\033")));
}

}  // namespace
}  // namespace sse::ctl
