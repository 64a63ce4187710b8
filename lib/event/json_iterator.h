#pragma once

#include <cstddef>
#include <iterator>
#include <string>
#include <type_traits>

#include "event/json_value.h"

namespace sse::event {

/// Points to an element of an array or a member of an object. Invalidated when the array changes its size or the member
/// is erased.
template <bool kConst>
class Json::Iterator {
 public:
  using Value = std::conditional_t<kConst, const Json, Json>;
  using iterator_category = std::forward_iterator_tag;
  using value_type = Json;
  using difference_type = std::ptrdiff_t;
  using pointer = Value*;
  using reference = Value&;

  Iterator() = default;
  Iterator(const Iterator<false>& other)  // NOLINT(google-explicit-constructor): as for any container
      requires kConst : element_(other.element_),
                        node_(other.node_) {}
  Iterator(const Iterator&) = default;
  Iterator& operator=(const Iterator&) = default;

  Value& operator*() const { return node_ == nullptr ? *element_ : *value_of(node_); }
  Value* operator->() const { return &**this; }
  /// The member's name. REQUIRES: this points into an object.
  const std::string& key() const { return name_of(node_); }
  Value& value() const { return **this; }
  Iterator& operator++() {
    if (node_ == nullptr) {
      ++element_;
    } else {
      node_ = next(node_);
    }
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Iterator& a, const Iterator& b) {
    return a.element_ == b.element_ && a.node_ == b.node_;
  }

 private:
  friend class Json;
  template <bool>
  friend class Iterator;
  explicit Iterator(Value* element) : element_(element) {}
  explicit Iterator(void* node) : node_(node) {}

  Value* element_ = nullptr;
  void* node_ = nullptr;  // of the map; null in an array

  static Json* value_of(void* node);
  static const std::string& name_of(void* node);
  static void* next(void* node);
};

template <bool kConst>
class Json::Items {
 public:
  using Holder = std::conditional_t<kConst, const Json, Json>;
  struct Item {
    const std::string& name;
    Holder& value;
  };
  class Position {
   public:
    explicit Position(Json::Iterator<kConst> at) : at_(at) {}
    Item operator*() const { return {at_.key(), *at_}; }
    Position& operator++() {
      ++at_;
      return *this;
    }
    friend bool operator==(const Position&, const Position&) = default;

   private:
    Json::Iterator<kConst> at_;
  };

  explicit Items(Holder& json) : begin_(json.is_object() ? json.begin() : json.end()), end_(json.end()) {}
  Position begin() const { return Position(begin_); }
  Position end() const { return Position(end_); }

 private:
  Json::Iterator<kConst> begin_, end_;
};

inline Json::Items<false> Json::items() {
  return Items<false>(*this);
}
inline Json::Items<true> Json::items() const {
  return Items<true>(*this);
}

extern template class Json::Iterator<false>;
extern template class Json::Iterator<true>;

}  // namespace sse::event
