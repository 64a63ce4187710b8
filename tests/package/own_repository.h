#pragma once

#include <sse-server/components.h>
#include <sse-server/message_repository.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

/// The smallest store that a program can provide: in memory, without keys, collapse keys and limits.
class OwnRepository final : public sse::MessageRepository {
 public:
  explicit OwnRepository(sse::MessageIds& ids) : ids_(ids) {}

  std::vector<sse::AddOutcome> add_in_order(std::span<const sse::NewMessage> messages,
                                            const std::function<void()>& committed) override {
    const std::scoped_lock lock(mutex_);
    std::vector<sse::AddOutcome> outcomes;
    for (const sse::NewMessage& message : messages) {
      Stored stored{message, {}};
      for (const std::string& name : message.target.names) stored.open.push_back({message.target.kind, name});
      if (message.target.kind == sse::TargetKind::kAll) stored.open.push_back({});
      sse::AddOutcome outcome;
      outcome.id = ids_.next();
      outcome.pending = stored.open.size();
      messages_.emplace(outcome.id, std::move(stored));
      outcomes.push_back(std::move(outcome));
    }
    added_ += outcomes.size();
    if (committed) committed();
    return outcomes;
  }

  void confirm(const sse::ServiceName& service, const sse::Recipient& recipient, sse::MessageId id) override {
    const std::scoped_lock lock(mutex_);
    const auto found = messages_.find(id);
    if (found == messages_.end() || found->second.message.service != service) return;
    std::erase(found->second.open, recipient);
    if (found->second.open.empty()) messages_.erase(found);
  }

  std::vector<sse::PendingMessage> pending(const sse::ServiceName& service, std::span<const sse::Recipient> recipients,
                                           sse::MessageId after, std::size_t limit, sse::ByteCount max_bytes,
                                           sse::WallTime now) override {
    const std::scoped_lock lock(mutex_);
    std::vector<sse::PendingMessage> rows;
    std::uint64_t bytes = 0;
    for (auto next = messages_.upper_bound(after); next != messages_.end(); ++next) {
      if (rows.size() >= limit || bytes >= max_bytes.count()) break;
      const sse::NewMessage& message = next->second.message;
      if (message.service != service || message.expires <= now) continue;
      const sse::Payload data = message.data;
      for (const sse::Recipient& recipient : next->second.open) {
        if (std::ranges::find(recipients, recipient) == recipients.end()) continue;
        sse::PendingMessage row;
        row.id = next->first;
        row.service = service;
        row.recipient = recipient;
        row.listening = message.target.listening;
        row.event = message.event;
        row.data = data;
        row.data_size = data.size();
        row.created = message.created;
        row.expires = message.expires;
        bytes += data.size();
        rows.push_back(std::move(row));
      }
    }
    return rows;
  }

  std::uint64_t expire(sse::WallTime now) override {
    const std::scoped_lock lock(mutex_);
    std::uint64_t pairs = 0;
    for (auto next = messages_.begin(); next != messages_.end();) {
      if (next->second.message.expires > now) {
        ++next;
        continue;
      }
      pairs += next->second.open.size();
      next = messages_.erase(next);
    }
    return pairs;
  }

  std::uint64_t size() const override {
    const std::scoped_lock lock(mutex_);
    std::uint64_t pairs = 0;
    for (const auto& [id, stored] : messages_) pairs += stored.open.size();
    return pairs;
  }

  /// Messages added so far.
  std::size_t added() const {
    const std::scoped_lock lock(mutex_);
    return added_;
  }

 private:
  struct Stored {
    sse::NewMessage message;
    std::vector<sse::Recipient> open;  // have not confirmed it
  };

  sse::MessageIds& ids_;
  mutable std::mutex mutex_;
  std::map<sse::MessageId, Stored> messages_;
  std::size_t added_ = 0;
};
