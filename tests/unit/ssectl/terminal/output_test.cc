#include "ssectl/terminal/output.h"

#include <gtest/gtest.h>

#include <string>

namespace sse::ctl {
namespace {

using event::Json;

// The output, notes included, that `write` produces in this format.
template <class Write>
std::string written(Format format, Write write) {
  Output out(format, true);
  out.start_capture();
  write(out);
  return out.take_captured();
}

std::string describe(const Json& json, const TableStyle&) {
  return "described " + json.dump() + "\n";
}

TEST(Output, ShowsAResultAsTextToPeopleAndAsJsonToPrograms) {
  const auto result = [](Output& out) { out.result({{"closed", 2}}, describe); };
  EXPECT_EQ(written(Format::kTable, result), "described {\"closed\":2}\n");
  EXPECT_EQ(written(Format::kNdjson, result), "{\"closed\":2}\n");
  EXPECT_EQ(written(Format::kJson, result), "{\n  \"closed\": 2\n}\n");
}

TEST(Output, ShowsASentenceOnItsOwnLineToPeopleOnly) {
  const auto result = [](Output& out) { out.result({{"closed", 2}}, "closed 2 connections"); };
  EXPECT_EQ(written(Format::kTable, result), "closed 2 connections\n");
  EXPECT_EQ(written(Format::kNdjson, result), "{\"closed\":2}\n");
}

TEST(Output, ListsOneElementALineInNdjson) {
  const auto list = [](Output& out) { out.result_list({{"list", {1, 2}}, {"total", 2}}, describe, "none"); };
  EXPECT_EQ(written(Format::kTable, list), "described {\"list\":[1,2],\"total\":2}\n");
  EXPECT_EQ(written(Format::kNdjson, list), "1\n2\n");
}

TEST(Output, NotesThatAListIsEmptyToPeopleOnly) {
  const auto list = [](Output& out) { out.result_list({{"list", Json::array()}, {"total", 0}}, describe, "none"); };
  EXPECT_EQ(written(Format::kTable, list), "ssectl: none\n");
  EXPECT_EQ(written(Format::kNdjson, list), "");
}

}  // namespace
}  // namespace sse::ctl
