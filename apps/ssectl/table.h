#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sse::ctl {

/// How something is put on the screen.
struct Look {
  bool colour = false;
  std::size_t width = 0;  ///< cells of a line; 0: as wide as it gets
};

struct Column {
  std::string title;
  bool right = false;    ///< numbers
  bool shrinks = false;  ///< may be cut when the line is too wide
};

/// Rows under aligned columns, for people. Cells are made printable; an empty one shows as `-`.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// REQUIRES: as many cells as columns.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// A heading and a line a row. Columns that shrink give way, the widest first, until the line fits or they are as
  /// narrow as 8 cells.
  std::string render(const Look& look) const;

 private:
  std::vector<std::size_t> widths(std::size_t most) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

enum class Mood { kPlain, kGood, kBad };

struct Field {
  std::string label;
  std::string value;
  Mood mood = Mood::kPlain;
};

/// One thing in full: a line a field, values aligned and never cut. Fields without a value are left out.
std::string render_fields(const std::vector<Field>& fields, const Look& look);

}  // namespace sse::ctl
