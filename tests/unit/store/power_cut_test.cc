// The power goes: under load at random moments, and at each single call of a short story. What was answered is there
// afterwards, and the file is whole. SSE_POWER_ROUNDS and SSE_POWER_SEED ask for more or for one again.
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "base/manual_clock.h"
#include "store/sqlite/sqlite_repository.h"
#include "support/process.h"
#include "unit/store/power_cut_vfs.h"
#include "unit/store/store_fixture.h"

namespace sse::store {
namespace {

using sse::testing::kSanitized;

unsigned number_from(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

unsigned base_seed() {
  return number_from("SSE_POWER_SEED", std::random_device{}());
}

SqliteRepository::Options options_for(const std::string& path) {
  SqliteRepository::Options options;
  options.path = path;
  options.idle = std::chrono::milliseconds(1);
  return options;
}

void put(const PowerCutVfs::Disk& disk, const TempFolder& folder) {
  for (const auto& [path, content] : disk) {
    if (!content.empty()) write_file(folder.file(std::filesystem::path(path).filename()), content);
  }
}

TEST(PowerCut, CostsNothingThatWasAnswered) {
  const unsigned first = base_seed();
  const unsigned rounds = number_from("SSE_POWER_ROUNDS", 30);
  std::size_t answered_in_all = 0;
  std::size_t unsynced = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned seed = first + round;
    SCOPED_TRACE("SSE_POWER_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const TempFolder folder;
    IdGenerator ids(1);
    SqliteRepository(options_for(folder.file(kDatabase)), ids).add(to_users({"before"}, "before"));
    PowerCutVfs::Disk disk;
    std::set<std::string> answered{"before"};
    {
      PowerCutVfs vfs(folder.path());
      SqliteRepository repository(options_for(folder.file(kDatabase)), ids);
      std::atomic<bool> done{false};
      std::mutex mutex;
      std::set<std::string> promised{"before"};
      std::vector<std::thread> senders;
      for (int s = 0; s < 4; ++s) {
        senders.emplace_back([&, s] {
          for (int i = 0; !done; ++i) {
            const std::string data =
                std::to_string(s) + "/" + std::to_string(i) + std::string(static_cast<std::size_t>(i % 7) * 900, 'x');
            const MessageId id = repository.add(to_users({std::to_string(s)}, data));
            const std::scoped_lock lock(mutex);
            promised.insert(data);
            // Deleted pages, free lists and shrinking files are cut off in the middle, too.
            if (i % 5 == 4) {
              promised.erase(data);
              repository.confirm(kService, user(std::to_string(s)), id);
            }
          }
        });
      }
      // The power goes at any moment of the writing.
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
      {
        // What is promised now was not confirmed before.
        const std::scoped_lock lock(mutex);
        answered = promised;
        disk = vfs.cut(random);
        unsynced += vfs.unsynced();
      }
      done = true;
      for (std::thread& sender : senders) sender.join();
    }
    answered_in_all += answered.size();
    const TempFolder after;
    put(disk, after);
    SqliteRepository repository(options_for(after.file(kDatabase)), ids);
    std::set<std::string> there;
    for (const char* name : {"before", "0", "1", "2", "3"}) {
      for (const PendingMessage& row : pending_of(repository, user(name))) {
        EXPECT_FALSE(row.damaged);
        there.insert(row.data);
      }
    }
    for (const std::string& data : answered)
      EXPECT_TRUE(there.contains(data)) << "answered and lost: " << data.substr(0, data.find('x'));
    EXPECT_EQ(repository.count({}), repository.size());
    EXPECT_EQ(Shell(after.file(kDatabase)).run("PRAGMA integrity_check"), "ok");
    if (::testing::Test::HasFailure()) return;
  }
  std::cout << rounds << " power cuts from SSE_POWER_SEED=" << first << ": " << answered_in_all << " answered, 0 lost, "
            << unsynced << " unsynced bytes lost or torn\n";
}

// What is known of each (user, data), of which each is sent once. Thread safe.
class Promises {
 public:
  enum class State {
    kUnknown,  // asked for and not answered, or confirmed, for which no caller waits
    kPending,
    kDead,
    kGone,  // deleted, or replaced by a younger one
  };
  using Pair = std::pair<std::string, std::string>;

  void set(const Pair& pair, State state) {
    const std::scoped_lock lock(mutex_);
    states_[pair] = state;
  }
  std::map<Pair, State> states() const {
    const std::scoped_lock lock(mutex_);
    return states_;
  }

  /// Whether a store keeps them. Changes the store.
  void expect_kept(const std::string& path) const {
    IdGenerator ids(2);
    SqliteRepository::Options options;
    options.path = path;
    options.on_error = [](const std::string& what) { ADD_FAILURE() << what; };
    std::map<Pair, std::size_t> pending;
    std::map<Pair, std::size_t> dead;
    {
      SqliteRepository repository(options, ids);
      MessageId last;
      for (const PendingMessage& listed : repository.list({}, 0, 100'000)) last = std::max(last, listed.id);
      std::set<std::string> users;
      for (const PendingMessage& listed : repository.list({}, 0, 100'000)) users.insert(listed.recipient.name);
      for (const std::string& name : users) {
        for (const PendingMessage& row : pending_of(repository, user(name))) {
          EXPECT_FALSE(row.damaged) << row.data.str().substr(0, 30);
          ++pending[{name, row.data}];
        }
      }
      for (const DeadLetter& letter : repository.list_dead({}, 0, 100'000))
        ++dead[{letter.message.recipient.name, letter.message.data}];
      EXPECT_EQ(repository.count({}), repository.size());
      EXPECT_EQ(repository.count({}), pending.size());
      EXPECT_EQ(repository.count_dead({}), dead.size());
      EXPECT_GT(repository.add(to_users({"after"})), last);
    }
    EXPECT_EQ(Shell(path).run("PRAGMA integrity_check"), "ok");
    const std::map<Pair, State> states = this->states();
    const auto name = [](const Pair& pair) { return pair.first + ": " + pair.second.substr(0, 30); };
    for (const auto& [pair, state] : states) {
      const std::size_t there = pending[pair];
      const std::size_t moved_to_dead = dead[pair];
      EXPECT_LE(there + moved_to_dead, 1U) << "twice: " << name(pair);
      if (state == State::kPending) {
        EXPECT_EQ(there, 1U) << "answered and lost: " << name(pair);
      }
      if (state == State::kDead) {
        EXPECT_EQ(moved_to_dead, 1U) << "expired and lost: " << name(pair);
      }
      if (state == State::kGone) {
        EXPECT_EQ(there + moved_to_dead, 0U) << "deleted and back: " << name(pair);
      }
    }
    for (const auto& found : {pending, dead}) {
      for (const auto& [pair, count] : found) EXPECT_TRUE(states.contains(pair)) << "never sent: " << name(pair);
    }
  }
  void expect_kept_on(const PowerCutVfs::Disk& disk) const {
    const TempFolder after;
    put(disk, after);
    try {
      expect_kept(after.file(kDatabase));
    } catch (const std::exception& e) {
      // On a thread of the store, which it would end.
      ADD_FAILURE() << e.what();
    }
    // For who looks for the cause.
    static bool kept = false;
    const char* keep = std::getenv("SSE_POWER_KEEP");
    if (keep != nullptr && ::testing::Test::HasFailure() && !std::exchange(kept, true)) {
      for (const auto& [path, content] : disk)
        write_file(std::string(keep) + "/" + std::filesystem::path(path).filename().string(), content);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<Pair, State> states_;
};

// Sends, deletes, expires and so on, one after the other, with the store closed and opened in between. Where a call
// fails, what it was about stays unknown.
class Story {
 public:
  Story(const TempFolder& folder, unsigned seed) : path_(folder.file(kDatabase)), random_(seed), ids_(1, 0, clock_) {
    open();
  }

  Promises& promises() { return promises_; }
  void run(int chapters, int steps) {
    for (int chapter = 0; chapter < chapters; ++chapter) {
      for (int i = 0; i < steps; ++i) step();
      if (chapter % 2 == 1) checkpoint();
      if (chapter + 1 < chapters) {
        repository_.reset();
        open();
      }
    }
  }
  // Space that is given back: pages move, and the file gets shorter.
  void shrink() {
    const std::string large(3'000'000, 'x');
    attempt([&] {
      promises_.set({"9", large}, State::kUnknown);
      repository_->erase(repository_->add(to_users({"9"}, large)));
      promises_.set({"9", large}, State::kGone);
    });
    const auto size = [&] { return std::filesystem::file_size(path_); };
    checkpoint();
    const auto before = size();
    EXPECT_TRUE(clock_.advance_until(std::chrono::seconds(2), [&] { return size() < before; }));
  }
  void close() { repository_.reset(); }

 private:
  using State = Promises::State;
  struct Sent {
    MessageId id;
    std::string user;
    std::string data;
  };

  // What failed once may work the next time.
  void open() {
    for (int i = 0; i < 5 && !repository_; ++i) {
      attempt([&] {
        SqliteRepository::Options options;
        options.path = path_;
        options.idle = std::chrono::seconds(1);
        repository_ = std::make_unique<SqliteRepository>(options, ids_);
      });
    }
  }
  template <class F>
  static void attempt(F&& f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kIo) << e.what();
    }
  }
  void step() {
    if (!repository_) return;
    const auto what = static_cast<unsigned>(random_() % 100);
    if (what < 60 || sent_.empty()) {
      add(what % 4 == 0, what % 5 == 0);
      return;
    }
    const std::size_t at = random_() % sent_.size();
    const Sent one = sent_[at];
    if (what < 75) {
      promises_.set({one.user, one.data}, State::kUnknown);
      repository_->confirm(kService, user(one.user), one.id);
    } else if (what < 90) {
      erase(one);
    } else {
      expire();
      return;
    }
    std::erase_if(sent_, [&](const Sent& other) { return other.id == one.id && other.user == one.user; });
  }
  void add(bool brief, bool collapses) {
    const std::string data = "message " + std::to_string(++number_) + std::string(random_() % 4 * 1700, 'x');
    std::vector<std::string> users{std::to_string(random_() % 3)};
    if (random_() % 3 == 0) users.push_back("3");
    NewMessage message = to_users(users, data);
    if (brief) message.expires = kNow + std::chrono::seconds(1);
    if (collapses) message.collapse = "state";
    if (random_() % 4 == 0) message.key = data.substr(0, 12);
    std::vector<Promises::Pair> replaced;
    for (const std::string& name : users) {
      promises_.set({name, data}, State::kUnknown);
      const auto known = collapsing_.find(name);
      if (collapses && known != collapsing_.end()) replaced.emplace_back(name, known->second);
    }
    // One that was confirmed, deleted or is dead stays that.
    std::erase_if(replaced, [&](const auto& pair) { return promises_.states().at(pair) != State::kPending; });
    for (const auto& pair : replaced) promises_.set(pair, State::kUnknown);
    attempt([&] {
      const MessageId id = repository_->add(message);
      for (const auto& pair : replaced) promises_.set(pair, State::kGone);
      for (const std::string& name : users) {
        promises_.set({name, data}, State::kPending);
        sent_.push_back({id, name, data});
        if (collapses) collapsing_[name] = data;
        if (brief) brief_.emplace_back(name, data);
      }
    });
  }
  void erase(const Sent& one) {
    std::vector<Promises::Pair> pairs;
    for (const Sent& other : sent_) {
      if (other.id == one.id && pending(other)) pairs.emplace_back(other.user, other.data);
    }
    for (const auto& pair : pairs) promises_.set(pair, State::kUnknown);
    attempt([&] {
      repository_->erase(one.id);
      for (const auto& pair : pairs) promises_.set(pair, State::kGone);
    });
  }
  void expire() {
    std::vector<Promises::Pair> pairs;
    for (const auto& pair : std::exchange(brief_, {})) {
      if (promises_.states().at(pair) == State::kPending) pairs.push_back(pair);
    }
    for (const auto& pair : pairs) promises_.set(pair, State::kUnknown);
    attempt([&] {
      repository_->expire(kNow + std::chrono::seconds(2));
      for (const auto& pair : pairs) promises_.set(pair, State::kDead);
    });
  }
  bool pending(const Sent& sent) { return promises_.states().at({sent.user, sent.data}) == State::kPending; }
  // So that the log begins anew.
  void checkpoint() {
    try {
      Shell(path_).run("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (const std::exception&) {
      // The sync of it failed.
    }
  }

  const std::string path_;
  std::mt19937 random_;
  ManualClock clock_;
  IdGenerator ids_;
  Promises promises_;
  std::vector<Sent> sent_;
  std::map<std::string, std::string> collapsing_;  // user → data
  std::vector<Promises::Pair> brief_;
  int number_ = 0;
  std::unique_ptr<SqliteRepository> repository_;
};

// Opens and closes the store in `folder` with a power cut before every call; returns how many those were.
std::size_t open_with_cuts(const TempFolder& folder, const Promises& promises, std::mt19937& random) {
  std::size_t cuts = 0;
  PowerCutVfs* disk = nullptr;
  PowerCutVfs vfs(folder.path(), [&](PowerCutVfs::Call) {
    ++cuts;
    if (!::testing::Test::HasFailure()) promises.expect_kept_on(disk->cut(random));
  });
  disk = &vfs;
  IdGenerator ids(1);
  // What the log holds goes into the file when it is closed again.
  SqliteRepository(options_for(folder.file(kDatabase)), ids);
  return cuts;
}

TEST(PowerCut, AtEveryCallCostsNothingThatWasAnswered) {
  const unsigned seed = base_seed();
  SCOPED_TRACE("SSE_POWER_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  const TempFolder folder;
  std::size_t cuts = 0;
  std::size_t writes = 0;
  std::size_t every = 1;
  Promises* promises = nullptr;
  PowerCutVfs* disk = nullptr;
  PowerCutVfs vfs(folder.path(), [&](PowerCutVfs::Call call) {
    if (promises == nullptr || ::testing::Test::HasFailure()) return;
    if (call == PowerCutVfs::Call::kWrite && writes++ % every != 0) return;
    SCOPED_TRACE("cut " + std::to_string(cuts) + ", before call of kind " + std::to_string(static_cast<int>(call)));
    ++cuts;
    promises->expect_kept_on(disk->cut(random));
  });
  disk = &vfs;
  Story story(folder, seed);
  promises = &story.promises();
  story.run(4, static_cast<int>(number_from("SSE_POWER_ROUNDS", kSanitized ? 2 : 8)));
  // Thousands of pages, so that not each of their writes can be looked at.
  every = 97;
  story.shrink();
  story.close();
  promises = nullptr;
  story.promises().expect_kept(folder.file(kDatabase));
  std::cout << cuts << " power cuts (SSE_POWER_SEED=" << seed << ")\n";
  EXPECT_GT(cuts, 100U);
}

TEST(PowerCut, WhileAfterAnotherOneCostsNothingEither) {
  const unsigned seed = base_seed();
  SCOPED_TRACE("SSE_POWER_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::pair<PowerCutVfs::Disk, std::map<Promises::Pair, Promises::State>>> crashes;
  {
    const TempFolder folder;
    Promises* promises = nullptr;
    PowerCutVfs* disk = nullptr;
    PowerCutVfs vfs(folder.path(), [&](PowerCutVfs::Call call) {
      if (promises != nullptr && (call == PowerCutVfs::Call::kSync || random() % 40 == 0))
        crashes.emplace_back(disk->cut(random), promises->states());
    });
    disk = &vfs;
    Story story(folder, seed);
    promises = &story.promises();
    story.run(2, 12);
    story.close();
  }
  ASSERT_GT(crashes.size(), 10U);
  std::shuffle(crashes.begin(), crashes.end(), random);
  crashes.resize(std::min<std::size_t>(crashes.size(), number_from("SSE_POWER_ROUNDS", kSanitized ? 3 : 10)));
  std::size_t cuts = 0;
  for (const auto& [first, states] : crashes) {
    Promises promises;
    for (const auto& [pair, state] : states) promises.set(pair, state);
    const TempFolder folder;
    put(first, folder);
    cuts += open_with_cuts(folder, promises, random);
  }
  std::cout << crashes.size() << " power cuts, and " << cuts
            << " while what they left was opened (SSE_POWER_SEED=" << seed << ")\n";
  EXPECT_GT(cuts, crashes.size());
}

TEST(PowerCut, DuringAnUpgradeCostsNothing) {
  const unsigned seed = base_seed();
  SCOPED_TRACE("SSE_POWER_SEED=" + std::to_string(seed));
  std::mt19937 random(seed);
  std::size_t cuts = 0;
  Promises promises;
  promises.set({"1", "for two"}, Promises::State::kPending);
  promises.set({"2", "for two"}, Promises::State::kPending);
  promises.set({"1", "wörter"}, Promises::State::kPending);
  for (const char* mode : {"WAL", "DELETE"}) {
    SCOPED_TRACE(mode);
    const TempFolder folder;
    Shell(folder.file(kDatabase)).run(kFormat1 + std::string("PRAGMA journal_mode=") + mode);
    cuts += open_with_cuts(folder, promises, random);
  }
  std::cout << cuts << " power cuts (SSE_POWER_SEED=" << seed << ")\n";
  EXPECT_GT(cuts, 20U);
}

TEST(PowerCut, WhileTheFileIsMadeLeavesNothingInTheWay) {
  std::mt19937 random(base_seed());
  const TempFolder folder;
  EXPECT_GT(open_with_cuts(folder, Promises(), random), 20U);
}

// A sync that fails has not written, whatever later ones say: the kernel takes what it could not write for written.
// Once, and for good.
TEST(PowerCut, AfterAFailedSyncCostsNothingThatWasAnswered) {
  const unsigned seed = base_seed();
  constexpr std::size_t kStory = 10;
  std::size_t syncs = 0;
  {
    const TempFolder folder;
    PowerCutVfs vfs(folder.path());
    Story story(folder, seed);
    story.run(2, kStory);
    story.close();
    syncs = vfs.syncs();
  }
  ASSERT_GT(syncs, 20U);
  for (std::size_t failing = kSanitized ? seed % 4 : 0; failing < syncs; failing += kSanitized ? 4 : 1) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{1'000'000}}) {
      const std::string what = "SSE_POWER_SEED=" + std::to_string(seed) + ", sync " + std::to_string(failing) + " of " +
                               std::to_string(syncs) + (count == 1 ? " fails" : " and all behind it fail");
      SCOPED_TRACE(what);
      std::mt19937 random(seed);
      const TempFolder folder;
      Promises* promises = nullptr;
      PowerCutVfs* disk = nullptr;
      PowerCutVfs vfs(folder.path(), [&](PowerCutVfs::Call call) {
        if (promises == nullptr || call != PowerCutVfs::Call::kSync || ::testing::Test::HasFailure()) return;
        if (disk->syncs() < failing || (disk->syncs() != failing + 1 && random() % 8 != 0)) return;
        // On a thread of the store.
        SCOPED_TRACE(what + ", cut before sync " + std::to_string(disk->syncs()));
        promises->expect_kept_on(disk->cut(random));
      });
      disk = &vfs;
      vfs.fail_syncs(failing, count, seed + static_cast<unsigned>(failing));
      Story story(folder, seed);
      promises = &story.promises();
      story.run(2, kStory);
      story.close();
      promises->expect_kept_on(vfs.cut(random));
      promises = nullptr;
      if (::testing::Test::HasFailure()) return;
    }
  }
  std::cout << syncs << " syncs, each failed once and for good (SSE_POWER_SEED=" << seed << ")\n";
}

}  // namespace
}  // namespace sse::store
