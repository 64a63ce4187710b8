#include "event/json_value.h"

#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "event/json_nodes.h"

namespace sse::event {

namespace {

using Members = std::map<std::string, Json, std::less<>>;

// Converts a map iterator to the pointer it consists of, so that the header needs no <map>.
template <class Position>
void* node_from(Position position) {
  static_assert(sizeof(Position) == sizeof(void*) && std::is_trivially_copyable_v<Position>);
  return std::bit_cast<void*>(position);
}
Members::iterator position_from(void* node) {
  return std::bit_cast<Members::iterator>(node);
}

constexpr std::array<const char*, 8> kJsonKindNames{"null",     "true or false", "a number", "a number",
                                                    "a number", "a string",      "a list",   "an object"};

}  // namespace

Json::Json(Kind kind) : kind_(kind) {
  if (kind == Kind::kArray) {
    value_.array = new Array;
  } else if (kind == Kind::kObject) {
    value_.object = new Object;
  }
}

Json::Json(FromText, std::string_view text) : kind_(Kind::kString) {
  value_.text = new std::string(text);
}

Json::Json(std::string&& text) : kind_(Kind::kString) {
  value_.text = new std::string(std::move(text));
}

Json::Json(std::initializer_list<Json> list) : Json() {
  bool pairs = true;
  for (const Json& one : list) pairs = pairs && one.is_array() && one.size() == 2 && one[0U].is_string();
  *this = pairs ? object(list) : array(list);
}

Json Json::object(std::initializer_list<Json> pairs) {
  Json json = object();
  for (const Json& pair : pairs) {
    auto& elements = const_cast<Json&>(pair).value_.array->elements;
    json.value_.object->members.insert_or_assign(std::move(*elements[0].value_.text), std::move(elements[1]));
  }
  return json;
}

Json Json::array(std::initializer_list<Json> list) {
  Json json = array();
  json.value_.array->elements.reserve(list.size());
  for (const Json& one : list) json.value_.array->elements.push_back(std::move(const_cast<Json&>(one)));
  return json;
}

Json::Json(const Json& other) : kind_(Kind::kNull), value_(other.value_) {
  if (other.kind_ == Kind::kString) {
    value_.text = new std::string(*other.value_.text);
  } else if (other.kind_ == Kind::kArray) {
    value_.array = new Array(*other.value_.array);
  } else if (other.kind_ == Kind::kObject) {
    value_.object = new Object(*other.value_.object);
  }
  kind_ = other.kind_;
}

void Json::release() noexcept {
  if (kind_ == Kind::kString) {
    delete value_.text;
  } else if (kind_ == Kind::kArray) {
    delete value_.array;
  } else if (kind_ == Kind::kObject) {
    delete value_.object;
  }
  kind_ = Kind::kNull;
}

void Json::wrong_type(const char* wanted) const {
  throw Error(ErrorCode::kInvalidArgument, std::string("the JSON has ") +
                                               kJsonKindNames[static_cast<std::size_t>(kind_)] + " where " + wanted +
                                               " is expected");
}

bool Json::to_bool() const {
  if (!is_boolean()) wrong_type("true or false");
  return value_.boolean;
}

std::int64_t Json::to_signed(std::int64_t least, std::int64_t greatest) const {
  std::int64_t value = 0;
  if (kind_ == Kind::kSigned) {
    value = value_.signed_number;
  } else if (kind_ == Kind::kUnsigned && std::in_range<std::int64_t>(value_.unsigned_number)) {
    value = static_cast<std::int64_t>(value_.unsigned_number);
  } else if (kind_ == Kind::kDouble && std::abs(value_.number) < 0x1p63) {
    value = static_cast<std::int64_t>(value_.number);
  } else {
    wrong_type(is_number() ? "a smaller number" : "a number");
  }
  if (value < least || value > greatest) wrong_type("a smaller number");
  return value;
}

std::uint64_t Json::to_unsigned(std::uint64_t greatest) const {
  std::uint64_t value = 0;
  if (is_number_unsigned()) {
    value = value_.unsigned_number;
  } else if (kind_ == Kind::kDouble && value_.number > -1 && value_.number < 0x1p64) {
    value = static_cast<std::uint64_t>(value_.number);
  } else {
    wrong_type(is_number() ? "a number that fits" : "a number");
  }
  if (value > greatest) wrong_type("a smaller number");
  return value;
}

double Json::to_double() const {
  if (kind_ == Kind::kSigned) return static_cast<double>(value_.signed_number);
  if (kind_ == Kind::kUnsigned) return static_cast<double>(value_.unsigned_number);
  if (kind_ != Kind::kDouble) wrong_type("a number");
  return value_.number;
}

const std::string& Json::text() const {
  if (!is_string()) wrong_type("a string");
  return *value_.text;
}

const Json& Json::elements() const {
  if (!is_array()) wrong_type("a list");
  return *this;
}

std::size_t Json::size() const {
  if (is_array()) return value_.array->elements.size();
  if (is_object()) return value_.object->members.size();
  return is_null() ? 0 : 1;
}

const Json* Json::member(std::string_view name) const {
  if (!is_object()) wrong_type("an object");
  const auto found = value_.object->members.find(name);
  return found == value_.object->members.end() ? nullptr : &found->second;
}

Json::iterator Json::find(std::string_view name) {
  return is_object() ? iterator(node_from(value_.object->members.find(name))) : end();
}

Json::const_iterator Json::find(std::string_view name) const {
  return const_cast<Json*>(this)->find(name);
}

Json& Json::operator[](std::string_view name) {
  if (is_null()) *this = object();
  if (!is_object()) wrong_type("an object");
  auto& members = value_.object->members;
  const auto place = members.lower_bound(name);
  if (place != members.end() && place->first == name) return place->second;
  return members.emplace_hint(place, std::string(name), Json())->second;
}

const Json& Json::operator[](std::string_view name) const {
  static const Json kNone;
  const Json* const found = member(name);
  return found == nullptr ? kNone : *found;
}

const Json& Json::at(std::string_view name) const {
  const Json* const found = member(name);
  if (found == nullptr) {
    throw Error(ErrorCode::kInvalidArgument, "the JSON object has no field '" + printable(name, 60) + "'");
  }
  return *found;
}

Json& Json::at(std::string_view name) {
  return const_cast<Json&>(std::as_const(*this).at(name));
}

void Json::update(const Json& other) {
  if (is_null()) *this = object();
  if (!is_object() || !other.is_object()) (is_object() ? other : *this).wrong_type("an object");
  for (const auto& [name, value] : other.value_.object->members) value_.object->members.insert_or_assign(name, value);
}

std::size_t Json::erase(std::string_view name) {
  if (!is_object()) wrong_type("an object");
  auto& members = value_.object->members;
  const auto found = members.find(name);
  if (found == members.end()) return 0;
  members.erase(found);
  return 1;
}

Json& Json::element(std::size_t index) {
  if (!is_array()) wrong_type("a list");
  auto& elements = value_.array->elements;
  if (index >= elements.size()) {
    throw Error(ErrorCode::kInvalidArgument, "the JSON list has " + std::to_string(elements.size()) +
                                                 " elements, and number " + std::to_string(index) + " was requested");
  }
  return elements[index];
}

void Json::push_back(Json value) {
  if (is_null()) *this = array();
  if (!is_array()) wrong_type("a list");
  value_.array->elements.push_back(std::move(value));
}

Json::iterator Json::erase(const_iterator where) {
  if (is_object()) return iterator(node_from(value_.object->members.erase(position_from(where.node_))));
  const_iterator next = where;
  return erase(where, ++next);
}

Json::iterator Json::erase(const_iterator first, const_iterator last) {
  if (!is_array()) wrong_type("a list");
  auto& elements = value_.array->elements;
  const auto at = [&](const_iterator position) { return elements.begin() + (position.element_ - elements.data()); };
  const auto next = elements.erase(at(first), at(last));
  return iterator(elements.data() + (next - elements.begin()));
}

Json::iterator Json::begin() {
  if (is_array()) return iterator(value_.array->elements.data());
  return is_object() ? iterator(node_from(value_.object->members.begin())) : iterator();
}

Json::iterator Json::end() {
  if (is_array()) return iterator(value_.array->elements.data() + value_.array->elements.size());
  return is_object() ? iterator(node_from(value_.object->members.end())) : iterator();
}

Json::const_iterator Json::begin() const {
  return const_cast<Json*>(this)->begin();
}

Json::const_iterator Json::end() const {
  return const_cast<Json*>(this)->end();
}

bool Json::equals(const Json& other) const {
  if (is_number() && other.is_number()) {
    if (kind_ == Kind::kDouble || other.kind_ == Kind::kDouble) return to_double() == other.to_double();
    if (is_number_unsigned() != other.is_number_unsigned()) return false;
    return value_.unsigned_number == other.value_.unsigned_number;
  }
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kBool:
      return value_.boolean == other.value_.boolean;
    case Kind::kString:
      return *value_.text == *other.value_.text;
    case Kind::kArray:
      return value_.array->elements == other.value_.array->elements;
    case Kind::kObject:
      return value_.object->members == other.value_.object->members;
    default:
      return true;
  }
}

