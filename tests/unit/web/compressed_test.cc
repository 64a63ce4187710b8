#include "web/compressed.h"

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "web/web.h"

namespace sse::web {
namespace {

std::string gunzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  std::string out(1024 * 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::string unbrotli(const std::string& bytes) {
  std::string out(1024 * 1024, '\0');
  std::size_t size = out.size();
  EXPECT_EQ(BrotliDecoderDecompress(bytes.size(), reinterpret_cast<const std::uint8_t*>(bytes.data()), &size,
                                    reinterpret_cast<std::uint8_t*>(out.data())),
            BROTLI_DECODER_RESULT_SUCCESS);
  out.resize(size);
  return out;
}

TEST(Compressed, GivesBackWhatWentIn) {
  for (const std::string_view bytes :
       {client_files()[0].bytes, std::string_view(client_script()), std::string_view("x"), std::string_view("")}) {
    EXPECT_TRUE(gunzip(gzip(bytes)) == bytes);
    EXPECT_TRUE(unbrotli(brotli(bytes)) == bytes);
  }
}

TEST(Compressed, MakesTheClientAThirdOfItsSize) {
  EXPECT_LT(gzip(client_files()[0].bytes).size() * 3, client_files()[0].bytes.size() * 1);
  EXPECT_LT(brotli(client_files()[0].bytes).size(), gzip(client_files()[0].bytes).size());
}

TEST(Compressed, IsTheSameEveryTime) {
  EXPECT_EQ(gzip(client_files()[0].bytes), gzip(client_files()[0].bytes));
  EXPECT_EQ(brotli(client_files()[0].bytes), brotli(client_files()[0].bytes));
}

}  // namespace
}  // namespace sse::web
