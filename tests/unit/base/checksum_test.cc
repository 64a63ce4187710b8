#include "base/checksum.h"

#include <gtest/gtest.h>

#include <string>

namespace sse {
namespace {

TEST(Checksum, IsTheOneEverybodyCallsCrc32) {
  EXPECT_EQ(crc32(""), 0U);
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
}

TEST(Checksum, GoesOn) {
  EXPECT_EQ(crc32("6789", crc32("12345")), crc32("123456789"));
}

TEST(Checksum, SeesEveryFlippedBit) {
  const std::string text(100, 'x');
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(crc32(flipped), crc32(text));
  }
}

}  // namespace
}  // namespace sse
