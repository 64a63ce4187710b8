#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/outbox.h"
#include "store/repository_abilities.h"
#include "store/store_limits.h"
#include "store/withdrawals.h"
#include "store/write_probe.h"

namespace sse {
class LockFile;
}

namespace sse::store {

class Committer;
class ReaderPool;

/// The store of pending messages in one SQLite file, owned by one server. Thread safe; loop threads may only call
/// confirm() and size().
///
/// One thread writes (see Committer); readers have their own connections and never wait for the writer (WAL).
class SqliteRepository final : public MessageRepository,
                               public MessageCatalog,
                               public DeadLetters,
                               public AttemptLog,
                               public AsyncAdd,
                               public WithdrawalReports,
                               public ConfirmationCounter,
                               public PartialStore,
                               public WriteProbe,
                               public Outbox {
 public:
  enum class Sync {
    kFull,    ///< fsync before every answer: survives a power loss
    kNormal,  ///< no fsync on commit: survives `kill -9`; a power loss may lose the last seconds
  };
  struct Options {
    std::string path;
    Sync sync = Sync::kFull;
    /// Creates missing folders of `path`, mode 0700. Otherwise a missing folder is an error: it is most likely
    /// misspelt, and the existing messages are elsewhere.
    bool make_folders = false;
    StoreLimits limits{};
    /// How long to wait for another program that has the file locked.
    std::chrono::milliseconds busy_timeout{2000};
    /// After this long without writes, unused space is released.
    std::chrono::milliseconds idle{1000};
    /// Called on the committer's thread for failures that no caller waits for, and by the constructor for repairs. Must
    /// not throw or call the repository.
    std::function<void(const std::string&)> on_error;
  };

  /// Opens the file, or creates it (mode 0600). `ids` must outlive this; it is raised above every id the file ever
  /// held. Throws Error and leaves the file unchanged: kConflict when another repository has it open or a newer version
  /// wrote it, kIo when it is damaged, not a database or another program's, kInvalidArgument for a folder,
  /// kPermissionDenied.
  SqliteRepository(Options options, IdGenerator& ids);
  /// Writes the queued work and closes; the file is then complete without its `-wal`. REQUIRES: no call is running.
  ~SqliteRepository() override;

  bool stores_unions() const override { return true; }
  std::vector<AddOutcome> add_in_order(std::span<const NewMessage> messages,
                                       const std::function<void()>& committed) override;
  bool add_async(NewMessage message, Added added) override;
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) override;
  void count_confirmed(const ServiceName& service, observe::Counter* counter) override;
  std::vector<MessageId> known_imports(std::span<const NewMessage> messages) override;
  Replaced replace_older(const ServiceName& service, const Recipient& recipient, const std::string& collapse,
                         MessageId than) override;
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override {
    withdrawals_.set(service, std::move(withdraw));
  }
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount max_bytes, WallTime now) override;
  std::uint64_t expire(WallTime now) override;
  std::uint64_t size() const override;

  std::uint64_t count(const MessageFilter& filter) override;
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override;
  std::vector<PendingMessage> find(MessageId id) override;
  std::vector<PendingMessage> find_all(std::span<const MessageId> ids) override;
  std::uint64_t erase(MessageId id) override;
  std::uint64_t purge(const MessageFilter& filter) override;

  std::uint64_t count_dead(const MessageFilter& filter) override;
  std::vector<DeadLetter> list_dead(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override;
  std::vector<DeadLetter> page_dead(const MessageFilter& filter, std::size_t limit) override;
  std::vector<LetterOutcome> add_dead(std::span<const DeadLetter> letters) override;
  std::vector<MessageId> requeue(MessageId id, const MessageFilter& filter, WallTime now) override;
  std::uint64_t purge_dead(MessageId id, const MessageFilter& filter) override;

  void note_attempts(const ServiceName& service, std::span<const AttemptCount> attempts) override;

  void probe_writes(std::function<void()> answer) override;

  void listen_to_reports(Reported reported) override { report_listener_.set(std::move(reported)); }
  std::vector<StoredReport> claim_reports(std::size_t limit) override;
  void renew_claims(std::span<const std::uint64_t> /*numbers*/) override {}
  void remove_reports(std::span<const std::uint64_t> numbers) override;
  std::uint64_t waiting_reports() const override;

 private:
  IdGenerator& ids_;
  Withdrawals withdrawals_;
  ReportListener report_listener_;
  std::atomic<std::uint64_t> claimed_{0};  ///< delivery reports up to this number
  // In order of construction; destroyed in reverse, so that the writer closes last and removes the WAL.
  std::unique_ptr<LockFile> lock_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<ReaderPool> readers_;
};

}  // namespace sse::store
