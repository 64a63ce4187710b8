#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace sse::store {

/// An error returned by SQLite. The sentence names the file and says what to do.
class StoreError : public Error {
 public:
  enum class Cause {
    kStatement,  ///< this write alone is at fault; others may work
    kStore,      ///< disk, lock or file: no write works at present
  };

  StoreError(Cause cause, ErrorCode code, const std::string& sentence) : Error(code, sentence), cause_(cause) {}

  Cause cause() const { return cause_; }

 private:
  Cause cause_;
};

/// Translates an exception that SQLite threw while doing `what` ("store a message in") to the database at `path`. `db`
/// may be null; otherwise the sentence includes the operating system's reason.
StoreError store_error(const SQLite::Exception& thrown, std::string_view what, const std::string& path,
                       const SQLite::Database* db = nullptr);

}  // namespace sse::store
