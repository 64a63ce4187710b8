#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/types.h"
#include "base/clock.h"

namespace sse::ctl {

enum class TopOrder { kBacklog, kRate, kAge };

/// Computes the screen of `ssectl top`, independently of a terminal: takes successive samples of the server, derives
/// rates from them, and returns lines of text.
class TopView {
 public:
  struct Row {
    std::string id;
    std::string identity;  ///< the user, or another field that identifies the stream
    std::string channel;
    std::string address;
    std::int64_t age_millis = 0;
    std::uint64_t events = 0;
    double rate = 0;  ///< events a second since the previous sample
    std::uint64_t backlog = 0;
    std::int64_t unsent_millis = -1;  ///< age of the oldest unsent event; -1: none
    std::int64_t idle_millis = 0;     ///< time since the last write
    std::uint64_t drops = 0;
  };

  /// Adds a sample: the responses of `status` and `connections` at `now`.
  void update(const api::Json& status, const api::Json& connections, SteadyTime now);

  void sort_by(TopOrder order);
  TopOrder order() const { return order_; }
  /// Shows only rows that contain this text, ignoring case; empty: all rows.
  void filter(std::string text);
  const std::string& filter() const { return filter_; }
  /// Moves the selection by this number of rows.
  void move(std::ptrdiff_t by);
  /// The selected row; null if there is none. The selection follows its stream when rows are reordered.
  const Row* selected() const;

  /// Sets the text of the bottom line; empty: the list of keys.
  void set_message(std::string sentence) { message_ = std::move(sentence); }

  /// At most `rows` lines of at most `columns` cells.
  std::vector<std::string> draw(std::size_t rows, std::size_t columns, bool colour);

 private:
  struct Totals {
    double deliveries = 0;
    double bytes = 0;
    double drops = 0;
    std::int64_t cpu_micros = 0;
  };

  void arrange();
  std::vector<std::string> header(std::size_t columns, bool colour) const;
  std::string bottom_line() const;

  TopOrder order_ = TopOrder::kBacklog;
  std::string filter_;
  std::string message_;
  api::Json status_ = api::Json::object();
  std::uint64_t open_ = 0;  // matching streams on the server
  std::vector<Row> rows_;   // in the server's order
  std::vector<Row> shown_;  // filtered and sorted
  std::string selected_;    // id
  std::size_t selected_at_ = 0;
  std::size_t first_ = 0;  // row at the top of the screen
  std::map<std::string, std::uint64_t> events_before_;
  Totals before_;
  Totals rates_;
  SteadyTime read_{};
  bool read_once_ = false;
};

/// Merges a server's status with the figures of all nodes of its cluster. `nodes` is the response to list_nodes().
api::Json status_of_cluster(api::Json status, const api::Json& nodes);

}  // namespace sse::ctl
