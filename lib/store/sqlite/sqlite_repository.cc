#include "store/sqlite/sqlite_repository.h"

#include <utility>

#include "base/lock_file.h"
#include "store/sqlite/committer.h"
#include "store/sqlite/reader_pool.h"
#include "store/sqlite/sqlite_file.h"
#include "store/sqlite/sqlite_writer.h"
#include "store/sqlite/store_error.h"

namespace sse::store {
namespace {

// Pairs deleted in one transaction: senders wait for its end.
constexpr std::uint64_t kExpirePerCommit = 1000;

}  // namespace

SqliteRepository::SqliteRepository(Options options, IdGenerator& ids) : ids_(ids) {
  const std::string path = resolve_database_path(options.path);
  options.make_folders ? make_database_folder(path) : require_database_folder(path);
  const std::string lock = path + ".lock";
  lock_ = std::make_unique<LockFile>(lock,
                                     LockFile::LockErrors{"cannot open the lock file " + lock,
                                                          "make its folder writable or choose another file with --db",
                                                          [&path](const std::string& holder) {
                                                            return "another sse-serve" + holder + " already uses " +
                                                                   path + "; stop it or choose another file with --db";
                                                          }});
  const FileFindings findings = require_writable_database(path);
  auto writer = std::make_unique<SqliteWriter>(
      SqliteWriter::Options{path, options.sync == Sync::kFull, options.busy_timeout, options.limits, findings}, ids);
  if (findings.counts_differ && options.on_error) {
    options.on_error("the counts in the database " + path +
                     " did not match its tables, as after a disk fault; they were rebuilt");
  }
  Committer::Options committer;
  committer.idle = options.idle;
  committer.clock = &ids.clock();
  committer.on_error = std::move(options.on_error);
  committer.on_withdrawn = [this](std::vector<Withdrawn> removed) { withdrawals_.report(std::move(removed)); };
  committer.on_reports = [this](const MadeReports& made) { report_listener_.report(made); };
  committer_ = std::make_unique<Committer>(std::move(writer), std::move(committer));
  readers_ = std::make_unique<ReaderPool>(path, options.busy_timeout);
}

SqliteRepository::~SqliteRepository() = default;

std::vector<AddOutcome> SqliteRepository::add_in_order(std::span<const NewMessage> messages,
                                                       const std::function<void()>& committed) {
  std::vector<AddOutcome> outcomes;
  std::uint64_t bytes = 0;
  for (const NewMessage& message : messages) bytes += message.data.size();
  const auto add = [&](SqliteWriter& writer) {
    outcomes.assign(messages.size(), {});
    for (std::size_t i = 0; i < messages.size(); ++i) {
      std::vector<MessageId> before = next_ids(ids_, messages[i].ids_before);
      try {
        outcomes[i] = writer.add(messages[i]);
      } catch (const StoreError&) {
        throw;
      } catch (const Error& e) {
        outcomes[i].refusal = {e.code(), e.what()};
      }
      outcomes[i].before = std::move(before);
      outcomes[i].behind = next_ids(ids_, messages[i].ids_behind);
    }
  };
  committer_->commit(add, bytes, committed);
  return outcomes;
}

bool SqliteRepository::add_async(NewMessage message, Added added) {
  struct Adding {
    NewMessage message;
    Added added;
    AddOutcome outcome{};
  };
  const std::uint64_t bytes = message.data.size();
  const auto adding = std::make_shared<Adding>(Adding{std::move(message), std::move(added)});
  return committer_->commit_async([adding](SqliteWriter& writer) { adding->outcome = writer.add(adding->message); },
                                  [adding](Committer::Outcome failure) {
                                    if (failure) adding->outcome = {{}, false, 0, std::move(failure)};
                                    adding->added(std::move(adding->message), std::move(adding->outcome));
                                  },
                                  bytes);
}

void SqliteRepository::confirm(const ServiceName& service, const Recipient& recipient, MessageId id) {
  committer_->confirm(service, recipient, id);
}

void SqliteRepository::count_confirmed(const ServiceName& service, observe::Counter* counter) {
  committer_->count_confirmed(service, counter);
}

std::vector<MessageId> SqliteRepository::known_imports(std::span<const NewMessage> messages) {
  std::vector<MessageId> ids;
  committer_->commit([&](SqliteWriter& writer) { ids = writer.known_imports(messages); });
  return ids;
}

PartialStore::Replaced SqliteRepository::replace_older(const ServiceName& service, const Recipient& recipient,
                                                       const std::string& collapse, MessageId than) {
  Replaced replaced;
  committer_->commit(
      [&](SqliteWriter& writer) { replaced = writer.replace_older(service, recipient, collapse, than); });
  return replaced;
}

std::vector<PendingMessage> SqliteRepository::pending(const ServiceName& service, std::span<const Recipient> recipients,
                                                      MessageId after, std::size_t limit, ByteCount max_bytes,
                                                      WallTime now) {
  return readers_->run(
      [&](SqliteReader& reader) { return reader.pending(service, recipients, after, limit, max_bytes, now); });
}

std::uint64_t SqliteRepository::expire(WallTime now) {
  std::uint64_t total = 0;
  std::uint64_t pairs = 0;
  do {
    committer_->commit([&](SqliteWriter& writer) { pairs = writer.expire(now, kExpirePerCommit); });
    total += pairs;
  } while (pairs != 0);
  return total;
}

std::uint64_t SqliteRepository::purge(const MessageFilter& filter) {
  std::uint64_t total = 0;
  std::uint64_t pairs = 0;
  do {
    committer_->commit([&](SqliteWriter& writer) { pairs = writer.purge(filter, kExpirePerCommit); });
    total += pairs;
  } while (pairs != 0);
  return total;
}

std::uint64_t SqliteRepository::count_dead(const MessageFilter& filter) {
  return readers_->run([&](SqliteReader& reader) { return reader.count_dead(filter); });
}

std::vector<DeadLetter> SqliteRepository::list_dead(const MessageFilter& filter, std::uint64_t skip,
                                                    std::size_t limit) {
  return readers_->run([&](SqliteReader& reader) { return reader.list_dead(filter, skip, limit); });
}

std::vector<DeadLetter> SqliteRepository::page_dead(const MessageFilter& filter, std::size_t limit) {
  return readers_->run([&](SqliteReader& reader) { return reader.page_dead(filter, limit); });
}

std::vector<LetterOutcome> SqliteRepository::add_dead(std::span<const DeadLetter> letters) {
  std::vector<LetterOutcome> outcomes;
  std::uint64_t bytes = 0;
  for (const DeadLetter& letter : letters) bytes += letter.message.data.size();
  committer_->commit([&](SqliteWriter& writer) { outcomes = writer.add_dead(letters); }, bytes);
  return outcomes;
}

std::vector<MessageId> SqliteRepository::requeue(MessageId id, const MessageFilter& filter, WallTime now) {
  std::vector<MessageId> ids;
  committer_->commit([&](SqliteWriter& writer) { ids = writer.requeue(id, filter, now); });
  return ids;
}

std::uint64_t SqliteRepository::purge_dead(MessageId id, const MessageFilter& filter) {
  std::uint64_t letters = 0;
  committer_->commit([&](SqliteWriter& writer) { letters = writer.purge_dead(id, filter); });
  return letters;
}

void SqliteRepository::note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) {
  committer_->note_attempts(service, attempts);
}

