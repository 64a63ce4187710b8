#include "cluster/mesh/mesh_message.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "cluster/core/typed_json.h"
#include "cluster/core/wire_version.h"

namespace sse::cluster {
namespace {

using event::Json;

// For names, a secret and the hello; topics, commands and replies are extra.
constexpr std::size_t kMaxLine = std::size_t{256} << 10;
// More than fit into the 4 MiB that a node posts at once.
constexpr std::size_t kMaxItems = 500'000;
constexpr std::uint64_t kMaxHold = 600'000;  // milliseconds

[[noreturn]] void bad() {
  throw Error(ErrorCode::kInvalidArgument, "a message of another node is invalid; do all nodes run the same version?");
}

// Parses "<number> <number> …
// " and the bytes whose sizes the numbers are.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  char letter() {
    if (rest_.size() < 2) bad();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }
  std::uint64_t number() {
    if (rest_.empty() || rest_.front() != ' ') bad();
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(rest_.data() + 1, rest_.data() + rest_.size(), value);
    if (error != std::errc{}) bad();
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return value;
  }
  // Skips further numbers, which this version does not know.
  void line_end() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos || (end != 0 && rest_.front() != ' ')) bad();
    rest_.remove_prefix(end + 1);
  }
  std::string bytes(std::uint64_t size) {
    if (size > rest_.size()) bad();
    std::string taken(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return taken;
  }

 private:
  std::string_view rest_;
};

void put(std::string& out, char letter, std::initializer_list<std::uint64_t> numbers) {
  out += letter;
  for (const std::uint64_t number : numbers) out += ' ' + std::to_string(number);
  out += '\n';
}

}  // namespace

std::string encode(const MeshMessage& message) {
  Json line{{"wire", kWireVersion}, {"from", message.from}};
  if (!message.address.empty()) line["address"] = message.address;
  if (!message.secret.empty()) line["secret"] = message.secret;
  if (!message.hello.is_null()) line["hello"] = message.hello;
  if (!message.session.empty()) line["session"] = message.session;
  if (message.number != 0) line["number"] = message.number;
  if (message.hold.count() > 0) line["hold"] = static_cast<std::uint64_t>(message.hold.count());
  if (message.stopping) line["bye"] = true;
  if (message.reset) line["reset"] = true;
  if (message.complete) line["complete"] = true;
  if (message.resync) line["resync"] = true;
  std::string out = event::dump_json(line) + '\n';
  for (const MeshMessage::Topic& topic : message.topics) {
    put(out, topic.wanted ? '+' : '-', {topic.name.size()});
    out += topic.name;
  }
  for (const std::uint64_t number : message.excused) put(out, 'x', {number});
  for (const MeshMessage::Command& command : message.commands) {
    put(out, 'c', {command.number, command.topic.size(), command.bytes.size()});
    out += command.topic;
    out += command.bytes;
  }
  for (const MeshMessage::Answer& answer : message.answers) {
    put(out, 'a', {answer.number, answer.bytes.size()});
    out += answer.bytes;
  }
  return out;
}

MeshMessage decode_mesh_message(std::string_view bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == std::string_view::npos || end > kMaxLine) bad();
  const Json line = event::parse_json(bytes.substr(0, end), "a message of another node");
  if (!line.is_object()) bad();
  MeshMessage message;
  message.from = event::string_field(line, "from");
  require_wire(count_in(line, "wire", kUnstatedWireVersion), message.from);
  message.address = event::string_field(line, "address");
  message.secret = event::string_field(line, "secret");
  if (const auto hello = line.find("hello"); hello != line.end()) message.hello = *hello;
  message.session = event::string_field(line, "session");
  message.number = count_in(line, "number");
  message.hold = std::chrono::milliseconds(std::min(count_in(line, "hold"), kMaxHold));
  message.stopping = event::bool_field(line, "bye");
  message.reset = event::bool_field(line, "reset");
  message.complete = event::bool_field(line, "complete");
  message.resync = event::bool_field(line, "resync");
  Cursor cursor(bytes.substr(end + 1));
  for (std::size_t items = 0; !cursor.done(); ++items) {
    if (items == kMaxItems) bad();
    const char letter = cursor.letter();
    const std::uint64_t first = cursor.number();
    if (letter == '+' || letter == '-') {
      cursor.line_end();
      message.topics.push_back({letter == '+', cursor.bytes(first)});
    } else if (letter == 'x') {
      cursor.line_end();
      message.excused.push_back(first);
    } else if (letter == 'c') {
      const std::uint64_t topic = cursor.number();
      const std::uint64_t size = cursor.number();
      cursor.line_end();
      std::string name = cursor.bytes(topic);
      message.commands.push_back({first, std::move(name), cursor.bytes(size)});
    } else if (letter == 'a') {
      const std::uint64_t size = cursor.number();
      cursor.line_end();
      message.answers.push_back({first, cursor.bytes(size)});
    } else {
      bad();
    }
  }
  return message;
}

}  // namespace sse::cluster
