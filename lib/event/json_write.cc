#include <array>
#include <charconv>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "event/json.h"
#include "event/json_nodes.h"

namespace sse::event {
namespace {

template <class Number>
void write_integer(std::string& out, Number number) {
  std::array<char, 24> digits{};
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

}  // namespace

/// Appends documents to a text, see Json::dump().
class JsonWriter {
 public:
  JsonWriter(std::string& out, int indent) : out_(out), indent_(indent) {}

  void write(const Json& json, std::size_t depth = 0);

 private:
  void write_array(const Json& json, std::size_t depth);
  void write_object(const Json& json, std::size_t depth);
  void break_line(std::size_t depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(depth * static_cast<std::size_t>(indent_), ' ');
  }

  std::string& out_;
  const int indent_;
};

void JsonWriter::write(const Json& json, std::size_t depth) {
  switch (json.kind_) {
    case Json::Kind::kNull:
      out_ += "null";
      break;
    case Json::Kind::kBool:
      out_ += json.value_.boolean ? "true" : "false";
      break;
    case Json::Kind::kSigned:
      write_integer(out_, json.value_.signed_number);
      break;
    case Json::Kind::kUnsigned:
      write_integer(out_, json.value_.unsigned_number);
      break;
    case Json::Kind::kDouble:
      append_json_number(out_, json.value_.number);
      break;
    case Json::Kind::kString:
      append_json_string(out_, *json.value_.text);
      break;
    case Json::Kind::kArray:
      write_array(json, depth);
      break;
    case Json::Kind::kObject:
      write_object(json, depth);
      break;
  }
}

void JsonWriter::write_array(const Json& json, std::size_t depth) {
  out_ += '[';
  bool first = true;
  for (const Json& one : json.value_.array->elements) {
    if (!std::exchange(first, false)) out_ += ',';
    break_line(depth + 1);
    write(one, depth + 1);
  }
  if (!first) break_line(depth);
  out_ += ']';
}

void JsonWriter::write_object(const Json& json, std::size_t depth) {
  out_ += '{';
  bool first = true;
  for (const auto& [name, value] : json.value_.object->members) {
    if (!std::exchange(first, false)) out_ += ',';
    break_line(depth + 1);
    append_json_string(out_, name);
    out_ += indent_ < 0 ? ":" : ": ";
    write(value, depth + 1);
  }
  if (!first) break_line(depth);
  out_ += '}';
}

std::string Json::dump(int indent) const {
  std::string out;
  JsonWriter(out, indent).write(*this);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Json& json) {
  return out << json.dump();
}

std::string dump_json(const Json& json) {
  return json.dump();
}

std::string dump_fields(const std::vector<std::pair<std::string_view, Json>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += out.empty() ? '{' : ',';
    append_json_string(out, name);
    out += ':';
    out += value.dump();
  }
  return out + (out.empty() ? "{}" : "}");
}

}  // namespace sse::event