void SqliteRepository::probe_writes(std::function<void()> answer) {
  const auto shared = std::make_shared<std::function<void()>>(std::move(answer));
  // A transaction that writes nothing costs no fsync. A refusal by the disk is an answer, too.
  if (!committer_->commit_async([](SqliteWriter&) {}, [shared](const Committer::Outcome&) { (*shared)(); }))
    (*shared)();
}

std::vector<StoredReport> SqliteRepository::claim_reports(std::size_t limit) {
  std::vector<StoredReport> claimed = readers_->run(
      [&](SqliteReader& reader) { return reader.reports(claimed_.load(std::memory_order_relaxed), limit); });
  if (!claimed.empty()) claimed_.store(claimed.back().number, std::memory_order_relaxed);
  return claimed;
}

void SqliteRepository::remove_reports(std::span<const std::uint64_t> numbers) {
  if (numbers.empty()) return;
  committer_->commit([numbers](SqliteWriter& writer) { writer.remove_reports(numbers); });
}

std::uint64_t SqliteRepository::waiting_reports() const {
  return committer_->waiting_reports();
}

std::uint64_t SqliteRepository::size() const {
  return committer_->size();
}

std::uint64_t SqliteRepository::count(const MessageFilter& filter) {
  return readers_->run([&](SqliteReader& reader) { return reader.count(filter); });
}

std::vector<PendingMessage> SqliteRepository::list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) {
  return readers_->run([&](SqliteReader& reader) { return reader.list(filter, skip, limit); });
}

std::vector<PendingMessage> SqliteRepository::find(MessageId id) {
  return readers_->run([&](SqliteReader& reader) { return reader.find(id); });
}

std::vector<PendingMessage> SqliteRepository::find_all(std::span<const MessageId> ids) {
  return readers_->run([&](SqliteReader& reader) { return reader.find_all(ids); });
}

std::uint64_t SqliteRepository::erase(MessageId id) {
  std::uint64_t pairs = 0;
  committer_->commit([&](SqliteWriter& writer) { pairs = writer.erase(id); });
  return pairs;
}

}  // namespace sse::store
