#include "store/sqlite/store_error.h"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <array>
#include <system_error>

namespace sse::store {
namespace {

struct Advice {
  int result;
  ErrorCode code;
  const char* text;
};

// Results that concern the whole file. All others concern the statement.
constexpr std::array kStoreFaults{
    Advice{SQLITE_FULL, ErrorCode::kIo, "free some space on that disk and try again"},
    Advice{SQLITE_BUSY, ErrorCode::kUnavailable, "another program locks the file; end its transaction and try again"},
    Advice{SQLITE_LOCKED, ErrorCode::kUnavailable, "another program locks the file; end its transaction and try again"},
    Advice{SQLITE_IOERR, ErrorCode::kIo, "check the disk and its limits and try again"},
    Advice{SQLITE_NOMEM, ErrorCode::kIo, "the machine is out of memory"},
    Advice{SQLITE_READONLY, ErrorCode::kPermissionDenied, "make the file and its folder writable"},
    Advice{SQLITE_PERM, ErrorCode::kPermissionDenied, "make the file and its folder accessible"},
    Advice{SQLITE_AUTH, ErrorCode::kPermissionDenied, "make the file and its folder accessible"},
    Advice{SQLITE_CANTOPEN, ErrorCode::kIo, "check that the file and its folder may be read and written"},
    Advice{SQLITE_CORRUPT, ErrorCode::kIo, "the file is damaged; restore it from a backup or choose another with --db"},
    Advice{SQLITE_NOTADB, ErrorCode::kIo, "it is not an SQLite database; choose another file with --db"},
    Advice{SQLITE_PROTOCOL, ErrorCode::kUnavailable, "too many programs use the file; try again"},
};

// SQLite does not record the errno of a failed COMMIT, but the file handle in which it happened does.
int system_errno(sqlite3* db) {
  int reason = sqlite3_system_errno(db);
  for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    if (reason != 0 || sqlite3_file_control(db, "main", which, &file) != SQLITE_OK) continue;
    if (file != nullptr && file->pMethods != nullptr)
      file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &reason);
  }
  return reason;
}

}  // namespace

StoreError store_error(const SQLite::Exception& thrown, std::string_view what, const std::string& path,
                       const SQLite::Database* db) {
  const int result = thrown.getErrorCode() & 0xFF;
  std::string sentence = "cannot " + std::string(what) + " " + path + ": " + thrown.what();
  if (db != nullptr && (result == SQLITE_IOERR || result == SQLITE_CANTOPEN)) {
    const int reason = system_errno(db->getHandle());
    if (reason != 0) sentence += " (" + std::system_category().message(reason) + ")";
  }
  for (const Advice& advice : kStoreFaults) {
    if (advice.result == result) {
      return {StoreError::Cause::kStore, advice.code, sentence + "; " + advice.text};
    }
  }
  return {StoreError::Cause::kStatement, result == SQLITE_TOOBIG ? ErrorCode::kTooLarge : ErrorCode::kIo, sentence};
}

}  // namespace sse::store
