#include "cluster/redis_reply.h"

#include <hiredis.h>

namespace sse::cluster {

RedisReply RedisReply::from(const redisReply& reply) {
  RedisReply value;
  switch (reply.type) {
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_STRING:
      value.kind = Kind::kText;
      value.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_ERROR:
      value.kind = Kind::kError;
      value.text.assign(reply.str, reply.len);
      break;
    case REDIS_REPLY_INTEGER:
      value.kind = Kind::kInteger;
      value.integer = reply.integer;
      break;
    case REDIS_REPLY_ARRAY:
      value.kind = Kind::kList;
      value.list.reserve(reply.elements);
      for (std::size_t i = 0; i < reply.elements; ++i) value.list.push_back(from(*reply.element[i]));
      break;
    default:
      break;
  }
  return value;
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
