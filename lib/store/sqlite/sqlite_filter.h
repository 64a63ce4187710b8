#pragma once

#include <string>

#include "store/message_repository.h"
#include "store/sqlite/sqlite_statement.h"

namespace sse::store {

/// The SQL conditions of a MessageFilter, and the binding of their values in the same order.
class Conditions {
 public:
  struct Columns {
    const char* service;
    const char* kind;
    const char* recipient;
    const char* event;
    const char* id;
  };
  static constexpr Columns kPending{"r.service", "r.kind", "r.name", "m.event", "m.id"};
  static constexpr Columns kDead{"service", "kind", "recipient", "event", "message"};

  /// `filter` must outlive this and the BoundStatement it is bound to.
  explicit Conditions(const MessageFilter& filter, const Columns& columns = kPending) : filter_(filter) {
    if (!filter.service.empty()) add(columns.service);
    if (filter.kind) add(columns.kind);
    if (!filter.recipient.empty()) add(columns.recipient);
    if (!filter.event.empty()) add(columns.event);
    if (filter.after.valid()) add(columns.id, " > ?");
    if (filter.message.valid()) add(columns.id);
  }

  /// " WHERE …", or nothing.
  const std::string& sql() const { return sql_; }
  /// " AND …", or nothing.
  std::string further() const { return sql_.empty() ? "" : " AND " + sql_.substr(7); }
  void bind(BoundStatement& use) const {
    if (!filter_.service.empty()) use.text(filter_.service.str());
    if (filter_.kind) use.kind(*filter_.kind);
    if (!filter_.recipient.empty()) use.text(filter_.recipient);
    if (!filter_.event.empty()) use.text(filter_.event);
    if (filter_.after.valid()) use.id(filter_.after);
    if (filter_.message.valid()) use.id(filter_.message);
  }

 private:
  void add(const char* column, const char* is = " = ?") {
    sql_ += (sql_.empty() ? " WHERE " : " AND ") + std::string(column) + is;
  }

  const MessageFilter& filter_;
  std::string sql_;
};

}  // namespace sse::store
