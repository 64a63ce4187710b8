#include "net/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "net/peer_address.h"

namespace sse::net {
namespace {

constexpr std::string_view kText = "PROXY ";
// Section 2.1: the longest line, with its CRLF.
constexpr std::size_t kMaxLine = 107;
constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kFixedSize = 16;

ProxyHeader malformed(const std::string& reason) {
  return {ProxyHeader::Status::kMalformed, 0, {}, reason};
}

// Section 2.1: decimal, without leading zeros.
std::optional<int> line_port(std::string_view text) {
  int port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool number = error == std::errc{} && stop == text.data() + text.size() && text.front() != '-';
  if (!number || port > 65535 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  return port;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t space = line.find(' ');
    words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) return words;
    line.remove_prefix(space + 1);
  }
}

ProxyHeader read_line(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kMaxLine).find("\r\n");
  if (end == std::string_view::npos)
    return bytes.size() < kMaxLine ? ProxyHeader{} : malformed("its line has no end within 107 bytes");
  ProxyHeader header{ProxyHeader::Status::kComplete, end + 2, {}, {}};
  const std::vector<std::string_view> words = words_of(bytes.substr(kText.size(), end - kText.size()));
  if (words.front() == "UNKNOWN") return header;
  const bool four = words.front() == "TCP4";
  if (!four && words.front() != "TCP6") return malformed("its protocol is none of TCP4, TCP6 and UNKNOWN");
  if (words.size() != 5) return malformed("its line does not have two addresses and two ports");
  for (std::size_t i = 1; i <= 2; ++i) {
    if (address_bytes(words[i]).empty() || (words[i].find(':') == std::string_view::npos) != four)
      return malformed("an address in it is none of its protocol");
  }
  const std::optional<int> port = line_port(words[3]);
  if (!port || !line_port(words[4])) return malformed("a port in it is no number from 0 to 65535");
  header.client = Peer{normalized_address(words[1]), *port};
  return header;
}

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

int port_at(std::string_view bytes, std::size_t at) {
  return static_cast<int>(byte_at(bytes, at) << 8U | byte_at(bytes, at + 1));
}

ProxyHeader read_binary(std::string_view bytes) {
  if (bytes.size() < kFixedSize) return {};
  const unsigned version = byte_at(bytes, 12) >> 4U;
  const unsigned command = byte_at(bytes, 12) & 0x0FU;
  const unsigned family = byte_at(bytes, 13);
  const std::size_t size = kFixedSize + static_cast<std::size_t>(port_at(bytes, 14));
  if (version != 2) return malformed("its version is neither 1 nor 2");
  if (command > 1) return malformed("its command is neither LOCAL nor PROXY");
  if (size > ProxyHeader::kMaxSize) return malformed("it is longer than 4096 bytes");
  // Section 2.2: streams over IPv4, IPv6 and unix sockets, or unspecified. UDP is not what arrived here.
  constexpr std::array<unsigned, 4> kFamilies{0x00, 0x11, 0x21, 0x31};
  if (std::ranges::find(kFamilies, family) == kFamilies.end()) return malformed("its protocol is not TCP");
  if (bytes.size() < size) return {};
  ProxyHeader header{ProxyHeader::Status::kComplete, size, {}, {}};
  if (command == 0 || family == 0x00) return header;
  const std::size_t length = family == 0x11 ? 4 : 16;
  const std::size_t needed = family == 0x31 ? 216 : 2 * length + 4;
  if (size < kFixedSize + needed) return malformed("it is shorter than the addresses of its protocol");
  if (family == 0x31) return header;
  header.client = Peer{address_text(bytes.substr(kFixedSize, length)), port_at(bytes, kFixedSize + 2 * length)};
  return header;
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes) {
  if (bytes.starts_with(kText)) return read_line(bytes);
  if (bytes.starts_with(kSignature)) return read_binary(bytes);
  if (kText.starts_with(bytes) || kSignature.starts_with(bytes)) return {};
  return malformed("there is none");
}

bool begins_like_proxy_header(std::string_view bytes) {
  return bytes.starts_with(kText) || bytes.starts_with(kSignature);
}

}  // namespace sse::net
