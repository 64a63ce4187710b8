#include "cluster/redis_reply.h"

#include <hiredis.h>

namespace sse::cluster {
namespace {

// hiredis has its own tree of replies; made of ours instead, nothing is copied twice.

RedisReply* place(const redisReadTask* task) {
  if (task->parent == nullptr) return new RedisReply;  // NOLINT(cppcoreguidelines-owning-memory): free_root()
  return &static_cast<RedisReply*>(task->parent->obj)->list.at(static_cast<std::size_t>(task->idx));
}

void* make_text(const redisReadTask* task, char* text, std::size_t size) {
  RedisReply* reply = place(task);
  reply->kind = task->type == REDIS_REPLY_ERROR ? RedisReply::Kind::kError : RedisReply::Kind::kText;
  reply->text.assign(text, size);
  return reply;
}

// `Size` is int or std::size_t, by the version of hiredis.
template <class Size>
void* make_list(const redisReadTask* task, Size size) {
  RedisReply* reply = place(task);
  reply->kind = RedisReply::Kind::kList;
  reply->list.resize(static_cast<std::size_t>(size));
  return reply;
}

void* make_integer(const redisReadTask* task, long long value) {
  RedisReply* reply = place(task);
  reply->kind = RedisReply::Kind::kInteger;
  reply->integer = value;
  return reply;
}

void* make_nil(const redisReadTask* task) {
  return place(task);
}

void free_root(void* reply) {
  delete static_cast<RedisReply*>(reply);  // NOLINT(cppcoreguidelines-owning-memory)
}

redisReplyObjectFunctions* functions() {
  static redisReplyObjectFunctions all = [] {
    redisReplyObjectFunctions made{};
    made.createString = make_text;
    made.createArray = make_list;
    made.createInteger = make_integer;
    made.createNil = make_nil;
    made.freeObject = free_root;
    return made;
  }();
  return &all;
}

}  // namespace

struct RedisReader::Impl {
  struct Free {
    void operator()(redisReader* done) const { redisReaderFree(done); }
  };
  std::unique_ptr<redisReader, Free> reader{redisReaderCreateWithFunctions(functions())};
};

RedisReader::RedisReader() : impl_(std::make_unique<Impl>()) {}
RedisReader::~RedisReader() = default;

void RedisReader::reset() {
  impl_ = std::make_unique<Impl>();
}

bool RedisReader::feed(const char* bytes, std::size_t size, std::vector<RedisReply>& replies) {
  redisReader* reader = impl_->reader.get();
  if (reader == nullptr || redisReaderFeed(reader, bytes, size) != REDIS_OK) return false;
  for (;;) {
    void* reply = nullptr;
    if (redisReaderGetReply(reader, &reply) != REDIS_OK) return false;
    if (reply == nullptr) return true;
    const std::unique_ptr<RedisReply> owned(static_cast<RedisReply*>(reply));
    replies.push_back(std::move(*owned));
  }
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
