#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sse::ctl {

/// How tables and fields are printed.
struct TableStyle {
  bool colour = false;
  std::size_t width = 0;  ///< cells of a line; 0: unlimited
};

struct Column {
  std::string title;
  bool right = false;
  bool shrinks = false;
};

/// A column whose cells are aligned right, as numbers are.
Column right_aligned(std::string title);
/// A column whose cells may be cut if the line is too wide.
Column shrinking(std::string title);

/// Rows under aligned columns, for the terminal. Cells are made printable; an empty cell is shown as `-`.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Adds a row. REQUIRES: as many cells as columns.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// A heading and one line per row. Columns that shrink are narrowed, the widest first, until the line fits or they
  /// are 8 cells wide; then the last columns are left out until it fits, except the first two.
  std::string render(const TableStyle& style) const;

 private:
  /// Of the columns that are shown.
  std::vector<std::size_t> widths(std::size_t max_line) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

enum class CellStyle { kPlain, kGood, kBad };

struct Field {
  std::string label;
  std::string value;
  CellStyle cell_style = CellStyle::kPlain;
};

/// Prints one object in full: one line per field, values aligned and never cut. Fields without a value are omitted.
std::string render_fields(const std::vector<Field>& fields, const TableStyle& style);

}  // namespace sse::ctl
