#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct redisReply;

namespace sse::cluster {

/// An answer of Redis as a value.
struct RedisReply {
  enum class Kind : unsigned char { kNil, kText, kInteger, kList, kError };

  Kind kind = Kind::kNil;
  std::string text;  ///< kText, also a status such as OK; kError: what went wrong
  std::int64_t integer = 0;
  std::vector<RedisReply> list;

  bool is_error() const { return kind == Kind::kError; }
  bool is_nil() const { return kind == Kind::kNil; }

  static RedisReply error(std::string sentence) { return {Kind::kError, std::move(sentence), 0, {}}; }
  static RedisReply from(const redisReply& reply);
};

/// One command: its name, then its arguments.
using RedisCommand = std::vector<std::string>;

/// Appends the command as Redis reads it (RESP, an array of bulk strings).
void append_command(std::string& out, const RedisCommand& command);

}  // namespace sse::cluster
