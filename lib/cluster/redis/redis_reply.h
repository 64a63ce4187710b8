#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sse::cluster {

/// A reply of Redis as a value.
struct RedisReply {
  enum class Kind : unsigned char { kNil, kText, kInteger, kList, kError };

  Kind kind = Kind::kNil;
  std::string text;  ///< kText, including status replies such as OK; kError: the error
  std::int64_t integer = 0;
  std::vector<RedisReply> list;

  bool is_error() const { return kind == Kind::kError; }
  bool is_nil() const { return kind == Kind::kNil; }

  static RedisReply error(std::string sentence) { return {Kind::kError, std::move(sentence), 0, {}}; }
};

/// A command: its name, then its arguments.
using RedisCommand = std::vector<std::string>;

/// Appends the command in RESP, as an array of bulk strings.
void append_command(std::string& out, const RedisCommand& command);

/// Parses RESP with hiredis' reader. Redis is not trusted: memory is allocated for received bytes, never for an
/// announced size, and no exception crosses the parser, which is C. One thread at a time.
class RedisReader {
 public:
  /// Limits of one reply.
  struct Limits {
    std::size_t bytes = std::size_t{256} << 20;  ///< received bytes
    std::size_t elements = 2'000'000;            ///< of all arrays in it together
  };
  /// Nested arrays; no command in use has replies nested deeper than two.
  static constexpr int kMaxDepth = 5;

  RedisReader() : RedisReader(Limits{}) {}
  explicit RedisReader(Limits limits);
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  /// Discards an incomplete reply, for a new connection.
  void reset();
  /// Appends the complete replies in `bytes`. Returns false if they are not RESP or exceed a limit; after that only
  /// reset() helps.
  bool feed(const char* bytes, std::size_t size, std::vector<RedisReply>& replies);
  /// Why feed() returned false, to follow "it "; empty otherwise.
  const std::string& problem() const;

  struct Impl;  ///< only in the source file

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace sse::cluster
