#include "ssectl/terminal/table.h"

#include <gtest/gtest.h>

#include "ssectl/terminal/width.h"

namespace sse::ctl {
namespace {

TEST(DisplayWidth, CountsCellsNotBytes) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("用户"), 4U);
}

TEST(Fit, CutsAtCellsAndSaysSo) {
  EXPECT_EQ(fit("abcdef", 6), "abcdef");
  EXPECT_EQ(fit("abcdef", 4), "abc…");
  EXPECT_EQ(fit("用户用户", 4), "用…");
  EXPECT_EQ(fit("abc", 1), "…");
  EXPECT_EQ(fit("abc", 0), "");
}

TEST(Table, AlignsColumns) {
  Table table({{"ID"}, {"N", true}, {"NAME"}});
  table.add({"1", "5", "a"});
  table.add({"用户", "1000", ""});
  EXPECT_EQ(table.render({}),
            "ID       N  NAME\n"
            "1        5  a\n"
            "用户  1000  -\n");
}

TEST(Table, ShrinksTheWidestColumnThatMay) {
  Table table({{"ID"}, shrinking("SHORT"), shrinking("LONG")});
  table.add({"847140540416", "0123456789", "01234567890123456789"});
  EXPECT_EQ(table.render({false, 36}),
            "ID            SHORT       LONG\n"
            "847140540416  0123456789  012345678…\n");
  EXPECT_EQ(table.render({false, 32}),
            "ID            SHORT     LONG\n"
            "847140540416  0123456…  0123456…\n");
}

TEST(Table, LeavesOutTheLastColumnsThatDoNotFit) {
  Table table({{"ID"}, shrinking("USER"), right_aligned("EVENTS"), right_aligned("BACKLOG")});
  table.add({"847140540416", "0123456789", "5", "1.0 MiB"});
  EXPECT_EQ(table.render({false, 39}),
            "ID            USER      EVENTS  BACKLOG\n"
            "847140540416  0123456…       5  1.0 MiB\n");
  EXPECT_EQ(table.render({false, 36}),
            "ID            USER        EVENTS\n"
            "847140540416  0123456789       5\n");
  EXPECT_EQ(table.render({false, 10}),
            "ID            USER\n"
            "847140540416  0123456…\n");
}

TEST(Table, MakesControlCharactersVisible) {
  Table table({{"NAME"}});
  table.add({"a\x1b[31m\nb"});
  EXPECT_EQ(table.render({}), "NAME\na\\x1B[31m\\x0Ab\n");
}

TEST(Table, MakesControlCharactersInLabelsVisible) {
  EXPECT_EQ(render_fields({{"a\x1b]0;title\x07", "1"},
                           {"\xC2\x9B"
                            "2J",
                            "2"},
                           {"\xE2\x80\xAE"
                            "x",
                            "3"}},
                          {}),
            "a\\x1B]0;title\\x07  1\n"
            "\\xC2\\x9B2J         2\n"
            "\\xE2\\x80\\xAEx      3\n");
  EXPECT_LT(render_fields({{std::string(5000, 'x'), "1"}}, {}).size(), 100U) << "a name pushes its value out of sight";
}

TEST(Table, ColoursOnlyWhereAsked) {
  Table table({{"A"}});
  table.add({"x"});
  EXPECT_EQ(table.render({true, 80}), "\x1b[1mA\x1b[0m\nx\n");
  EXPECT_EQ(render_fields({{"state", "ready", CellStyle::kGood}}, {true, 80}),
            "\x1b[1mstate\x1b[0m  \x1b[32mready\x1b[0m\n");
}

TEST(Fields, AlignValuesAndLeaveOutEmptyOnes) {
  EXPECT_EQ(render_fields({{"id", "1"}, {"a longer label", ""}, {"state", "re\tady"}}, {}),
            "id     1\nstate  re\\x09ady\n");
}

}  // namespace
}  // namespace sse::ctl
