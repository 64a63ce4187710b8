#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cluster/core/node_list.h"
#include "event/json.h"

/// The rows of the lists that nodes reply to each other, as cluster/core/node_list.h requires them. What the
/// application says about a user, and rows of which each belongs to one node alone, are passed on unchanged.
namespace sse::admin {

/// A row that belongs to one node.
struct UnmergedRow {
  event::Json document;

  const event::Json& json() const { return document; }

 protected:
  explicit UnmergedRow(const event::Json& row);
};

struct ConnectionRow : UnmergedRow {
  std::uint64_t rate = 0;  ///< events per time that the stream has been open, for sorting only

  static ConnectionRow read(const event::Json& row) { return ConnectionRow(row); }
  void note_rate(WallTime now);
  cluster::SortKey sort_key(std::string_view column) const;

 private:
  explicit ConnectionRow(const event::Json& row) : UnmergedRow(row) {}
};

struct ClosedRow : UnmergedRow {
  static ClosedRow read(const event::Json& row) { return ClosedRow(row); }
  cluster::SortKey sort_key(std::string_view column) const;

 private:
  explicit ClosedRow(const event::Json& row) : UnmergedRow(row) {}
};

struct MessageRow : UnmergedRow {
  static MessageRow read(const event::Json& row) { return MessageRow(row); }
  cluster::SortKey sort_key(std::string_view column) const;

 private:
  explicit MessageRow(const event::Json& row) : UnmergedRow(row) {}
};

struct DeadRow : UnmergedRow {
  static DeadRow read(const event::Json& row) { return DeadRow(row); }
  cluster::SortKey sort_key(std::string_view column) const;

 private:
  explicit DeadRow(const event::Json& row) : UnmergedRow(row) {}
};

/// A user with the connections of one node, or of several.
struct UserRow {
  std::string id;
  event::Json name;     ///< of the application, as `profile`: those of the newest connection
  event::Json profile;  ///< `user` in JSON
  std::uint64_t connections = 0;
  std::vector<std::string> tenants, channels;
  std::int64_t first_connect = 0, last_connect = 0;
  std::optional<std::int64_t> last_request;
  std::int64_t session_duration = 0;

  static UserRow read(const event::Json& row);
  event::Json json() const;
  const std::string& key() const { return id; }
  void merge(UserRow&& other);
  cluster::SortKey sort_key(std::string_view column) const;
};

struct UserIdRow {
  std::string id;

  static UserIdRow read(const event::Json& row);
  event::Json json() const { return id; }
  const std::string& key() const { return id; }
  void merge(UserIdRow&& /*other*/) {}
  cluster::SortKey sort_key(std::string_view /*column*/) const { return id; }
};

/// A tenant, channel or token. Tokens are masked, so that two of them may look the same: hashes, with a key that is new
/// for each request, identify equal tokens and users across nodes.
struct NameRow {
  std::string name;
  std::string hash;  ///< empty: the name identifies it
  std::uint64_t connections = 0;
  std::uint64_t users = 0;
  std::set<std::string> user_hashes;
  std::int64_t first_connect = 0, last_connect = 0;

  static NameRow read(const event::Json& row);
  event::Json json() const;
  const std::string& key() const { return hash.empty() ? name : hash; }
  void merge(NameRow&& other);
  cluster::SortKey sort_key(std::string_view column) const;

 private:
  std::uint64_t user_count() const { return user_hashes.empty() ? users : user_hashes.size(); }
};

/// Appends what is not in the list yet. A message may have as many rows as recipients: looks each up in a set.
template <class T>
void add_new(std::vector<T>& list, std::vector<T>&& more) {
  const auto less = [](const T* a, const T* b) { return *a < *b; };
  std::set<const T*, decltype(less)> known(less);
  list.reserve(list.size() + more.size());  // pointers into it stay valid
  for (const T& one : list) known.insert(&one);
  for (T& one : more) {
    if (known.contains(&one)) continue;
    list.push_back(std::move(one));
    known.insert(&list.back());
  }
}

}  // namespace sse::admin
