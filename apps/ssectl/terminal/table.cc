#include "ssectl/terminal/table.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "ssectl/terminal/width.h"

namespace sse::ctl {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;
constexpr std::size_t kMinColumns = 2;
constexpr std::size_t kWidestCell = 4096;
constexpr std::size_t kWidestLabel = 60;
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kGreen = "\x1b[32m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kReset = "\x1b[0m";

std::string paint(const std::string& text, std::string_view colour, const TableStyle& style) {
  if (!style.colour || colour.empty()) return text;
  return std::string(colour) + text + std::string(kReset);
}

std::string_view colour_of(CellStyle cell_style) {
  if (cell_style == CellStyle::kGood) return kGreen;
  return cell_style == CellStyle::kBad ? kRed : std::string_view();
}

}  // namespace

Column right_aligned(std::string title) {
  return {std::move(title), true, false};
}

Column shrinking(std::string title) {
  return {std::move(title), false, true};
}

void Table::add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell, kWidestCell);
  rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::size_t max_line) const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  // What does not fit with all columns as narrow as they may be.
  const auto narrowest = [&] {
    std::size_t line = kGap * (widths.size() - 1);
    for (std::size_t i = 0; i < widths.size(); ++i)
      line += columns_[i].shrinks ? std::min(widths[i], kNarrowest) : widths[i];
    return line;
  };
  while (widths.size() > kMinColumns && narrowest() > max_line) widths.pop_back();
  std::size_t line = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (line > max_line) {
    std::size_t* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (columns_[i].shrinks && widths[i] > kNarrowest && (widest == nullptr || widths[i] > *widest)) {
        widest = &widths[i];
      }
    }
    if (widest == nullptr) break;
    --*widest;
    --line;
  }
  return widths;
}

std::string Table::render(const TableStyle& style) const {
  const std::vector<std::size_t> width =
      widths(style.width == 0 ? std::numeric_limits<std::size_t>::max() : style.width);
  const auto line = [&](const auto& cell_of) {
    std::string text;
    for (std::size_t i = 0; i < width.size(); ++i) {
      const std::string cell = fit(cell_of(i), width[i]);
      const std::string pad(width[i] - std::min(width[i], display_width(cell)), ' ');
      const bool last = i + 1 == width.size();
      text += columns_[i].right ? pad + cell : cell + (last ? "" : pad);
      if (!last) text += std::string(kGap, ' ');
    }
    return text;
  };
  std::string text = paint(line([&](std::size_t i) { return columns_[i].title; }), kBold, style) + '\n';
  for (const auto& row : rows_) text += line([&](std::size_t i) { return row[i]; }) + '\n';
  return text;
}

std::string render_fields(const std::vector<Field>& fields, const TableStyle& style) {
  std::size_t widest = 0;
  // Labels may contain names chosen by clients.
  std::vector<std::string> labels;
  for (const Field& field : fields) {
    labels.push_back(printable(field.label, kWidestLabel));
    if (!field.value.empty()) widest = std::max(widest, display_width(labels.back()));
  }
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const Field& field = fields[i];
    if (field.value.empty()) continue;
    const std::string pad(widest - display_width(labels[i]) + kGap, ' ');
    text += paint(labels[i], kBold, style) + pad;
    text += paint(printable(field.value, kWidestCell), colour_of(field.cell_style), style) + '\n';
  }
  return text;
}

}  // namespace sse::ctl
