#pragma once

#include <string>
#include <utility>

#include "event/json.h"
#include "support/process.h"
#include "support/token.h"

namespace sse::soak {

/// Signs the JWTs that identify the clients.
class Tokens {
 public:
  explicit Tokens(const testing::TempFolder& folder)
      : file_(folder.file("secret")), secret_(testing::write_secret(file_)) {}

  /// The file for --jwt-secret-file.
  const std::string& file() const { return file_; }
  /// The query parameter that authenticates a user; `token`: the access token by which sends can address the client.
  std::string of(const std::string& user, const std::string& tenant = "", const std::string& token = "") const {
    event::Json claims{{"sub", user}, {"exp", 4'000'000'000}};
    if (!tenant.empty()) claims["tenant"] = tenant;
    if (!token.empty()) claims["jti"] = token;
    return "access-token=" + testing::signed_token(secret_, event::dump_json(claims));
  }

 private:
  std::string file_;
  std::string secret_;
};

}  // namespace sse::soak
