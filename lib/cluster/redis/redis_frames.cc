#include "cluster/redis/redis_frames.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cluster/core/wire_version.h"

namespace sse::cluster {
namespace {

constexpr std::string_view kWire = "wire=";
constexpr std::string_view kNode = "node=";
constexpr std::string_view kFirst = "first=";
constexpr std::string_view kSizes = "sizes=";
constexpr std::string_view kFence = "fence=";

[[noreturn]] void refuse_frame() {
  throw Error(ErrorCode::kInvalidArgument, "a message of another node is invalid; do all nodes run the same version?");
}

// Removes one word and the blanks after it.
std::string_view next_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(word.size() + 1, line.size()));
  return word;
}

bool take_label(std::string_view& word, std::string_view name) {
  if (!word.starts_with(name)) return false;
  word.remove_prefix(name.size());
  return true;
}

std::uint64_t number_of(std::string_view word) {
  const std::optional<std::uint64_t> number = whole_number(word);
  if (!number) refuse_frame();
  return *number;
}

// Reads the first two words and returns the name of the node; `line` is the rest of the first line.
std::string_view read_begin(std::string_view& message, std::string_view& line) {
  if (!take_word(message, '\n', line)) refuse_frame();
  std::string_view word = next_word(line);
  if (!take_label(word, kWire)) {
    // A node of version 1 begins with its bus name, which is the only word with a '~'.
    if (word.find('~') != std::string_view::npos) throw WireRefusal(kUnstatedWireVersion, std::string(word));
    refuse_frame();
  }
  const std::uint64_t version = number_of(word);
  std::string_view node = next_word(line);
  if (!take_label(node, kNode) || node.empty()) refuse_frame();
  require_wire(version, std::string(node));
  return node;
}

void append_argument(std::string& out, std::initializer_list<std::string_view> pieces) {
  std::size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  out.append(1, '$').append(std::to_string(size)).append("\r\n");
  for (const std::string_view piece : pieces) out += piece;
  out += "\r\n";
}

}  // namespace

void read_frame(std::string_view message, CommandFrame& into) {
  into.commands.clear();
  into.fence.reset();
  into.first = 0;
  std::string_view line;
  into.node = read_begin(message, line);
  std::string_view sizes;
  while (!line.empty()) {
    std::string_view word = next_word(line);
    if (take_label(word, kFirst)) {
      into.first = number_of(word);
    } else if (take_label(word, kSizes)) {
      sizes = word;
    } else if (take_label(word, kFence)) {
      into.fence = number_of(word);
    }
  }
  while (!sizes.empty()) {
    const std::string_view word = sizes.substr(0, sizes.find(','));
    sizes.remove_prefix(std::min(word.size() + 1, sizes.size()));
    const std::uint64_t size = number_of(word);
    if (size > message.size()) refuse_frame();
    into.commands.push_back(message.substr(0, size));
    message.remove_prefix(size);
  }
  if (!into.commands.empty() && !message.empty()) refuse_frame();
}

ReplyFrame read_reply_frame(std::string_view message) {
  ReplyFrame frame;
  std::string_view line;
  frame.node = read_begin(message, line);
  while (!message.empty()) {
    if (!take_word(message, '\n', line)) refuse_frame();
    ReplyFrame::Reply reply;
    reply.number = number_of(next_word(line));
    const std::uint64_t size = number_of(next_word(line));
    if (size > message.size()) refuse_frame();
    reply.bytes = message.substr(0, size);
    message.remove_prefix(size);
    frame.replies.push_back(reply);
  }
  return frame;
}

std::string frame_begin(const std::string& node) {
  return std::string(kWire) + std::to_string(kWireVersion) + ' ' + std::string(kNode) + node;
}

std::string commands_head(std::uint64_t first, std::string_view sizes) {
  std::string head;
  head.append(1, ' ').append(kFirst).append(std::to_string(first)).append(1, ' ').append(kSizes).append(sizes);
  return head.append(1, '\n');
}

std::string fence_head(std::uint64_t number) {
  return std::string(1, ' ').append(kFence).append(std::to_string(number)).append(1, '\n');
}

void append_reply(std::string& message, std::uint64_t number, std::string_view bytes) {
  message.append(std::to_string(number)).append(1, ' ').append(std::to_string(bytes.size())).append(1, '\n');
  message.append(bytes);
}

void append_publish(std::string& out, std::initializer_list<std::string_view> channel,
                    std::initializer_list<std::string_view> message) {
  out += "*3\r\n$7\r\nPUBLISH\r\n";
  append_argument(out, channel);
  append_argument(out, message);
}

}  // namespace sse::cluster
