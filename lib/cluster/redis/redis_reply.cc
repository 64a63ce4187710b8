#include "cluster/redis/redis_reply.h"

#include <hiredis.h>

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

#include "base/units.h"

namespace sse::cluster {

// The state that hiredis' callbacks share. They build RedisReply values directly instead of hiredis' own tree, so that
// nothing is copied twice.
struct RedisReader::Impl {
  struct Free {
    void operator()(redisReader* done) const { redisReaderFree(done); }
  };

  explicit Impl(Limits at_most);

  const Limits limits;
  std::size_t bytes = 0;     // of the current reply
  std::size_t elements = 0;  // of the current reply
  // Set by the callbacks, which must not build the text themselves: that could throw.
  enum class Refused : unsigned char { kNothing, kElements, kDepth } refused = Refused::kNothing;
  std::string problem;
  std::unique_ptr<redisReader, Free> reader;  // last member: freed first, its callbacks use the others
};

namespace {

using Impl = RedisReader::Impl;

int depth_of(const redisReadTask* task) {
  int depth = 0;
  for (const redisReadTask* above = task->parent; above != nullptr; above = above->parent) ++depth;
  return depth;
}

// Runs `fill` on the reply element that `task` describes. Returns null on failure: hiredis then stops as if out of
// memory. Must not throw, because the caller is C.
template <class Fill>
void* make(const redisReadTask* task, Fill fill) noexcept {
  auto& impl = *static_cast<Impl*>(task->privdata);
  try {
    if (task->parent == nullptr) {
      auto root = std::make_unique<RedisReply>();
      fill(*root);
      return root.release();  // free_root() takes it
    }
    if (++impl.elements > impl.limits.elements) {
      impl.refused = Impl::Refused::kElements;
      return nullptr;
    }
    // Grows with the received elements, never to an announced count. Only the last element of a list has pointers into
    // it.
    std::vector<RedisReply>& list = static_cast<RedisReply*>(task->parent->obj)->list;
    RedisReply& reply = list.emplace_back();
    fill(reply);
    return &reply;
  } catch (const std::exception&) {
    return nullptr;
  }
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  return make(task, [&](RedisReply& reply) {
    reply.kind = task->type == REDIS_REPLY_ERROR ? RedisReply::Kind::kError : RedisReply::Kind::kText;
    reply.text.assign(text, size);
  });
}

// `Size` is int or std::size_t, depending on the version of hiredis.
template <class Size>
void* make_list(const redisReadTask* task, Size size) {
  auto& impl = *static_cast<Impl*>(task->privdata);
  if (depth_of(task) >= RedisReader::kMaxDepth) {
    impl.refused = Impl::Refused::kDepth;
    return nullptr;
  }
  if (static_cast<std::uint64_t>(size) > impl.limits.elements - std::min(impl.elements, impl.limits.elements)) {
    impl.refused = Impl::Refused::kElements;
    return nullptr;
  }
  return make(task, [](RedisReply& reply) { reply.kind = RedisReply::Kind::kList; });
}

void* make_integer(const redisReadTask* task, long long value) {
  return make(task, [&](RedisReply& reply) {
    reply.kind = RedisReply::Kind::kInteger;
    reply.integer = value;
  });
}

void* make_nil(const redisReadTask* task) {
  return make(task, [](RedisReply&) {});
}

void free_root(void* reply) {
  delete static_cast<RedisReply*>(reply);  // NOLINT(cppcoreguidelines-owning-memory)
}

// The types that RESP3 adds. Without a callback of its own hiredis returns the type's number as a pointer.
template <class Functions>
void add_resp3(Functions& made) {
  if constexpr (requires { made.createDouble; }) {
    made.createDouble = [](const redisReadTask* task, double, char* text, std::size_t size) -> void* {
      return make(task, [&](RedisReply& reply) {
        reply.kind = RedisReply::Kind::kText;
        reply.text.assign(text, size);
      });
    };
    made.createBool = [](const redisReadTask* task, int value) -> void* { return make_integer(task, value); };
  }
}

redisReplyObjectFunctions* functions() {
  static redisReplyObjectFunctions all = [] {
    redisReplyObjectFunctions made{};
    made.createString = make_text;
    made.createArray = make_list;
    made.createInteger = make_integer;
    made.createNil = make_nil;
    made.freeObject = free_root;
    add_resp3(made);
    return made;
  }();
  return &all;
}

}  // namespace

RedisReader::Impl::Impl(Limits at_most) : limits(at_most), reader(redisReaderCreateWithFunctions(functions())) {
  if (reader == nullptr) throw std::bad_alloc();
  reader->privdata = this;
}

RedisReader::RedisReader(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
RedisReader::~RedisReader() = default;

void RedisReader::reset() {
  impl_ = std::make_unique<Impl>(impl_->limits);
}

const std::string& RedisReader::problem() const {
  return impl_->problem;
}

bool RedisReader::feed(const char* bytes, std::size_t size, std::vector<RedisReply>& replies) {
  Impl& impl = *impl_;
  const auto fail = [&impl] {
    if (impl.refused == Impl::Refused::kElements) {
      impl.problem = "sent a reply of more than " + std::to_string(impl.limits.elements) + " elements";
    } else if (impl.refused == Impl::Refused::kDepth) {
      impl.problem = "sent nested lists, more than " + std::to_string(kMaxDepth) + " deep";
    } else {
      impl.problem =
          impl.reader->err == REDIS_ERR_OOM ? "sent a reply too large for memory" : "sent bytes that are not RESP";
    }
    return false;
  };
  if (!impl.problem.empty()) return false;
  if (redisReaderFeed(impl.reader.get(), bytes, size) != REDIS_OK) return fail();
  impl.bytes += size;
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(impl.reader.get(), &reply) != REDIS_OK) return fail();
    if (reply == nullptr) break;
    const std::unique_ptr<RedisReply> owned(static_cast<RedisReply*>(reply));
    replies.push_back(std::move(*owned));
    impl.elements = 0;
    // The remaining bytes belong to the next reply.
    impl.bytes = impl.reader->len - impl.reader->pos;
  }
  if (impl.bytes <= impl.limits.bytes) return true;
  impl.problem = "sent a reply of more than " + format_bytes(ByteCount(impl.limits.bytes));
  return false;
}

void append_command(std::string& out, const RedisCommand& command) {
  out += '*' + std::to_string(command.size()) + "\r\n";
  for (const std::string& argument : command) {
    out += '$' + std::to_string(argument.size()) + "\r\n";
    out += argument;
    out += "\r\n";
  }
}

}  // namespace sse::cluster
