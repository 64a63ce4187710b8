#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace sse::store {

/// The immutable data of a message, shared by all copies. A message for a thousand recipients has a thousand rows in a
/// listing, an export or the dead letters, but one payload.
class Payload {
 public:
  Payload() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): callers use it as a string
  Payload(std::string bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}
  Payload(const char* text) : Payload(std::string(text)) {}  // NOLINT(google-explicit-constructor): see above

  const std::string& str() const { return bytes_ ? *bytes_ : empty_string(); }
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor): see above
  operator std::string_view() const { return str(); }    // NOLINT(google-explicit-constructor): see above
  std::size_t size() const { return str().size(); }
  bool empty() const { return bytes_ == nullptr; }
  void clear() { bytes_.reset(); }
  /// Whether both share one allocation.
  bool shares(const Payload& other) const { return bytes_ == other.bytes_; }

  friend bool operator==(const Payload& a, const Payload& b) { return a.str() == b.str(); }
  friend bool operator==(const Payload& a, const std::string& b) { return a.str() == b; }
  friend bool operator==(const Payload& a, const char* b) { return a.str() == b; }
  friend std::ostream& operator<<(std::ostream& out, const Payload& payload) { return out << payload.str(); }

 private:
  static const std::string& empty_string() {
    static const std::string kEmpty;
    return kEmpty;
  }

  std::shared_ptr<const std::string> bytes_;
};

}  // namespace sse::store
