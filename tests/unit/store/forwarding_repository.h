#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "store/message_repository.h"

namespace sse::testing {

/// Forwards what every repository implements to another one, but none of its abilities; a test's repository overrides
/// what it does differently, and derives from the abilities that it has.
class ForwardingRepository : public store::MessageRepository {
 public:
  /// `real` must outlive it.
  explicit ForwardingRepository(store::MessageRepository& real) : real_(real) {}
  bool stores_unions() const override { return true; }
  std::vector<store::AddOutcome> add_in_order(std::span<const store::NewMessage> messages,
                                              const std::function<void()>& committed) override {
    return real_.add_in_order(messages, committed);
  }
  void confirm(const ServiceName& service, const store::Recipient& recipient, MessageId id) override {
    real_.confirm(service, recipient, id);
  }
  std::vector<store::PendingMessage> pending(const ServiceName& service, std::span<const store::Recipient> recipients,
                                             MessageId after, std::size_t limit, ByteCount max_bytes,
                                             WallTime now) override {
    return real_.pending(service, recipients, after, limit, max_bytes, now);
  }
  std::uint64_t expire(WallTime now) override { return real_.expire(now); }
  std::uint64_t size() const override { return real_.size(); }

 protected:
  store::MessageRepository& real() const { return real_; }

 private:
  store::MessageRepository& real_;
};

}  // namespace sse::testing
