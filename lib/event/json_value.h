#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace sse::event {

template <class T>
concept JsonInteger = std::integral<T> && !std::same_as<T, bool>;
template <class T>
concept JsonNumber = std::floating_point<T> ||(JsonInteger<T> && sizeof(T) > 1);
template <class T>
concept JsonText = std::convertible_to<const T&, std::string_view>;

/// A JSON document (RFC 8259) or a part of one: null, true or false, a number, a string, an array, or an object whose
/// members are sorted by name.
///
/// To keep compile time low, few sources contain the expensive parts: nlohmann/json parses (json_parse.cc) and writes
/// strings and numbers (base/json_text.cc). The interface is the used part of nlohmann's, with the same rule for
/// braces: `{{"a", 1}, {"b", 2}}`, a list of pairs whose first halves are strings, is an object; any other list is an
/// array.
///
/// Accessing a value as the wrong type throws Error(kInvalidArgument), so that an untrusted document can be read
/// without checking every type first. Thread safety as for std::string: one thread at a time.
class Json {
 public:
  template <bool kConst>
  class Iterator;
  template <bool kConst>
  class Items;
  using value_type = Json;
  using iterator = Iterator<false>;
  using const_iterator = Iterator<true>;

  Json() noexcept : kind_(Kind::kNull) {}
  Json(std::nullptr_t) noexcept : Json() {}  // NOLINT(google-explicit-constructor): values stand for themselves
  template <std::same_as<bool> T>
  Json(T value) noexcept : kind_(Kind::kBool) {  // NOLINT(google-explicit-constructor)
    value_.boolean = value;
  }
  template <JsonInteger T>
  Json(T value) noexcept {  // NOLINT(google-explicit-constructor)
    if constexpr (std::is_signed_v<T>) {
      kind_ = Kind::kSigned;
      value_.signed_number = value;
    } else {
      kind_ = Kind::kUnsigned;
      value_.unsigned_number = value;
    }
  }
  template <std::floating_point T>
  Json(T value) noexcept : kind_(Kind::kDouble) {  // NOLINT(google-explicit-constructor)
    value_.number = static_cast<double>(value);
  }
  template <JsonText T>
  Json(const T& text) : Json(FromText{}, std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Json(std::string&& text);                                          // NOLINT(google-explicit-constructor)
  /// An array from a container; an object from a map with string keys.
  template <class List>
  requires(!JsonText<List> && !std::same_as<List, Json> &&
           requires(const List& list) {
             typename List::value_type;
             list.begin() != list.end();
           }) Json(const List& list)
      : Json(kIsMap<List> ? object() : array()) {  // NOLINT(google-explicit-constructor)
    if constexpr (kIsMap<List>) {
      for (const auto& [name, value] : list) (*this)[name] = Json(value);
    } else {
      for (const auto& one : list) push_back(Json(one));
    }
  }
  Json(std::initializer_list<Json> list);
  Json(const Json& other);
  Json(Json&& other) noexcept : kind_(std::exchange(other.kind_, Kind::kNull)), value_(other.value_) {}
  Json& operator=(Json other) noexcept {
    swap(other);
    return *this;
  }
  ~Json() {
    if (kind_ >= Kind::kString) release();
  }
  void swap(Json& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(value_, other.value_);
  }

  static Json object() { return Json(Kind::kObject); }
  static Json array() { return Json(Kind::kArray); }
  static Json object(std::initializer_list<Json> pairs);
  static Json array(std::initializer_list<Json> list);
  /// Throws Error(kInvalidArgument) for invalid JSON, see parse_json().
  static Json parse(std::string_view text);

  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_boolean() const { return kind_ == Kind::kBool; }
  bool is_number() const { return is_number_integer() || kind_ == Kind::kDouble; }
  bool is_number_integer() const { return kind_ == Kind::kSigned || kind_ == Kind::kUnsigned; }
  /// A non-negative integer, whether it was stored as signed or unsigned.
  bool is_number_unsigned() const {
    return kind_ == Kind::kUnsigned || (kind_ == Kind::kSigned && value_.signed_number >= 0);
  }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_object() const { return kind_ == Kind::kObject; }
  bool is_structured() const { return is_array() || is_object(); }

  /// The value as T: bool, a number (an integer only when T represents it exactly), std::string, or a container of
  /// these with push_back().
  template <class T>
  T get() const {
    if constexpr (std::same_as<T, Json>) {
      return *this;
    } else if constexpr (std::same_as<T, bool>) {
      return to_bool();
    } else if constexpr (JsonInteger<T>) {
      if constexpr (std::is_signed_v<T>) {
        return static_cast<T>(to_signed(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
      } else {
        return static_cast<T>(to_unsigned(std::numeric_limits<T>::max()));
      }
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(to_double());
    } else if constexpr (std::same_as<T, std::string>) {
      return text();
    } else {
      T list;
      const Json& all = elements();
      for (std::size_t i = 0; i < all.size(); ++i) list.push_back(all[i].get<typename T::value_type>());
      return list;
    }
  }
  /// As get(), for a conversion to a string or a number.
  template <class T>
  requires(std::same_as<T, std::string> || JsonNumber<T>) operator T() const {  // NOLINT(google-explicit-constructor)
    return get<T>();
  }
  /// The string, by reference.
  const std::string& text() const;

  /// The number of elements or members; 0 for null, 1 for any other single value.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  // Members of an object.
  bool contains(std::string_view name) const { return is_object() && member(name) != nullptr; }
  /// Returns end() when there is no such member, or when this is not an object.
  iterator find(std::string_view name);
  const_iterator find(std::string_view name) const;
  std::size_t count(std::string_view name) const { return contains(name) ? 1 : 0; }
  /// The member, which is created if missing; null becomes an object.
  Json& operator[](std::string_view name);
  /// The member, or null when missing.
  const Json& operator[](std::string_view name) const;
  Json& operator[](const char* name) { return (*this)[std::string_view(name)]; }
  const Json& operator[](const char* name) const { return (*this)[std::string_view(name)]; }
  /// Throws when the member is missing.
  const Json& at(std::string_view name) const;
  Json& at(std::string_view name);
  /// The member as T, or `fallback` when missing. Throws when it has another type.
  template <class T>
  auto value(std::string_view name, const T& fallback) const {
    using Result = std::conditional_t<JsonText<T>, std::string, T>;
    const Json* const found = member(name);
    return found == nullptr ? Result(fallback) : found->get<Result>();
  }
  /// Adds or replaces the members of `other`.
  void update(const Json& other);
  /// Returns the number of removed members.
  std::size_t erase(std::string_view name);

  // Elements of an array.
  template <JsonInteger Index>
  Json& operator[](Index index) {
    return element(static_cast<std::size_t>(index));
  }
  template <JsonInteger Index>
  const Json& operator[](Index index) const {
    return const_cast<Json*>(this)->element(static_cast<std::size_t>(index));
  }
  template <JsonInteger Index>
  const Json& at(Index index) const {
    return (*this)[index];
  }
  Json& front() { return element(0); }
  const Json& front() const { return (*this)[0U]; }
  Json& back() { return element(size() - 1); }
  const Json& back() const { return (*this)[size() - 1]; }
  /// Null becomes an array.
  void push_back(Json value);
  iterator erase(const_iterator where);
  iterator erase(const_iterator first, const_iterator last);

  /// Iterate over elements, or over the values of members; empty for any other kind.
  iterator begin();
  iterator end();
  const_iterator begin() const;
  const_iterator end() const;
  /// Members as [name, value]; empty unless this is an object.
  Items<false> items();
  Items<true> items() const;

  /// Serializes, without line breaks unless `indent` is given. Invalid UTF-8 in a string becomes U+FFFD.
  std::string dump(int indent = -1) const;

  /// Numbers are equal when their values are equal.
  friend bool operator==(const Json& a, const Json& b) { return a.equals(b); }
  template <class T>
  requires std::is_arithmetic_v<T>
  friend bool operator==(const Json& a, T b) { return a.equals(Json(b)); }
  /// Orders any two values: first by kind, then by value.
  friend std::weak_ordering operator<=>(const Json& a, const Json& b) { return a.compare(b); }
  template <class T>
  requires std::is_arithmetic_v<T>
  friend std::weak_ordering operator<=>(const Json& a, T b) { return a.compare(Json(b)); }
  friend std::ostream& operator<<(std::ostream& out, const Json& json);

 private:
  friend class JsonBuilder;
  friend class JsonWriter;
  // The kinds after kDouble own memory.
  enum class Kind : std::uint8_t { kNull, kBool, kSigned, kUnsigned, kDouble, kString, kArray, kObject };
  struct Array;
  struct Object;
  struct FromText {};
  union Storage {
    bool boolean;
    std::int64_t signed_number;
    std::uint64_t unsigned_number;
    double number;
    std::string* text;
    Array* array;
    Object* object;
  };

  template <class List>
  static constexpr bool kIsMap = requires {
    typename List::mapped_type;
  };

  explicit Json(Kind kind);
  Json(FromText, std::string_view text);
  void release() noexcept;
  [[noreturn]] void wrong_type(const char* wanted) const;
  bool to_bool() const;
  std::int64_t to_signed(std::int64_t least, std::int64_t greatest) const;
  std::uint64_t to_unsigned(std::uint64_t greatest) const;
  double to_double() const;
  /// Returns this when it is an array.
  const Json& elements() const;
  const Json* member(std::string_view name) const;
  Json& element(std::size_t index);
  bool equals(const Json& other) const;
  bool less(const Json& other) const;
  std::weak_ordering compare(const Json& other) const {
    if (less(other)) return std::weak_ordering::less;
    return other.less(*this) ? std::weak_ordering::greater : std::weak_ordering::equivalent;
  }

  Kind kind_;
  Storage value_{};
};

}  // namespace sse::event

#include "event/json_iterator.h"  // completes Json
