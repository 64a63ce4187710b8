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

/// What `top` shows, without a terminal: two readings of the server make rates, lines come out.
class TopView {
 public:
  struct Row {
    std::string id;
    std::string who;  ///< `user`, or whatever else tells it apart
    std::string channel;
    std::string address;
    std::int64_t age_millis = 0;
    std::uint64_t events = 0;
    double rate = 0;  ///< events a second since the reading before
    std::uint64_t owed = 0;
    std::int64_t unsent_millis = -1;  ///< age of the oldest event not sent; -1: none
    std::int64_t idle_millis = 0;     ///< since the last write
    std::uint64_t drops = 0;
  };

  /// A reading: the answers of `status` and `connections` taken at `now`.
  void update(const api::Json& status, const api::Json& connections, SteadyTime now);

  void sort_by(TopOrder order);
  TopOrder order() const { return order_; }
  /// Only rows in which this text occurs, whatever its case; empty: all.
  void filter(std::string text);
  const std::string& filter() const { return filter_; }
  /// Moves the selection by so many rows.
  void move(std::ptrdiff_t by);
  /// The selected row; null when there is none. It stays on its stream when rows move.
  const Row* selected() const;

  /// What goes at the bottom instead of the keys; empty: the keys.
  void say(std::string sentence) { sentence_ = std::move(sentence); }

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

  TopOrder order_ = TopOrder::kBacklog;
  std::string filter_;
  std::string sentence_;
  api::Json status_ = api::Json::object();
  std::uint64_t open_ = 0;  // streams that match on the server
  std::vector<Row> rows_;   // as read
  std::vector<Row> shown_;  // filtered, sorted
  std::string selected_;    // id
  std::size_t selected_at_ = 0;
  std::size_t first_ = 0;  // row at the top of the screen
  std::map<std::string, std::uint64_t> events_before_;
  Totals before_;
  Totals rates_;
  SteadyTime read_{};
  bool read_once_ = false;
};

/// What a server's status would say if all nodes of its cluster were one: `nodes` is the answer to list_nodes().
api::Json status_of_cluster(api::Json status, const api::Json& nodes);

}  // namespace sse::ctl
