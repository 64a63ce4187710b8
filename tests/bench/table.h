#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sse::bench {

/// The target that a row must reach.
struct Bar {
  enum class Of : unsigned char { kRatio, kValue };
  Of of = Of::kRatio;  ///< the ratio of our value to the reference, or our value alone
  bool at_least = true;
  double limit = 0;

  static Bar ratio_at_least(double limit) { return {Of::kRatio, true, limit}; }
  static Bar ratio_at_most(double limit) { return {Of::kRatio, false, limit}; }
  static Bar at_most(double limit) { return {Of::kValue, false, limit}; }
};

/// One measured figure, with its reference and target.
struct Row {
  std::string section;
  std::string what;
  std::string unit;
  double ours = 0;
  double reference = 0;        ///< 0: no reference
  std::string reference_name;  ///< empty: no reference
  std::optional<Bar> bar;

  double ratio() const { return reference == 0 ? 0 : ours / reference; }
  /// `ok`, `missed by 12 %`, or empty without a bar.
  std::string verdict() const;
  std::string text() const;
  nlohmann::ordered_json json() const;
};

/// Collects rows and prints each as it is added.
class Table {
 public:
  Table();
  void add(Row row);
  /// Adds a sentence instead of figures, such as why a section was omitted.
  void note(const std::string& sentence);
  nlohmann::ordered_json json() const;
  /// The number of bars that were reached, and their total.
  std::string summary() const;

 private:
  std::vector<Row> rows_;
  std::vector<std::string> notes_;
};

}  // namespace sse::bench
