#include "hub/pointer_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace sse::hub {
namespace {

struct Item {
  std::string name;
};
struct ByName {
  static std::string_view key(const Item& item) { return item.name; }
  // Everything collides in four places.
  static std::uint64_t hash(std::string_view name) { return name.size() % 4; }
};

TEST(PointerTable, FindsNothingInAnEmptyOne) {
  const PointerTable<Item, ByName> table;
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_EQ(table.capacity(), 0U);
}

TEST(PointerTable, AgreesWithAMapUnderRandomUseThoughEverythingCollides) {
  std::mt19937 random(11);
  PointerTable<Item, ByName> table;
  std::map<std::string, std::unique_ptr<Item>> model;
  for (int step = 0; step < 20'000; ++step) {
    const std::string name(random() % 7, static_cast<char>('a' + random() % 26));
    const auto known = model.find(name);
    ASSERT_EQ(table.find(name), known == model.end() ? nullptr : known->second.get());
    if (known == model.end()) {
      auto item = std::make_unique<Item>(Item{name});
      table.insert(item.get());
      model.emplace(name, std::move(item));
    } else {
      table.erase(known->second.get());
      model.erase(known);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  std::set<std::string> seen;
  table.for_each([&](const Item& item) { EXPECT_TRUE(seen.insert(item.name).second); });
  EXPECT_EQ(seen.size(), model.size());
}

struct Numbered {
  std::uint64_t number;
};
struct ByNumber {
  static std::uint64_t key(const Numbered& item) { return item.number; }
  static std::uint64_t hash(std::uint64_t number) { return number; }
};

TEST(PointerTable, GivesMemoryBackWhenItHasBecomeEmpty) {
  PointerTable<Numbered, ByNumber> table;
  std::vector<std::unique_ptr<Numbered>> items;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    items.push_back(std::make_unique<Numbered>(Numbered{i << 22}));
    table.insert(items.back().get());
  }
  EXPECT_LE(table.capacity(), 32'768U);
  for (const auto& item : items) ASSERT_EQ(table.find(item->number), item.get());
  for (const auto& item : items) table.erase(item.get());
  EXPECT_EQ(table.size(), 0U);
  EXPECT_LE(table.capacity(), 16U);
}

}  // namespace
}  // namespace sse::hub
