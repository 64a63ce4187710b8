#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace sse {

/// The immutable data of a message, shared by all copies. A message for a thousand recipients has a thousand rows in a
/// listing, an export or the dead letters, but one payload.
class Payload {
 public:
  Payload() = default;
  /// The data as bytes, and as text.
  // NOLINTNEXTLINE(google-explicit-constructor): callers use it as a string
  Payload(std::string bytes)
      : bytes_(bytes.empty() ? nullptr : std::make_shared<const std::string>(std::move(bytes))) {}
  /// @copydoc Payload(std::string)
  Payload(const char* text) : Payload(std::string(text)) {}  // NOLINT(google-explicit-constructor): see above

  /// The data.
  const std::string& str() const { return bytes_ ? *bytes_ : empty_string(); }
  /// The data.
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor): see above
  /// The data.
  operator std::string_view() const { return str(); }  // NOLINT(google-explicit-constructor): see above
  /// Its bytes.
  std::size_t size() const { return str().size(); }
  /// True without data.
  bool empty() const { return bytes_ == nullptr; }
  /// Drops the data.
  void clear() { bytes_.reset(); }
  /// Whether both share one allocation.
  bool shares(const Payload& other) const { return bytes_ == other.bytes_; }

  /// Compares the bytes.
  friend bool operator==(const Payload& a, const Payload& b) { return a.str() == b.str(); }
  /// Compares the bytes.
  friend bool operator==(const Payload& a, const std::string& b) { return a.str() == b; }
  /// Compares the bytes.
  friend bool operator==(const Payload& a, const char* b) { return a.str() == b; }
  /// Writes the bytes.
  friend std::ostream& operator<<(std::ostream& out, const Payload& payload) { return out << payload.str(); }

 private:
  static const std::string& empty_string() {
    static const std::string kEmpty;
    return kEmpty;
  }

  std::shared_ptr<const std::string> bytes_;
};

}  // namespace sse
