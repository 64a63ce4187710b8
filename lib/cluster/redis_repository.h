#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cluster/redis_link.h"
#include "cluster/redis_script.h"
#include "delivery/dead_letters.h"
#include "delivery/message_repository.h"
#include "delivery/settlements.h"
#include "delivery/store_limits.h"
#include "delivery/withdrawals.h"

namespace sse::observe {
class Counter;
}

namespace sse::cluster {

/// Pending messages in Redis, shared by all nodes of a cluster, so that any of them can deliver. Every change is one
/// Lua script and so atomic. What was added survives whatever Redis' own persistence survives: with `appendonly yes`
/// (and any `appendfsync`) the death of the redis-server process, with `appendfsync always` also that of the machine.
///
/// Ids are made inside the scripts, from Redis' clock and under node number kIdNode, so that they grow in commit order
/// over all nodes, whatever the nodes' clocks say.
/// What Redis has lost alone (an evicted key) is told of, and counts and lists are made to agree again.
/// Times in Redis are by its clock, too: a node whose own is a second or more off converts, so that no message expires
/// by the clock of another node.
class RedisRepository final : public delivery::MessageRepository,
                              public delivery::MessageCatalog,
                              public delivery::DeadLetters,
                              public delivery::AttemptLog,
                              private RedisLink::Listener {
 public:
  struct Options {
    RedisLinkOptions link;
    std::string prefix = "sse:";
    delivery::StoreLimits limits;
    std::chrono::milliseconds look{1000};  ///< how often size() learns what other nodes did
    std::chrono::milliseconds inspect =
        std::chrono::seconds(10);  ///< how often Redis' memory and evictions are looked at
    std::chrono::milliseconds recount =
        std::chrono::hours(1);  ///< how often what is counted is compared with what is there
    /// A Redis that evicts keys without a time to live loses messages: told of where this is set, else refused.
    bool allow_eviction = false;
    std::size_t max_confirmations = 1'000'000;  ///< that wait for Redis; more are dropped, which is told
    observe::Counter* dropped = nullptr;        ///< adds up those; must outlive this
    /// Told in one sentence when something failed that nobody waits for, and what Redis has lost.
    std::function<void(const std::string&)> on_error;
  };
  /// Node number of the ids made here; no node has it.
  static constexpr unsigned kIdNode = 1023;

  /// Throws Error as RedisLink::require_up() after `patience`; kConflict where Redis evicts, see allow_eviction. One
  /// that is over its memory is told of: what is there is delivered, confirmed and expires, new messages are refused.
  RedisRepository(Options options, std::chrono::milliseconds patience);
  ~RedisRepository() override;
  RedisRepository(const RedisRepository&) = delete;
  RedisRepository& operator=(const RedisRepository&) = delete;

  /// Throws Error(kUnavailable) without Redis; where the answer was lost, the messages may have been kept.
  std::vector<delivery::AddOutcome> add_all(std::span<const delivery::NewMessage> messages) override {
    return add_in_order(messages, {});
  }
  /// `committed` runs on the thread of the link to Redis; the order is that of the messages of this node.
  std::vector<delivery::AddOutcome> add_in_order(std::span<const delivery::NewMessage> messages,
                                                 const std::function<void()>& committed) override;
  /// `added` runs on the thread of the link to Redis.
  bool add_soon(delivery::NewMessage message, Added added) override;
  bool adds_soon() const override { return true; }
  void confirm(const ServiceName& service, const delivery::Recipient& recipient, MessageId id) override
      EXCLUDES(mutex_);
  std::vector<delivery::PendingMessage> pending(const ServiceName& service,
                                                std::span<const delivery::Recipient> recipients, MessageId after,
                                                std::size_t limit, ByteCount most, WallTime now) override;
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override {
    withdrawals_.set(service, std::move(withdraw));
  }
  std::uint64_t expire(WallTime now) override;
  std::uint64_t size() const override { return size_.load(std::memory_order_relaxed); }
  bool shared() const override { return true; }
  void report_settled(const ServiceName& service, Settled settled) override {
    settlements_.set(service, std::move(settled));
  }
  bool tells_settled() const override { return tells_settled_.load(); }

  std::uint64_t count(const delivery::MessageFilter& filter) override;
  std::vector<delivery::PendingMessage> list(const delivery::MessageFilter& filter, std::uint64_t skip,
                                             std::size_t limit) override;
  std::vector<delivery::PendingMessage> find(MessageId id) override;
  std::vector<delivery::PendingMessage> find_all(std::span<const MessageId> ids) override;
  std::uint64_t erase(MessageId id) override;
  std::uint64_t purge(const delivery::MessageFilter& filter) override;

  std::uint64_t count_dead(const delivery::MessageFilter& filter) override;
  std::vector<delivery::DeadLetter> list_dead(const delivery::MessageFilter& filter, std::uint64_t skip,
                                              std::size_t limit) override;
  std::vector<delivery::DeadLetter> page_dead(const delivery::MessageFilter& filter, std::size_t limit) override;
  std::vector<delivery::LetterOutcome> add_dead(std::span<const delivery::DeadLetter> letters) override;
  std::vector<MessageId> requeue(MessageId id, const delivery::MessageFilter& filter, WallTime now) override;
  std::uint64_t purge_dead(MessageId id, const delivery::MessageFilter& filter) override;

  void note_attempts(const ServiceName& service, std::span<const delivery::Attempted> attempts) override;

 private:
  // RedisLink::Listener, of subscriber_
  void link_up() override;
  void link_down(const std::string& why) override;
  void link_pushed(std::vector<RedisReply> pushes) override;

  struct Confirmation {
    std::string recipient;
    std::string name;
    MessageId id;
  };
  struct Dead {
    std::string serial;
    std::string data;  ///< the key that has it: one of its own, or of all letters of its message
    delivery::DeadLetter letter;
    bool gone = false;  ///< requeued or purged while its data was read
  };

  void run() EXCLUDES(mutex_);
  void work(std::vector<Confirmation>& batch, SteadyTime& next_look);
  void inspect(bool starting);
  void inspect_memory(bool starting);
  void begin_repair(bool relist);
  void repair_step();
  void recount_step();
  std::uint64_t drop(const std::vector<Confirmation>& pairs);
  void look();
  void report_deleted(const std::vector<delivery::PendingMessage>& rows);
  RedisReply run_script(const RedisScript& script, std::vector<std::string> arguments);
  std::size_t append_message(const delivery::NewMessage& message, std::vector<std::string>& arguments) const;
  std::vector<delivery::AddOutcome> outcomes_of(std::span<const delivery::NewMessage> messages,
                                                const RedisReply& reply);
  std::vector<std::string> limits() const;
  delivery::AddOutcome outcome_of(const delivery::NewMessage& message, const RedisReply* field) const;
  template <class Use>
  void each(const delivery::MessageFilter& filter, Use use);
  template <class Use>
  void each_dead(MessageId id, const delivery::MessageFilter& filter, Use use);  // without data
  void read_data(std::vector<Dead>& letters);
  std::vector<delivery::PendingMessage> read(const std::vector<std::string>& members, bool with_data);
  std::string there(WallTime time) const;
  WallTime here(const std::string& text) const;
  void report(const std::string& sentence) const;
  const Clock& clock() const { return *options_.link.clock; }

  const Options options_;
  const std::string prefix_;
  struct Scripts;
  const std::unique_ptr<const Scripts> scripts_;
  delivery::Withdrawals withdrawals_;
  RedisLink link_;
  delivery::Settlements settlements_;
  std::atomic<bool> tells_settled_{false};
  RedisLink subscriber_;  // hears what settlements_ reports
  std::atomic<std::uint64_t> size_{0};
  std::atomic<std::int64_t> ahead_{0};  // milliseconds that Redis' clock is ahead of ours

  // thread_ only, after the constructor.
  std::string epoch_;  // of the data in Redis
  SteadyTime next_inspection_{};
  SteadyTime next_recount_{};
  std::string policy_;  // as told last
  bool full_ = false;   // as told last
  bool uninspected_ = false;
  std::uint64_t evicted_ = 0;  // of all keys of that Redis
  enum class Repair : unsigned char { kNone, kRelist, kRecount };
  Repair repair_ = Repair::kNone;
  bool repair_begins_ = false;
  std::string scan_cursor_;
  std::uint64_t relisted_ = 0;

  std::thread thread_;  // writes confirmations, looks

  Mutex mutex_;
  CondVar changed_;
  std::deque<Confirmation> queue_ GUARDED_BY(mutex_);
  bool dropping_ GUARDED_BY(mutex_) = false;  // since some were dropped
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace sse::cluster
