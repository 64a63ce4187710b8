#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
};

/// One command: its name, then its arguments.
using RedisCommand = std::vector<std::string>;

/// Appends the command as Redis reads it (RESP, an array of bulk strings).
void append_command(std::string& out, const RedisCommand& command);

/// Reads what Redis says, with hiredis' parser. Redis is not trusted: memory is taken for what has arrived, never for
/// what was announced, and no exception crosses the parser, which is C. One thread at a time.
class RedisReader {
 public:
  /// What one reply may be at most.
  struct Limits {
    std::size_t bytes = std::size_t{256} << 20;  ///< as it arrives
    std::size_t elements = 2'000'000;            ///< of all lists in it together
  };
  /// Lists in lists; no command used here is answered with more than two.
  static constexpr int kMaxDepth = 5;

  RedisReader() : RedisReader(Limits{}) {}
  explicit RedisReader(Limits limits);
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  /// Forgets an incomplete reply: for a new connection.
  void reset();
  /// Appends the complete replies in `bytes`; false for something that is not Redis or is over a limit. After that only
  /// reset() helps.
  bool feed(const char* bytes, std::size_t size, std::vector<RedisReply>& replies);
  /// Why feed() was false, to be put behind "it "; empty otherwise.
  const std::string& problem() const;

  struct Impl;  ///< of the source alone

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::cluster
