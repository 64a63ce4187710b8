#pragma once

#include <SQLiteCpp/Database.h>

#include <chrono>
#include <string>

namespace sse::delivery {

/// The SQLite file of pending messages: how it is told from others, made and opened.
///
/// A payload is stored once (`message`), and a pair of integers for each recipient that has not confirmed (`pending`),
/// ordered so that one recipient's messages after an id are neighbours. `recipient` interns the names and counts its
/// pending messages and their bytes, `total` those of all, so that a limit costs one look-up and opening a file of
/// millions reads none of them. AUTOINCREMENT keeps the largest id ever used, also of deleted messages. `message.sum`
/// is the checksum of a message (message_checksum(); -1 for messages of format 1): SQLite sees a damaged page's
/// structure, not its content. `dead` holds the dead letters, `dead_data` what those of one message share.
///
/// A format is the one before it and a step, so that a new file and one brought up to date are the same.

inline constexpr int kApplicationId = 0x73736571;  ///< "sseq"; `file(1)` and others read it
inline constexpr int kSchemaVersion = 3;
/// The rows of sent_key that are of imported messages, as the index of those says it: SQLite uses it where a query says
/// the same.
inline constexpr const char* kImported = "key >= 'import/' AND key < 'import0'";
inline constexpr int kOldestVersion = 1;  ///< that open_for_writing() brings up to date

/// The absolute path with symbolic links resolved, so that two names of one file are one file.
/// Throws Error(kInvalidArgument) for an empty path and for a folder.
std::string resolve_database_path(const std::string& path);

/// Throws Error(kInvalidArgument) when the folder of `path` is not there, or kPermissionDenied when that cannot be
/// seen.
void require_database_folder(const std::string& path);

/// Makes the folder of `path` and those above it, mode 0700, where they do not exist. Throws Error.
void make_database_folder(const std::string& path);

/// What can be mended without asking.
struct FileFindings {
  bool counts_differ = false;  ///< the counts kept beside the tables are not those of the tables
};

/// Throws Error unless `path` is absent, empty, or a database of ours, in this version or one that can be brought up to
/// date, that may be written and is whole: kIo when it is damaged or not ours, kConflict when it is of a version this
/// program does not know or in use. Changes nothing. A file of more than 256 MiB is looked through only when its last
/// user did not close it. REQUIRES: the lock file is held, and this process has no connection to the file open.
FileFindings require_writable_database(const std::string& path);

/// Opens the database for the one writer, one thread at a time; makes it, mode 0600, when it is absent or empty, brings
/// it up to date, in one transaction, when it is older, and makes counts anew that differ.
/// REQUIRES: require_writable_database(path) passed. Throws StoreError.
SQLite::Database open_for_writing(const std::string& path, bool sync_every_commit,
                                  std::chrono::milliseconds busy_timeout, FileFindings findings = {});

/// A read-only connection beside a running writer, for one thread at a time. Throws StoreError.
SQLite::Database open_for_reading(const std::string& path, std::chrono::milliseconds busy_timeout);

/// Throws Error unless the application id is ours (kIo) and the version between `oldest` and this one (kConflict).
void require_known_version(const std::string& path, long application_id, long version, int oldest);

}  // namespace sse::delivery
