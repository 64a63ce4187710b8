#include "support/token.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>

#include "base/fd.h"

namespace sse::testing {
namespace {

// RFC 4648 §5, without padding.
std::string base64url(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view part = bytes.substr(at, 3);
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < part.size() ? static_cast<unsigned char>(part[i]) : 0);
    for (std::size_t i = 0; i <= part.size(); ++i) text += kDigits[group >> (18 - 6 * i) & 63];
  }
  return text;
}

}  // namespace

std::string signed_token(const std::string& secret, const std::string& claims) {
  const std::string text = base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + base64url(claims);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size) == nullptr)
    throw std::runtime_error("cannot sign a token");
  return text + "." + base64url({reinterpret_cast<const char*>(digest.data()), size});
}

std::string write_secret(const std::string& file) {
  std::string secret = "a-secret-of-more-than-32-bytes-for-tests";
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (::write(fd.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
    throw std::runtime_error("cannot write " + file);
  return secret;
}

}  // namespace sse::testing
