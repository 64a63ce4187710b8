#pragma once

#include <SQLiteCpp/Statement.h>

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "event/target.h"

namespace sse::store {

/// Borrows a prepared statement for one use: bind in the order of the parameters, step, read. Resets it at the end,
/// because an unfinished statement keeps its transaction open.
class BoundStatement {
 public:
  explicit BoundStatement(SQLite::Statement& statement) : statement_(statement) {}
  ~BoundStatement() { statement_.tryReset(); }
  BoundStatement(const BoundStatement&) = delete;
  BoundStatement& operator=(const BoundStatement&) = delete;

  /// Strings are not copied: they must outlive this object.
  BoundStatement& text(const std::string& value) {
    statement_.bindNoCopy(++bound_, value);
    return *this;
  }
  BoundStatement& blob(const std::string& value) {
    statement_.bindNoCopy(++bound_, value.data(), static_cast<int>(value.size()));
    return *this;
  }
  BoundStatement& integer(std::int64_t value) {
    statement_.bind(++bound_, value);
    return *this;
  }
  BoundStatement& id(MessageId value) { return integer(static_cast<std::int64_t>(value.value())); }
  BoundStatement& kind(event::TargetKind value) { return integer(static_cast<std::int64_t>(value)); }

  /// True while there is a row to read.
  bool step() { return statement_.executeStep(); }
  /// Runs a statement without rows and returns how many rows it changed.
  std::uint64_t run() { return static_cast<std::uint64_t>(statement_.exec()); }

  std::int64_t integer_at(int column) const { return statement_.getColumn(column).getInt64(); }
  std::uint64_t count_at(int column) const { return static_cast<std::uint64_t>(integer_at(column)); }
  MessageId id_at(int column) const { return MessageId(count_at(column)); }
  event::TargetKind kind_at(int column) const { return static_cast<event::TargetKind>(integer_at(column)); }
  std::string text_at(int column) const { return statement_.getColumn(column).getString(); }

 private:
  SQLite::Statement& statement_;
  int bound_ = 0;
};

}  // namespace sse::store
