#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/mutex.h"
#include "delivery/message_repository.h"

namespace sse::delivery {

/// Pending messages that end with the process (`--db :memory:`). Thread safe and never blocks on anything but its
/// mutex, so that every thread may call.
class MemoryRepository final : public MessageRepository, public MessageCatalog {
 public:
  /// `ids` must outlive this.
  explicit MemoryRepository(IdGenerator& ids, std::size_t max_per_recipient = 10'000)
      : max_per_recipient_(max_per_recipient), ids_(ids) {}

  std::vector<AddOutcome> add_all(std::span<const NewMessage> messages) override EXCLUDES(mutex_);
  void confirm(const ServiceName& service, const Recipient& recipient, MessageId id) override EXCLUDES(mutex_);
  std::vector<PendingMessage> pending(const ServiceName& service, std::span<const Recipient> recipients,
                                      MessageId after, std::size_t limit, ByteCount most, WallTime now) override
      EXCLUDES(mutex_);
  std::uint64_t expire(WallTime now) override EXCLUDES(mutex_);
  std::uint64_t size() const override EXCLUDES(mutex_);

  std::uint64_t count(const MessageFilter& filter) override EXCLUDES(mutex_);
  std::vector<PendingMessage> list(const MessageFilter& filter, std::uint64_t skip, std::size_t limit) override
      EXCLUDES(mutex_);
  std::vector<PendingMessage> find(MessageId id) override EXCLUDES(mutex_);
  std::uint64_t erase(MessageId id) override EXCLUDES(mutex_);

 private:
  MessageId keep(const NewMessage& message) REQUIRES(mutex_);
  struct Message {
    ServiceName service;
    event::TargetKind kind;
    std::set<std::string> names;  ///< those who have not confirmed
    bool listening;
    std::string event;
    std::string data;
    WallTime created;
    WallTime expires;
  };
  using Messages = std::map<MessageId, Message>;
  using RecipientKey = std::tuple<ServiceName, event::TargetKind, std::string>;

  std::uint64_t erase_locked(Messages::iterator message) REQUIRES(mutex_);
  void forget(const RecipientKey& recipient, MessageId id) REQUIRES(mutex_);
  static PendingMessage row(MessageId id, const Message& message, const std::string& name, bool with_data);
  static bool matches(const MessageFilter& filter, const Message& message, const std::string& name);

  // Constant after construction.
  const std::size_t max_per_recipient_;
  IdGenerator& ids_;

  mutable Mutex mutex_;
  Messages messages_ GUARDED_BY(mutex_);
  std::map<RecipientKey, std::set<MessageId>> by_recipient_ GUARDED_BY(mutex_);
  std::set<std::pair<WallTime, MessageId>> by_expiry_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_) = 0;
};

}  // namespace sse::delivery
