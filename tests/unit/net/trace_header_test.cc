#include "net/trace_header.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <string>

namespace sse::net {
namespace {

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::optional<TraceContext> of_head(const std::string& headers) {
  const std::string text = "POST / HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
  std::size_t scanned = 0;
  const HeadScan scan = scan_head(text, scanned);
  EXPECT_EQ(scan.status, HeadScan::Status::kComplete);
  return trace_context(scan.head);
}

TEST(TraceHeader, IsReadFromAHeadWhateverItsCase) {
  EXPECT_FALSE(of_head(""));
  const auto context = of_head(std::string("TraceParent: ") + kParent + "\r\n");
  ASSERT_TRUE(context);
  EXPECT_EQ(traceparent_text(*context), kParent);
}

TEST(TraceHeader, TwoOfThemAreNone) {
  const std::string line = std::string("traceparent: ") + kParent + "\r\n";
  EXPECT_FALSE(of_head(line + line));
  httplib::Request request;
  request.headers.emplace("traceparent", kParent);
  EXPECT_TRUE(trace_context(request));
  request.headers.emplace("traceparent", kParent);
  EXPECT_FALSE(trace_context(request));
  EXPECT_EQ(trace_headers(request).traceparent, "");
}

TEST(TraceHeader, SeveralLinesOfStateAreOne) {
  httplib::Request request;
  request.headers.emplace("traceparent", kParent);
  request.headers.emplace("tracestate", "a=1");
  request.headers.emplace("tracestate", "b=2");
  EXPECT_EQ(trace_headers(request).traceparent, kParent);
  EXPECT_EQ(trace_headers(request).tracestate, "a=1,b=2");
}

}  // namespace
}  // namespace sse::net
