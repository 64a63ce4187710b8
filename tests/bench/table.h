#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sse::bench {

/// What a row must reach to be good enough.
struct Bar {
  enum class Of : unsigned char { kRatio, kValue };
  Of of = Of::kRatio;  ///< of ours to the reference, or ours alone
  bool at_least = true;
  double limit = 0;

  static Bar ratio_at_least(double limit) { return {Of::kRatio, true, limit}; }
  static Bar ratio_at_most(double limit) { return {Of::kRatio, false, limit}; }
  static Bar at_most(double limit) { return {Of::kValue, false, limit}; }
};

struct Row {
  std::string section;
  std::string what;
  std::string unit;
  double ours = 0;
  double reference = 0;        ///< 0: there is none
  std::string reference_name;  ///< empty: there is none
  std::optional<Bar> bar;

  double ratio() const { return reference == 0 ? 0 : ours / reference; }
  /// `ok`, `missed by 12 %` or, without a bar, nothing.
  std::string verdict() const;
  std::string text() const;
  nlohmann::ordered_json json() const;
};

/// Prints each row as it comes.
class Table {
 public:
  Table();
  void add(Row row);
  /// A sentence instead of figures, such as why a section was left out.
  void note(const std::string& sentence);
  nlohmann::ordered_json json() const;
  /// How many bars were missed, of how many.
  std::string summary() const;

 private:
  std::vector<Row> rows_;
  std::vector<std::string> notes_;
};

}  // namespace sse::bench
