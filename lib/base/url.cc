#include "base/url.h"

#include <algorithm>
#include <cstddef>

#include "base/hex.h"

namespace sse {
namespace {

std::string decoded(std::string_view text, char plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit_value(text[i + 1]) >= 0 &&
        hex_digit_value(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit_value(text[i + 1]) * 16 + hex_digit_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? plus : text[i];
    }
  }
  return out;
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

void append_encoded(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += '%';
      append_upper_hex(out, static_cast<unsigned char>(c));
    }
  }
}

}  // namespace

std::string percent_decode(std::string_view text) {
  return decoded(text, '+');
}

std::string url_decode(std::string_view text) {
  return decoded(text, ' ');
}

std::string url_encode(std::string_view text) {
  std::string out;
  append_encoded(out, text);
  return out;
}

bool take_parameter(std::string_view& form, EncodedParameter& parameter) {
  while (!form.empty()) {
    const std::size_t end = std::min(form.find('&'), form.size());
    const std::string_view pair = form.substr(0, end);
    form.remove_prefix(std::min(end + 1, form.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    parameter = {pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
    return true;
  }
  return false;
}

std::string form_value(std::string_view form, std::string_view name) {
  EncodedParameter parameter;
  while (take_parameter(form, parameter)) {
    const bool encoded = parameter.name.find_first_of("%+") != std::string_view::npos;
    if (encoded ? url_decode(parameter.name) == name : parameter.name == name) return url_decode(parameter.value);
  }
  return {};
}

std::map<std::string, std::string> form_values(std::string_view form) {
  std::map<std::string, std::string> values;
  EncodedParameter parameter;
  while (take_parameter(form, parameter)) values.emplace(url_decode(parameter.name), url_decode(parameter.value));
  return values;
}

FormParameters form_parameters(std::string_view form) {
  FormParameters parameters;
  EncodedParameter parameter;
  while (take_parameter(form, parameter))
    parameters.emplace_back(url_decode(parameter.name), url_decode(parameter.value));
  return parameters;
}

void append_parameter(std::string& form, std::string_view name, std::string_view value) {
  if (!form.empty()) form += '&';
  append_encoded(form, name);
  form += '=';
  append_encoded(form, value);
}

std::string form_encode(const FormParameters& parameters) {
  std::string form;
  for (const auto& [name, value] : parameters) append_parameter(form, name, value);
  return form;
}

}  // namespace sse
