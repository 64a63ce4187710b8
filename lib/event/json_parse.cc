#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "event/json.h"
#include "event/json_nodes.h"

namespace sse::event {
namespace {

constexpr std::size_t kMaxDepth = 64;

}  // namespace

/// Builds a Json from the events of nlohmann's SAX parser, https://json.nlohmann.me/features/parsing/sax_interface/.
/// Returning false ends the parsing.
class JsonBuilder {
 public:
  bool null() { return put(Json()); }
  bool boolean(bool value) { return put(Json(value)); }
  bool number_integer(std::int64_t value) { return put(Json(value)); }
  bool number_unsigned(std::uint64_t value) { return put(Json(value)); }
  bool number_float(double value, const std::string&) { return put(Json(value)); }
  bool string(std::string& value) { return put(Json(std::move(value))); }
  bool binary(std::vector<std::uint8_t>&) { return false; }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool key(std::string& name) {
    name_ = std::move(name);
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& problem) {
    std::string_view reason = problem.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …", or, for 1e999,
    // "[json.exception.out_of_range.406] number overflow parsing '1e999'": only the tail is for people.
    if (const std::size_t cut = reason.find("] "); cut != std::string_view::npos) reason.remove_prefix(cut + 2);
    if (reason.starts_with("parse error at ")) reason.remove_prefix(12);
    problem_ = "is not valid JSON: " + printable(reason);
    return false;
  }

  Json take() { return std::move(root_); }
  /// Why parsing failed: "is not valid JSON: at line 1, column 2: …".
  const std::string& problem() const { return problem_; }

 private:
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (open_.size() == kMaxDepth) {
      problem_ = "is nested deeper than " + std::to_string(kMaxDepth) + " levels";
      return false;
    }
    open_.push_back(&place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  // A parent does not grow while a child is open, so that pointers to children stay valid.
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_object())
      return parent.value_.object->members.insert_or_assign(name_, std::move(value)).first->second;
    return parent.value_.array->elements.emplace_back(std::move(value));
  }

  Json root_;
  std::vector<Json*> open_;
  std::string name_;
  std::string problem_;
};

namespace {

// Returns true when `text` is valid JSON; `builder` then holds the document.
bool build(std::string_view text, JsonBuilder& builder) {
  return nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what) {
  JsonBuilder builder;
  if (!build(text, builder)) throw Error(ErrorCode::kInvalidArgument, std::string(what) + ' ' + builder.problem());
  return builder.take();
}

Json parse_json_or_null(std::string_view text) {
  JsonBuilder builder;
  return build(text, builder) ? builder.take() : Json();
}

Json Json::parse(std::string_view text) {
  return parse_json(text, "the text");
}

}  // namespace sse::event
