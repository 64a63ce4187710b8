#include "hub/attributes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/step_count.h"
#include "base/text.h"

namespace sse::hub {
namespace {

template <class Self>
auto fields(Self& self) {
  return std::array{&self.query, &self.address, &self.user_agent, &self.host, &self.origin, &self.profile};
}

// Dictionary of phrases that pages and browsers send often. A packed phrase takes one byte: 0x81 for the first one, and
// so on. 0x80 escapes a literal byte that is not ASCII. Packed strings are used only within the process.
constexpr std::uint8_t kAsIs = 0x80;
constexpr std::array<std::string_view, 45> kPhrases{"&clientId=",
                                                    "&clientInstanceId=",
                                                    "&clientInstanceTime=",
                                                    "&clientImportModuleTime=",
                                                    "&clientVersion=",
                                                    "&listeners=",
                                                    "&keepaliveTime=",
                                                    "&sessionDuration=",
                                                    "&accessTime=",
                                                    "&screen=",
                                                    "&locationHref=",
                                                    "&useWindowEventBus=true",
                                                    "&useWindowEventBus=false",
                                                    "&totalJSHeapSize=",
                                                    "&usedJSHeapSize=",
                                                    "&jsHeapSizeLimit=",
                                                    "&access-token=",
                                                    "&channel=",
                                                    "&lastEventId=",
                                                    "&ack=1&ackMarks=1",
                                                    "&ping=1&ends=1",
                                                    "&ack=",
                                                    "&userId=",
                                                    "&tenantId=",
                                                    "&name=",
                                                    "userId=",
                                                    "clientId=",
                                                    "server-push",
                                                    "connect-finish",
                                                    "connect-close",
                                                    "https%3A%2F%2F",
                                                    "http%3A%2F%2F",
                                                    "https://",
                                                    "http://",
                                                    "127.0.0.1",
                                                    "localhost",
                                                    "1920x1080",
                                                    "Mozilla/5.0 (",
                                                    "Windows NT 10.0; Win64; x64",
                                                    "Macintosh; Intel Mac OS X ",
                                                    "X11; Linux x86_64",
                                                    ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
                                                    ".0.0.0 Safari/537.36",
                                                    ") Gecko/20100101 Firefox/",
                                                    ".0.0.0 Mobile Safari/537.36"};
static_assert(kAsIs + kPhrases.size() < 0x100);

// The phrases by first byte, so that most bytes of a text need only one lookup.
class PhraseFinder {
 public:
  PhraseFinder() {
    for (std::size_t i = 0; i < kPhrases.size(); ++i)
      by_first_.at(static_cast<unsigned char>(kPhrases.at(i).front())).push_back(static_cast<std::uint8_t>(i));
  }
  /// The number of the phrase that `text` starts with.
  std::optional<std::uint8_t> find(std::string_view text) const {
    for (const std::uint8_t i : by_first_[static_cast<unsigned char>(text.front())]) {
      if (text.starts_with(kPhrases[i])) return i;
    }
    return std::nullopt;
  }

 private:
  std::array<std::vector<std::uint8_t>, 256> by_first_;
};

void put_phrases(std::string& out, std::string_view text) {
  static const PhraseFinder kFinder;
  while (!text.empty()) {
    if (const auto number = kFinder.find(text)) {
      out += static_cast<char>(kAsIs + 1 + *number);
      text.remove_prefix(kPhrases.at(*number).size());
      continue;
    }
    if (static_cast<unsigned char>(text.front()) >= kAsIs) out += static_cast<char>(kAsIs);
    out += text.front();
    text.remove_prefix(1);
  }
}

std::string get_phrases(std::string_view packed) {
  std::string out;
  while (!packed.empty()) {
    const auto byte = static_cast<unsigned char>(packed.front());
    packed.remove_prefix(1);
    if (byte > kAsIs) {
      // pack() never writes a number without a phrase.
      if (const std::size_t number = byte - kAsIs - 1U; number < kPhrases.size()) out += kPhrases.at(number);
    } else if (byte < kAsIs) {
      out += static_cast<char>(byte);
    } else if (!packed.empty()) {
      out += packed.front();
      packed.remove_prefix(1);
    }
  }
  return out;
}

// LEB128.
void put_size(std::string& out, std::size_t size) {
  for (; size >= 0x80; size >>= 7) out += static_cast<char>(0x80 | (size & 0x7F));
  out += static_cast<char>(size);
}

std::size_t get_size(std::string_view& packed) {
  std::size_t size = 0;
  for (unsigned shift = 0; !packed.empty() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(packed.front());
    packed.remove_prefix(1);
    size |= std::size_t{byte & 0x7FU} << shift;
    if (byte < 0x80) break;
  }
  return size;
}

}  // namespace

// Format: for each non-empty field its number, the size of its text, and the text with phrases shortened.
std::string pack(const Attributes& attributes) {
  std::string out;
  std::string shortened;
  std::uint8_t number = 0;
  for (const std::string* field : fields(attributes)) {
    ++number;
    if (field->empty()) continue;
    shortened.clear();
    put_phrases(shortened, *field);
    out += static_cast<char>(number);
    put_size(out, shortened.size());
    out += shortened;
  }
  return out;
}

Attributes unpack_attributes(std::string_view packed) {
  count_steps();
  Attributes out;
  const auto all = fields(out);
  while (packed.size() >= 2) {
    const auto number = static_cast<unsigned char>(packed.front());
    packed.remove_prefix(1);
    const std::size_t size = std::min(get_size(packed), packed.size());
    if (number == 0 || number > all.size()) break;
    *all.at(number - 1U) = get_phrases(packed.substr(0, size));
    packed.remove_prefix(size);
  }
  return out;
}

}  // namespace sse::hub

namespace sse {

std::string ClientDetails::parameter(std::string_view name) const {
  return form_value(query, name);
}

}  // namespace sse
