#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "auth/jwt_signer.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "ssectl/commands/command.h"

namespace sse::ctl {
namespace {

struct Options {
  std::string file;
  std::string algorithm = "ES256";
};

// Never replaces a file: a key that signs valid tokens would be lost.
void write_new(const std::string& file, const std::string& text, mode_t mode) {
  const std::string name = "'" + printable(file) + "'";
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid() && errno == EEXIST) {
    throw Error(ErrorCode::kConflict,
                name +
                    " exists already and was not changed; choose another name, or remove it if no token of its key "
                    "is in use");
  }
  if (!fd.valid()) throw system_error(errno, "cannot create " + name);
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd.get(), text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int reason = errno;
      ::unlink(file.c_str());
      throw system_error(reason, "cannot write " + name);
    }
    written += static_cast<std::size_t>(count);
  }
  if (::fsync(fd.get()) != 0 && errno != EINVAL) throw system_error(errno, "cannot write " + name);
}

int run(const Options& options, Context& context) {
  const auth::JwtSigner key = auth::JwtSigner::generate(options.algorithm);
  Output& out = context.out();
  out.ignore_closed_stdout();
  write_new(options.file, key.private_text(), 0600);
  api::Json result{{"algorithm", key.algorithm()}, {"keyFile", options.file}};
  std::string sentence = options.file + " signs tokens (" + key.algorithm() + "); keep it secret\n";
  if (key.public_set().empty()) {
    sentence += "sse-serve --auth jwt --jwt-secret-file " + options.file + "  accepts them";
  } else {
    const std::string published = options.file + ".jwks";
    try {
      write_new(published, key.public_set(), 0644);
    } catch (const Error&) {
      ::unlink(options.file.c_str());
      throw;
    }
    result["publicFile"] = published;
    result["keyId"] = key.key_id();
    sentence += "sse-serve --auth jwt --jwt-key-file " + published + "  accepts them";
  }
  out.result(result, sentence);
  return kDone;
}

}  // namespace

Run declare_key_create(cli::App& app) {
  auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "New file for the private key; FILE.jwks gets the public one")
      .type_name("FILE")
      .required()
      .not_empty()
      .not_configurable();
  app.add_option("-a,--algorithm", options->algorithm,
                 "ES256, EdDSA or RS256 (a private and a public key), or HS256 (one secret)")
      .type_name("HS256|RS256|ES256|EdDSA")
      .show_default()
      .one_of({"HS256", "RS256", "ES256", "EdDSA"});
  return [options](Context& context) { return run(*options, context); };
}

}  // namespace sse::ctl
