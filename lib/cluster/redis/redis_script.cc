#include "cluster/redis/redis_script.h"

#include <openssl/evp.h>

#include <array>
#include <span>
#include <utility>

#include "base/hex.h"

namespace sse::cluster {
namespace {

// The SHA-1 digest by which Redis identifies a script. Empty if OpenSSL on this system does not support SHA-1.
std::string digest_of(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) return "";
  return to_hex(std::span(digest).first(size));
}

bool is_unknown(const RedisReply& reply) {
  return reply.is_error() && reply.text.starts_with("NOSCRIPT");
}

}  // namespace

RedisScript::RedisScript(std::string text) : text_(std::move(text)), digest_(digest_of(text_)) {}

RedisCommand RedisScript::command(bool by_digest, const std::vector<std::string>& keys,
                                  const std::vector<std::string>& arguments) const {
  RedisCommand command;
  command.reserve(3 + keys.size() + arguments.size());
  command.emplace_back(by_digest ? "EVALSHA" : "EVAL");
  command.push_back(by_digest ? digest_ : text_);
  command.push_back(std::to_string(keys.size()));
  command.insert(command.end(), keys.begin(), keys.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

RedisReply RedisScript::run(RedisLink& link, const std::vector<std::string>& keys,
                            const std::vector<std::string>& arguments) const {
  RedisReply reply = link.execute_unchecked(command(!digest_.empty(), keys, arguments));
  if (is_unknown(reply)) reply = link.execute_unchecked(command(false, keys, arguments));
  if (reply.is_error()) throw error_in(reply);
  return reply;
}

void RedisScript::run_async(RedisLink& link, std::vector<std::string> keys, std::vector<std::string> arguments,
                            RedisLink::Done done) const {
  const RedisCommand first = command(!digest_.empty(), keys, arguments);
  link.call(first, [this, &link, keys = std::move(keys), arguments = std::move(arguments),
                    done = std::move(done)](RedisReply reply) {
    if (is_unknown(reply)) {
      link.call(command(false, keys, arguments), done);
    } else if (done) {
      done(std::move(reply));
    }
  });
}

}  // namespace sse::cluster
