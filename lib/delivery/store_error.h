#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace sse::delivery {

/// SQLite refused something. The sentence names the file and says what to do.
class StoreError : public Error {
 public:
  enum class Blame {
    kStatement,  ///< this one write is at fault; others may work
    kStore,      ///< disk, lock or file: no write works now
  };

  StoreError(Blame blame, ErrorCode code, const std::string& sentence) : Error(code, sentence), blame_(blame) {}

  Blame blame() const { return blame_; }

 private:
  Blame blame_;
};

/// Translates what SQLite threw while doing `what` ("store a message in") to the database at `path`. `db` may be null;
/// with it the operating system's reason is told too.
StoreError store_error(const SQLite::Exception& thrown, std::string_view what, const std::string& path,
                       const SQLite::Database* db = nullptr);

}  // namespace sse::delivery
