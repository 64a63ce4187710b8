#include "delivery/trace_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "observe/log.h"

namespace sse::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TraceLogTest : public ::testing::Test {
 protected:
  void listen(LogLevel level) {
    sink_ = observe::add_log_sink(
        [this](const LogRecord& record) {
          std::string line(record.message);
          for (const LogField& field : record.fields)
            line.append(" ").append(field.key).append("=").append(field.value);
          lines_.push_back(line);
        },
        level);
  }

  const ServiceName service_{"s"};
  const TraceContext sampled_ = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const TraceContext quiet_ = *parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  std::vector<std::string> lines_;
  std::shared_ptr<void> sink_;
};

TEST_F(TraceLogTest, NamesTheTraceAsOpenTelemetryDoes) {
  listen(LogLevel::kInfo);
  EXPECT_TRUE(traces(sampled_));
  log_trace(sampled_, "event sent", {service_, "note", MessageId(7), 3});
  log_trace(sampled_, "message confirmed", {service_, "", MessageId(7), {}, ConnectionId(9)});
  EXPECT_THAT(lines_, ElementsAre("event sent trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 "
                                  "trace_flags=01 service=s event=note id=7 delivered=3",
                                  "message confirmed trace_id=0af7651916cd43dd8448eb211c80319c "
                                  "span_id=b7ad6b7169203331 trace_flags=01 service=s event= id=7 connection=9"));
}

TEST_F(TraceLogTest, WhatIsNotSampledIsForTheSearchOfDefects) {
  listen(LogLevel::kInfo);
  EXPECT_FALSE(traces(quiet_));
  log_trace(quiet_, "event sent", {service_, "note", MessageId(7), 3});
  EXPECT_THAT(lines_, IsEmpty());
  sink_.reset();
  listen(LogLevel::kDebug);
  EXPECT_TRUE(traces(quiet_));
  sink_.reset();
  listen(LogLevel::kWarn);
  EXPECT_FALSE(traces(sampled_));
}

TEST_F(TraceLogTest, ALogOfTextHasNone) {
  observe::init_logging({});
  EXPECT_FALSE(traces(sampled_));
  observe::LogOptions json;
  json.format = observe::LogFormat::kJson;
  observe::init_logging(json);
  EXPECT_TRUE(traces(sampled_));
  EXPECT_FALSE(traces(quiet_));
  observe::init_logging({});
}

}  // namespace
}  // namespace sse::delivery
