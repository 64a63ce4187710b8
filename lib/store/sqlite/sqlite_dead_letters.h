#pragma once

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/sqlite/open_transaction.h"
#include "store/sqlite/sqlite_pending.h"
#include "store/store_limits.h"

namespace sse::store {

/// The dead letters of the writing connection: the tables `dead`, `dead_data` and `dead_collapse`, and the expiry that
/// fills them. One thread at a time, inside a transaction of SqliteWriter. All methods throw StoreError when SQLite
/// fails; the transaction then has to be rolled back.
class SqliteDeadLetters {
 public:
  /// References must outlive this. `path` is named in errors.
  SqliteDeadLetters(SQLite::Database& db, std::string path, const StoreLimits& limits, SqlitePending& pending,
                    OpenTransaction& open);

  /// As SqliteWriter::expire().
  std::uint64_t expire(WallTime now, std::uint64_t enough);
  /// As DeadLetters.
  std::vector<LetterOutcome> add(std::span<const DeadLetter> letters);
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now);
  std::uint64_t purge(MessageId id, const MessageFilter& filter);

 private:
  /// The known letters of messages, read once per first id.
  struct KnownLetters {
    std::set<MessageId> read;  ///< the first ids read so far
    std::set<DeadLetterKey> names;
  };
  struct MovedToDead {
    std::uint64_t pairs = 0;
    std::uint64_t bytes = 0;  ///< copied
  };
  /// A letter as the message that is sent again.
  struct Letter {
    std::int64_t row, payload;
    NewMessage message;
  };

  MovedToDead move_some_to_dead(MessageId id, WallTime now, std::uint64_t limit);
  void make_room_for_letter(std::int64_t& payload, std::uint64_t size);
  std::int64_t drop_oldest_dead();
  bool drop_letter(std::int64_t id, std::int64_t payload);
  bool drop_unused_data(std::int64_t payload);
  std::vector<Letter> letters_to_requeue(MessageId id, const MessageFilter& filter, WallTime now);
  std::vector<MessageId> add_again(std::vector<Letter>& letters);
  void forget_replaced(std::vector<MessageId>& ids, std::size_t withdrawn);
  void read_letters(MessageId first, KnownLetters& known);
  bool knows_letter(const DeadLetter& letter, KnownLetters& known);
  LetterOutcome add(const DeadLetter& letter, KnownLetters& known);

  SQLite::Database& db_;
  const std::string path_;
  const StoreLimits& limits_;
  SqlitePending& pending_;
  OpenTransaction& open_;
  SQLite::Statement insert_dead_, insert_dead_collapse_, insert_dead_data_, find_moved_data_, find_dead_data_,
      put_dead_data_, unused_dead_data_, drop_dead_data_, oldest_dead_, dead_data_, drop_dead_;
  SQLite::Statement letters_of_, letters_by_original_, insert_letter_, insert_letter_collapse_, insert_dead_notify_,
      insert_letter_notify_;
};

}  // namespace sse::store
