#include "hub/attributes.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace sse::hub {
namespace {

template <class Self>
auto fields(Self& self) {
  return std::array{&self.query, &self.address, &self.user_agent, &self.host, &self.origin, &self.profile};
}

// Calls `use(name, value)`, both still encoded, until it returns false.
template <class Use>
void each_pair(std::string_view query, Use use) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (!use(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())))) return;
  }
}

}  // namespace

std::string Attributes::pack() const {
  // Length-prefixed: any byte may occur in a field.
  std::string out;
  for (const std::string* field : fields(*this)) out += std::to_string(field->size()) + ":" + *field;
  return out;
}

Attributes Attributes::unpack(std::string_view packed) {
  const AttributesView view = AttributesView::of(packed);
  Attributes out;
  const auto from = fields(view);
  const auto to = fields(out);
  for (std::size_t i = 0; i < to.size(); ++i) *to.at(i) = *from.at(i);
  return out;
}

AttributesView AttributesView::of(std::string_view packed) {
  AttributesView out;
  for (std::string_view* field : fields(out)) {
    std::size_t size = 0;
    const auto [stop, error] = std::from_chars(packed.data(), packed.data() + packed.size(), size);
    if (error != std::errc{}) break;
    packed.remove_prefix(static_cast<std::size_t>(stop - packed.data()) + 1);
    *field = packed.substr(0, size);
    packed.remove_prefix(size);
  }
  return out;
}

std::string form_value(std::string_view query, std::string_view name) {
  std::string found;
  each_pair(query, [&](std::string_view key, std::string_view value) {
    const bool encoded = key.find_first_of("%+") != std::string_view::npos;
    if (encoded ? url_decode(key) != name : key != name) return true;
    found = url_decode(value);
    return false;
  });
  return found;
}

std::map<std::string, std::string> form_values(std::string_view query) {
  std::map<std::string, std::string> values;
  each_pair(query, [&](std::string_view key, std::string_view value) {
    values.emplace(url_decode(key), url_decode(value));
    return true;
  });
  return values;
}

}  // namespace sse::hub
