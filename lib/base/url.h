#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Percent-encoding (RFC 3986 §2.1) and form-encoded text: query strings and bodies of the type
// `application/x-www-form-urlencoded` (WHATWG URL §5).

namespace sse {

/// Decodes percent-encoding (RFC 3986 §2.1). A '%' without two hex digits is unchanged.
std::string percent_decode(std::string_view text);
/// Decodes percent-encoding of a query component; '+' becomes a space. A '%' without two hex digits is unchanged.
std::string url_decode(std::string_view text);
/// Percent-encodes all but RFC 3986 unreserved characters.
std::string url_encode(std::string_view text);

/// The query component of a request target (after the first '?'), a view into `target`.
constexpr std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

/// A parameter of a form-encoded string: views into it, still encoded. Without a '=', the value is empty.
struct EncodedParameter {
  std::string_view name;
  std::string_view value;
};

/// Removes the first parameter from the front of `form`; false when there is none left. Skips empty pieces ("&&").
bool take_parameter(std::string_view& form, EncodedParameter& parameter);

/// The first value of a parameter in a form-encoded string, decoded; empty when absent.
std::string form_value(std::string_view form, std::string_view name);

/// All parameters of a form-encoded string, decoded; of a repeated parameter the first value.
std::map<std::string, std::string> form_values(std::string_view form);

/// Names and values, decoded.
using FormParameters = std::vector<std::pair<std::string, std::string>>;

/// All parameters of a form-encoded string in their order, with the repeated ones.
FormParameters form_parameters(std::string_view form);

/// Appends a parameter to a form-encoded string, with a '&' unless it is the first one.
void append_parameter(std::string& form, std::string_view name, std::string_view value);

/// The form-encoded string of `parameters`.
std::string form_encode(const FormParameters& parameters);

}  // namespace sse
