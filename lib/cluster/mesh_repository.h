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
#include "cluster/bus.h"
#include "cluster/interest.h"
#include "delivery/dead_letters.h"
#include "delivery/message_repository.h"
#include "delivery/settlements.h"
#include "event/json.h"

namespace sse::cluster {

/// The pending messages of a cluster whose nodes share no store: each stays with the node that accepted it, and comes
/// from there to wherever its recipient is.
///
/// A node wants the topic `pending:…` of everybody it holds a message for. Whoever takes a recipient's stream asks that
/// topic, and so reaches just the nodes that hold something; a confirmation goes there, too. Nothing falls between two
/// nodes: the one that accepts a message wants its topic, known to all, before it looks for streams; the one that opens
/// a stream makes itself known before it asks. So one of them sees the other.
///
/// A node that cannot be reached keeps what it holds until it is back; then the others ask again (Bus::Receiver's
/// bus_up(), and look_again() of those that hear of a node's start). Limits and keys are of one node, but for what is
/// imported, which is known to whichever has it pending; of messages with one collapse key at several nodes the
/// youngest stays, as long as these can reach each other. Thread safe.
class MeshRepository final : public delivery::MessageRepository,
                             public delivery::DeadLetters,
                             public delivery::AttemptLog {
 public:
  struct Options {
    std::chrono::milliseconds patience{2000};  ///< for other nodes
    std::function<void()> look_again{};        ///< other nodes may have something for the streams here
    const Clock* clock = &Clock::system();     ///< outlives this
    /// Has note_attempts() called with what was counted on this node; does not wait for other nodes.
    std::function<void()> flush_attempts{};
  };
  /// What this node holds itself; all outlive this. The four are usually one object.
  struct Own {
    delivery::MessageRepository& messages;
    delivery::MessageCatalog& catalog;
    delivery::DeadLetters& dead;
    delivery::AttemptLog& attempts;
  };
  MeshRepository(Own own, Bus& bus, Interest& interest, Options options);

  /// Makes known what this node holds from earlier, and has the others look whether they have use for it. REQUIRES:
  /// what the bus receives comes to handle() from now on.
  void start();
  /// Has other nodes ask for what their streams may have missed. After they could not be reached: those who asked
  /// before this node could answer them do not ask again by themselves. Does not wait.
  void have_others_look();
  /// Does what another node's repository asks for; returns the answer. Throws Error(kInvalidArgument) for nonsense. May
  /// block on the store.
  std::string handle(std::string_view bytes);

  // MessageRepository
  std::vector<delivery::AddOutcome> add_all(std::span<const delivery::NewMessage> messages) override EXCLUDES(mutex_);
  void confirm(const ServiceName& service, const delivery::Recipient& recipient, MessageId id) override
      EXCLUDES(mutex_);
  std::vector<delivery::PendingMessage> pending(const ServiceName& service,
                                                std::span<const delivery::Recipient> recipients, MessageId after,
                                                std::size_t limit, ByteCount most, WallTime now) override;
  std::uint64_t expire(WallTime now) override EXCLUDES(mutex_);
  std::uint64_t size() const override { return own_.messages.size(); }
  void report_withdrawn(const ServiceName& service, Withdraw withdraw) override EXCLUDES(mutex_);
  void report_settled(const ServiceName& service, Settled settled) override {
    settlements_.set(service, std::move(settled));
  }
  bool tells_settled() const override { return true; }
  bool shared() const override { return true; }
  delivery::MessageRepository& own() override { return own_.messages; }

  // DeadLetters
  std::uint64_t count_dead(const delivery::MessageFilter& filter) override { return own_.dead.count_dead(filter); }
  std::vector<delivery::DeadLetter> list_dead(const delivery::MessageFilter& filter, std::uint64_t skip,
                                              std::size_t limit) override {
    return own_.dead.list_dead(filter, skip, limit);
  }
  std::vector<delivery::DeadLetter> page_dead(const delivery::MessageFilter& filter, std::size_t limit) override {
    return own_.dead.page_dead(filter, limit);
  }
  std::vector<delivery::LetterOutcome> add_dead(std::span<const delivery::DeadLetter> letters) override {
    return own_.dead.add_dead(letters);
  }
  std::vector<MessageId> requeue(MessageId id, const delivery::MessageFilter& filter, WallTime now) override;
  std::uint64_t purge_dead(MessageId id, const delivery::MessageFilter& filter) override {
    return own_.dead.purge_dead(id, filter);
  }

  /// Has the deliveries that all nodes have counted so far noted where the messages are. Waits for that, not longer
  /// than for other nodes' answers.
  void settle_attempts() EXCLUDES(mutex_);

  /// Of messages of all nodes: each node counts those that it holds. Does not wait for other nodes.
  void note_attempts(const ServiceName& service, std::span<const delivery::Attempted> attempts) override;

  /// How many recipients this node holds something for.
  std::size_t held() const EXCLUDES(mutex_);

 private:
  class Signal;
  using Signals = std::vector<std::shared_ptr<Signal>>;
  struct Held {
    ServiceName service;
    delivery::Recipient recipient;
    std::uint64_t added = 0;        // how often something was
    std::shared_ptr<Signal> known;  // to all
    std::size_t underway = 0;       // on their way into the store, which does not list them yet
  };
  using Recipients = std::vector<std::pair<ServiceName, delivery::Recipient>>;

  /// Wants the topics of these; what it returns is set as soon as all nodes know.
  /// `adding`: what is for them is stored only then, and added() follows.
  Signals hold(const Recipients& recipients, bool adding = false) EXCLUDES(mutex_);
  void added(const Recipients& recipients) EXCLUDES(mutex_);
  void wait(const Signals& signals) const;
  Signals hold_all_there_is();
  void touch(std::string topic) REQUIRES(mutex_) { touched_[std::move(topic)] = kLooks; }
  void let_go() EXCLUDES(mutex_);
  /// A message that has a collapse key, for one recipient.
  struct Collapsing {
    ServiceName service;
    delivery::Recipient recipient;
    std::string collapse;
    MessageId first;     // id
    std::size_t number;  // of the caller
  };
  /// A younger message takes the place of those with its collapse key, at whichever node they are: waits until they are
  /// gone. Returns of each the first id of one that is younger still, at another node.
  std::vector<MessageId> have_older_replaced(const std::vector<Collapsing>& fresh);
  std::vector<Answers> ask_in_parts(const std::vector<Command>& commands);
  /// Of each that is imported, the id of the message at another node that is this one; asks those that hold something
  /// for its recipient. Throws Error(kUnavailable) where one does not say: the message could be kept twice.
  std::vector<MessageId> known_elsewhere(std::span<const delivery::NewMessage> messages);
  std::string answer_known(const event::Json& line, const ServiceName& service, const delivery::Recipient& recipient);
  std::vector<delivery::AddOutcome> add_here(std::span<const delivery::NewMessage> messages) EXCLUDES(mutex_);
  void yield_to_younger(std::span<const delivery::NewMessage> messages, std::vector<delivery::AddOutcome>& outcomes);
  void withdrawn(const std::vector<delivery::Withdrawn>& gone) EXCLUDES(mutex_);

  void settle_here() EXCLUDES(mutex_);
  /// Attempts on their way to other nodes.
  struct Underway {
    Mutex mutex;
    CondVar changed;
    std::uint64_t begun GUARDED_BY(mutex) = 0;
    std::uint64_t done GUARDED_BY(mutex) = 0;
    std::size_t settling GUARDED_BY(mutex) = 0;  // other nodes that wait for them
  };

  const Own own_;
  Bus& bus_;
  Interest& interest_;
  const Options options_;
  const std::shared_ptr<Underway> attempts_ = std::make_shared<Underway>();  // the bus may be later than this
  mutable Mutex mutex_;
  std::unordered_map<std::string, Held> held_ GUARDED_BY(mutex_);  // by topic
  // Topics that may be held for nothing, and how many more looks each gets: a confirmation may wait for the disk.
  static constexpr int kLooks = 2;
  std::unordered_map<std::string, int> touched_ GUARDED_BY(mutex_);
  delivery::Settlements settlements_;
  std::uint64_t withdrawn_ GUARDED_BY(mutex_) = 0;  // pairs, of services of this node
  std::atomic<bool> unheld_{false};                 // somebody's messages that other nodes do not know of
};

/// Topic of the nodes that hold pending messages for somebody.
std::string pending_topic(const ServiceName& service, const delivery::Recipient& recipient);

}  // namespace sse::cluster
