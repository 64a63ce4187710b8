// The path from the bytes of a send request to the frame that all streams share.
#include <benchmark/benchmark.h>

#include <string>

#include "api/send_reader.h"
#include "api/types.h"
#include "event/event.h"
#include "event/frame.h"
#include "event/json.h"

namespace sse {
namespace {

event::Event event_of(std::size_t size, bool lines) {
  std::string data(size, 'x');
  for (std::size_t i = 40; lines && i < size; i += 40) data[i] = '\n';
  return {"server-push", std::move(data), "847140540416", std::nullopt};
}

void encode(benchmark::State& state) {
  const event::Event event = event_of(static_cast<std::size_t>(state.range(0)), state.range(1) != 0);
  for (auto _ : state) benchmark::DoNotOptimize(event::Frame::make(event::encode(event)));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode)->ArgNames({"bytes", "lines"})->Args({100, 0})->Args({100, 1})->Args({10'000, 0})->Args({10'000, 1});

void validate(benchmark::State& state) {
  const event::Event event = event_of(static_cast<std::size_t>(state.range(0)), false);
  for (auto _ : state) event::validate(event);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(validate)->ArgName("bytes")->Arg(100)->Arg(10'000);

void read_send_request(benchmark::State& state) {
  const std::string body =
      R"({"target":{"users":["u4711"]},"event":"server-push","data":")" + std::string(100, 'x') + "\"}";
  for (auto _ : state) benchmark::DoNotOptimize(api::read_send_request(body, "the request body"));
}
BENCHMARK(read_send_request);

void write_send_result(benchmark::State& state) {
  api::SendResult result;
  result.id = MessageId(847140540416);
  result.recipients.resize(static_cast<std::size_t>(state.range(0)), {event::TargetKind::kUser, "u4711", 1});
  for (auto _ : state) benchmark::DoNotOptimize(event::dump_json(api::to_json(result)));
}
BENCHMARK(write_send_result)->ArgName("recipients")->Arg(1)->Arg(1000);

void share_a_frame(benchmark::State& state) {
  const event::FrameRef frame = event::Frame::make("data:x\n\n");
  for (auto _ : state) {
    event::FrameRef copy = frame;
    benchmark::DoNotOptimize(copy);
  }
}
BENCHMARK(share_a_frame);

}  // namespace
}  // namespace sse
