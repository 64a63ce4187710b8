// The power goes at random moments under load: what was answered is there afterwards, and the file is whole.
// SSE_POWER_ROUNDS and SSE_POWER_SEED ask for more or for one again.
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "delivery/sqlite_repository.h"
#include "unit/delivery/power_cut_vfs.h"
#include "unit/delivery/store_fixture.h"

namespace sse::delivery {
namespace {

unsigned number_from(const char* name, unsigned fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : fallback;
}

SqliteRepository::Options options_for(const std::string& path) {
  SqliteRepository::Options options;
  options.path = path;
  options.idle = std::chrono::milliseconds(1);
  return options;
}

TEST(PowerCut, CostsNothingThatWasAnswered) {
  const unsigned first = number_from("SSE_POWER_SEED", std::random_device{}());
  const unsigned rounds = number_from("SSE_POWER_ROUNDS", 30);
  std::size_t answered_in_all = 0;
  std::size_t unsynced = 0;
  for (unsigned round = 0; round < rounds; ++round) {
    const unsigned seed = first + round;
    SCOPED_TRACE("SSE_POWER_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    const TempFolder folder;
    IdGenerator ids(1);
    // Made before: a new file's name is made durable by a rename, which is not the subject here.
    SqliteRepository(options_for(folder.file()), ids).add(to_users({"before"}, "before"));
    std::map<std::string, std::string> disk;
    std::set<std::string> answered{"before"};
    {
      PowerCutVfs vfs;
      SqliteRepository repository(options_for(folder.file()), ids);
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
        const std::scoped_lock lock(mutex);
        answered = promised;
      }
      disk = vfs.cut(random);
      unsynced += vfs.unsynced();
      done = true;
      for (std::thread& sender : senders) sender.join();
    }
    answered_in_all += answered.size();
    const TempFolder after;
    for (const auto& [path, content] : disk) {
      if (!content.empty()) write_file(after.file(std::filesystem::path(path).filename()), content);
    }
    SqliteRepository repository(options_for(after.file()), ids);
    std::set<std::string> there;
    for (const char* name : {"before", "0", "1", "2", "3"}) {
      for (const PendingMessage& row : pending_of(repository, user(name))) {
        EXPECT_FALSE(row.damaged);
        there.insert(row.data);
      }
    }
    for (const std::string& data : answered) {
      // One that was confirmed between the two looks above may be gone.
      const std::string number = data.substr(0, data.find('x'));
      if (!there.contains(data) && (data == "before" || std::stoi(number.substr(2)) % 5 != 4))
        ADD_FAILURE() << "answered and lost: " << number;
    }
    EXPECT_EQ(repository.count({}), repository.size());
    EXPECT_EQ(Shell(after.file()).run("PRAGMA integrity_check"), "ok");
    if (::testing::Test::HasFailure()) return;
  }
  std::cout << rounds << " power cuts from SSE_POWER_SEED=" << first << ": " << answered_in_all << " answered, 0 lost, "
            << unsynced << " unsynced bytes lost or torn\n";
}

}  // namespace
}  // namespace sse::delivery
