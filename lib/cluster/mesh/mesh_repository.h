#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "cluster/core/bus.h"
#include "cluster/core/interest.h"
#include "cluster/mesh/store_query.h"
#include "store/dead_letters.h"
#include "store/message_repository.h"
#include "store/repository_abilities.h"
#include "store/settlements.h"

namespace sse::cluster {

/// The store of pending messages for a cluster without a shared store: each message stays on the node that accepted it,
/// which sends it to the node with a stream of its recipient.
///
/// A node subscribes to the topic `pending:…` of each recipient for which it stores a message. A node that opens a
/// stream of the recipient queries that topic, and so reaches exactly the nodes with messages; confirmations go there,
/// too. No message is missed in between: the accepting node's subscription is known to all before it looks for streams,
/// and the node with the stream announces it before it queries. So one of them sees the other.
///
/// The messages of an unreachable node stay there until it is back; then the other nodes query again (Bus::Receiver's
/// bus_up(), and refresh_pending() when a node reports that it has started). Limits and keys apply per node, except
/// that an imported message is known to every node where it is pending. Of messages with one collapse key on several
/// nodes the newest is retained, while these nodes reach each other. Thread safe.
class MeshRepository final : public store::MessageRepository,
                             public store::DeadLetters,
                             public store::AttemptLog,
                             public store::WithdrawalReports,
                             public store::SharedStore {
 public:
  struct Options {
    std::chrono::milliseconds timeout{2000};  ///< for replies of other nodes
    std::function<void()> refresh_pending{};  ///< called when other nodes may have messages for streams of this node
    const Clock* clock = &Clock::system();    ///< must outlive this
    /// Calls note_attempts() with the deliveries counted on this node so far; does not wait for other nodes.
    std::function<void()> flush_attempts{};
  };
  /// This node's own store; all four must outlive this. Usually they are one object. Imports are known to all nodes,
  /// and collapse keys apply to all, if `messages` is a store::PartialStore.
  struct Own {
    store::MessageRepository& messages;
    store::MessageCatalog& catalog;
    store::DeadLetters& dead;
    store::AttemptLog& attempts;
  };
  MeshRepository(Own local, Bus& bus, Interest& interest, Options options);

  /// Subscribes for the messages stored earlier, and lets other nodes check whether they have recipients. REQUIRES: the
  /// bus' commands are passed to handle() from now on.
  void start();
  /// Makes other nodes query what their streams may have missed. Needed after they were unreachable: a node whose query
  /// failed does not repeat it by itself. Does not wait.
  void refresh_other_nodes();
  /// Handles a query of another node's repository; returns the reply. Throws Error(kInvalidArgument) for an invalid
  /// query. May block on the store.
  std::string handle(std::string_view bytes);

  // MessageRepository
  bool stores_unions() const override { return true; }
  std::vector<store::AddOutcome> add_in_order(std::span<const store::NewMessage> messages,
                                              const std::function<void()>& committed) override EXCLUDES(mutex_);
  void confirm(const ServiceName& service, const store::Recipient& recipient, MessageId id) override EXCLUDES(mutex_);
  std::vector<store::PendingMessage> pending(const ServiceName& service, std::span<const store::Recipient> recipients,
                                             MessageId after, std::size_t limit, ByteCount max_bytes,
                                             WallTime now) override;
  std::uint64_t expire(WallTime now) override EXCLUDES(mutex_);
  std::uint64_t size() const override { return own_.messages.size(); }
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override EXCLUDES(mutex_);
  void report_settled(const ServiceName& service, Settled settled) override {
    settlements_.set(service, std::move(settled));
  }
  bool reports_settled() const override { return true; }
  store::MessageRepository& local() override { return own_.messages; }

  // DeadLetters
  std::uint64_t count_dead(const store::MessageFilter& filter) override { return own_.dead.count_dead(filter); }
  std::vector<store::DeadLetter> list_dead(const store::MessageFilter& filter, std::uint64_t skip,
                                           std::size_t limit) override {
    return own_.dead.list_dead(filter, skip, limit);
  }
  std::vector<store::DeadLetter> page_dead(const store::MessageFilter& filter, std::size_t limit) override {
    return own_.dead.page_dead(filter, limit);
  }
  std::vector<store::LetterOutcome> add_dead(std::span<const store::DeadLetter> letters) override {
    return own_.dead.add_dead(letters);
  }
  std::vector<MessageId> requeue(MessageId id, const store::MessageFilter& filter, WallTime now) override;
  std::uint64_t purge_dead(MessageId id, const store::MessageFilter& filter) override {
    return own_.dead.purge_dead(id, filter);
  }

  /// Lets all nodes record the deliveries counted so far on the nodes with the messages. Waits for that, at most for
  /// the timeout of other nodes.
  void settle_attempts() EXCLUDES(mutex_);

  /// For messages of all nodes: each node counts for those that it stores. Does not wait for other nodes.
  void note_attempts(const ServiceName& service, std::span<const store::AttemptCount> attempts) override;

  /// The number of recipients for which this node stores messages.
  std::size_t held() const EXCLUDES(mutex_);

 private:
  class Signal;
  using Signals = std::vector<std::shared_ptr<Signal>>;
  struct HeldMessages {
    ServiceName service;
    store::Recipient recipient;
    std::uint64_t added = 0;        // number of additions so far
    std::shared_ptr<Signal> known;  // set when all nodes know of the subscription
    std::size_t underway = 0;       // messages being stored, which the store does not list yet
  };
  using Recipients = std::vector<std::pair<ServiceName, store::Recipient>>;

  /// Subscribes to the recipients' topics; the returned signals are set when all nodes know. `adding`: the messages are
  /// stored after the call, and added() follows.
  Signals subscribe_for(const Recipients& recipients, bool adding = false) EXCLUDES(mutex_);
  void added(const Recipients& recipients) EXCLUDES(mutex_);
  void wait(const Signals& signals) const;
  Signals subscribe_for_all();
  void touch(std::string topic) REQUIRES(mutex_) { touched_[std::move(topic)] = kLooks; }
  void unsubscribe_unused() EXCLUDES(mutex_);
  /// A message with a collapse key, for one recipient.
  struct Collapsing {
    ServiceName service;
    store::Recipient recipient;
    std::string collapse;
    MessageId first;     // first id of the message
    std::size_t number;  // index in the caller's list
  };
  /// Replaces older messages with the same collapse keys on all nodes, and waits for that. Returns for each the first
  /// id of an even newer message on another node.
  std::vector<MessageId> replace_older_everywhere(const std::vector<Collapsing>& fresh);
  std::vector<Replies> call_in_batches(const std::vector<Command>& commands);
  /// Returns for each imported message the id under which another node already stores it, by querying the nodes with
  /// messages for its recipient. Throws Error(kUnavailable) if a node does not reply, because the message could be
  /// stored twice.
  std::vector<MessageId> find_known_imports(std::span<const store::NewMessage> messages);
  // Handle the queries of other nodes and return the replies, as bytes.
  std::string answer(const RefreshQuery& query);
  std::string answer(const SettleQuery& query);
  std::string answer(const ConfirmQuery& query) EXCLUDES(mutex_);
  std::string answer(const AttemptsQuery& query);
  std::string answer(const KnownImportsQuery& query);
  std::string answer(const ReplaceQuery& query) EXCLUDES(mutex_);
  std::string answer(const PendingQuery& query);
  std::vector<store::AddOutcome> add_everywhere(std::span<const store::NewMessage> messages) EXCLUDES(mutex_);
  store::PartialStore::Replaced replace_here(const ServiceName& service, const store::Recipient& recipient,
                                             const std::string& collapse, MessageId than);
  std::vector<store::AddOutcome> add_here(std::span<const store::NewMessage> messages) EXCLUDES(mutex_);
  void apply_newer_replacements(std::span<const store::NewMessage> messages, std::vector<store::AddOutcome>& outcomes);
  void withdrawn(const std::vector<store::Withdrawn>& gone) EXCLUDES(mutex_);

  void settle_here() EXCLUDES(mutex_);
  /// Deliveries being reported to other nodes.
  struct InTransit {
    Mutex mutex;
    CondVar changed;
    std::uint64_t begun GUARDED_BY(mutex) = 0;
    std::uint64_t done GUARDED_BY(mutex) = 0;
    std::size_t settling GUARDED_BY(mutex) = 0;  // other nodes that wait for them
  };

  const Own own_;
  // Of own_.messages; null: it cannot.
  store::PartialStore* const partial_;
  store::WithdrawalReports* const withdrawals_of_own_;
  Bus& bus_;
  Interest& interest_;
  const Options options_;
  const std::shared_ptr<InTransit> attempts_ = std::make_shared<InTransit>();  // the bus may outlive this
  mutable Mutex mutex_;
  std::unordered_map<std::string, HeldMessages> held_ GUARDED_BY(mutex_);  // by topic
  // Topics whose messages may all be gone, and the number of remaining checks: a confirmation may still wait for the
  // disk.
  static constexpr int kLooks = 2;
  std::unordered_map<std::string, int> touched_ GUARDED_BY(mutex_);
  store::Settlements settlements_;
  std::uint64_t withdrawn_ GUARDED_BY(mutex_) = 0;  // pairs, for services of this node
  std::atomic<bool> unannounced_{false};            // there are messages without a subscription of this node
};

/// The topic of the nodes with pending messages for a recipient.
std::string pending_topic(const ServiceName& service, const store::Recipient& recipient);

}  // namespace sse::cluster
