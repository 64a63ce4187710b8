#pragma once

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "support/files.h"

namespace sse::testing {

/// A certificate authority, and the certificates that it issues, as files.
class TlsAuthority {
 public:
  struct Issued {
    std::string file;
    std::string key;
  };

  TlsAuthority(const TempFolder& folder, const std::string& name)
      : file(folder.file(name + ".ca.pem")), folder_(folder), key_(folder.file(name + ".ca.key")) {
    run("openssl req -x509 " + new_key() + " -days 2 -subj /CN=" + name + " -keyout " + key_ + " -out " + file);
  }

  /// `names`: of the subject, as `IP:127.0.0.1,DNS:localhost`. `days`: of validity; -1: it has expired. `usage`: for
  /// which purposes, as `serverAuth`; empty: any.
  Issued issue(const std::string& name, const std::string& names = "IP:127.0.0.1", int days = 2,
               const std::string& usage = "") const {
    Issued issued{folder_.file(name + ".pem"), folder_.file(name + ".key")};
    const std::string request = folder_.file(name + ".csr");
    run("openssl req " + new_key() + " -subj /CN=" + name + " -addext subjectAltName=" + names +
        (usage.empty() ? "" : " -addext extendedKeyUsage=" + usage) + " -keyout " + issued.key + " -out " + request);
    run("openssl x509 -req -in " + request + " -CA " + file + " -CAkey " + key_ + " -copy_extensions copy -days " +
        std::to_string(days) + " -out " + issued.file);
    return issued;
  }

  const std::string file;

 private:
  static std::string new_key() { return "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"; }
  static void run(const std::string& command) {
    if (std::system(("umask 077; " + command + " 2>/dev/null").c_str()) != 0) throw std::runtime_error(command);
  }

  const TempFolder& folder_;
  const std::string key_;
};

}  // namespace sse::testing