bool Json::less(const Json& other) const {
  if (is_number() && other.is_number()) {
    if (kind_ == Kind::kDouble || other.kind_ == Kind::kDouble) return to_double() < other.to_double();
    if (is_number_unsigned() != other.is_number_unsigned()) return other.is_number_unsigned();
    return is_number_unsigned() ? value_.unsigned_number < other.value_.unsigned_number
                                : value_.signed_number < other.value_.signed_number;
  }
  if (kind_ != other.kind_) return kind_ < other.kind_;
  switch (kind_) {
    case Kind::kBool:
      return value_.boolean < other.value_.boolean;
    case Kind::kString:
      return *value_.text < *other.value_.text;
    case Kind::kArray:
      return std::lexicographical_compare(value_.array->elements.begin(), value_.array->elements.end(),
                                          other.value_.array->elements.begin(), other.value_.array->elements.end());
    case Kind::kObject:
      return std::lexicographical_compare(
          value_.object->members.begin(), value_.object->members.end(), other.value_.object->members.begin(),
          other.value_.object->members.end(),
          [](const auto& a, const auto& b) { return a.first != b.first ? a.first < b.first : a.second < b.second; });
    default:
      return false;
  }
}

template <bool kConst>
Json* Json::Iterator<kConst>::value_of(void* node) {
  return &position_from(node)->second;
}
template <bool kConst>
const std::string& Json::Iterator<kConst>::name_of(void* node) {
  return position_from(node)->first;
}
template <bool kConst>
void* Json::Iterator<kConst>::next(void* node) {
  return node_from(std::next(position_from(node)));
}
template class Json::Iterator<false>;
template class Json::Iterator<true>;

}  // namespace sse::event
