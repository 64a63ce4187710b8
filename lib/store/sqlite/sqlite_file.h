#pragma once

#include <SQLiteCpp/Database.h>

#include <chrono>
#include <string>

namespace sse::store {

/// The SQLite file of pending messages: how to recognise, create, check and open it.
///
/// A payload is stored once (`message`), plus a pair of integers for each recipient that has not confirmed (`pending`),
/// ordered so that the messages of one recipient after an id are adjacent. `recipient` interns the names and counts
/// each recipient's pending messages and bytes, `total` those of the whole store; a limit check is one look-up, and
/// opening a file of millions of messages reads none of them. AUTOINCREMENT retains the largest id ever used, also of
/// deleted messages. `message.sum` is the checksum of a message (message_checksum(); -1 for messages of format 1),
/// because SQLite checks the structure of a page but not its content. `dead` holds the dead letters, `dead_data` the
/// data shared by those of one message. `notify` has the messages whose removal is reported, `outbox` the reports that
/// the application has not accepted yet (Outbox).
///
/// Each format is the previous one plus a step, so that a new file and an upgraded one are the same.

inline constexpr int kApplicationId = 0x73736571;  ///< "sseq"; `file(1)` and other tools read it
inline constexpr int kSchemaVersion = 3;
/// The condition for rows of sent_key that belong to imported messages. Queries must repeat it verbatim: only then does
/// SQLite use the partial index defined with it.
inline constexpr const char* kImported = "key >= 'import/' AND key < 'import0'";
inline constexpr int kOldestVersion = 1;  ///< the oldest version that open_for_writing() upgrades

/// The absolute path with symbolic links resolved, so that two names of one file compare equal. Throws
/// Error(kInvalidArgument) for an empty path and for a folder.
std::string resolve_database_path(const std::string& path);

/// Throws Error(kInvalidArgument) when the folder of `path` does not exist, kPermissionDenied when it cannot be
/// accessed.
void require_database_folder(const std::string& path);

/// Creates the missing folders of `path`, mode 0700. Throws Error.
void make_database_folder(const std::string& path);

/// Defects that can be repaired without asking the operator.
struct FileFindings {
  bool counts_differ = false;  ///< the stored counts differ from the tables
};

/// Throws Error unless `path` is absent, empty, or an undamaged, writable sse-serve database of this version or of one
/// that can be upgraded: kIo when it is damaged or not ours, kConflict when its version is unknown or it is in use.
/// Changes nothing. Checks the content of a file of more than 256 MiB only when it was not closed cleanly. REQUIRES:
/// the lock file is held, and this process has no connection to the file open.
FileFindings require_writable_database(const std::string& path);

/// Opens the database for the single writer, one thread at a time. Creates it, mode 0600, when it is absent or empty;
/// upgrades an older one in one transaction; rebuilds counts that differ. REQUIRES: require_writable_database(path)
/// passed. Throws StoreError.
SQLite::Database open_for_writing(const std::string& path, bool sync_every_commit,
                                  std::chrono::milliseconds busy_timeout, FileFindings findings = {});

/// Opens a read-only connection beside a running writer, for one thread at a time. Throws StoreError.
SQLite::Database open_for_reading(const std::string& path, std::chrono::milliseconds busy_timeout);

/// Throws Error unless the application id is ours (kIo) and the version is between `oldest` and this one (kConflict).
void require_known_version(const std::string& path, long application_id, long version, int oldest);

}  // namespace sse::store
