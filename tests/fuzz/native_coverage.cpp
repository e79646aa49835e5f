// Counters of the native core for a fuzzer: every block that runs adds one to a counter of its address.
// Cost: a hash and an increment a block; two blocks may share a counter (65,536 of them).
// Source: GCC, -fsanitize-coverage=trace-pc; libFuzzer, inline 8-bit counters.
#include <cstddef>
#include <cstdint>

namespace {
constexpr std::size_t kBits = 16;
constexpr std::size_t kCounters = std::size_t{1} << kBits;
}  // namespace

extern "C" {

[[gnu::visibility("default")]] std::uint8_t gramspec_coverage_counters[kCounters];
// For each counter an address and flags, in the layout that libFuzzer reads; the fuzzer's host fills it.
[[gnu::visibility("default")]] std::uintptr_t gramspec_coverage_places[2 * kCounters];

[[gnu::visibility("default")]] std::size_t gramspec_coverage_size() { return kCounters; }

[[gnu::visibility("hidden")]] void __sanitizer_cov_trace_pc() {
  // Relative to the counters, so that the place of the module in memory does not matter.
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)) -
                    reinterpret_cast<std::uintptr_t>(gramspec_coverage_counters);
  std::uint8_t& counter = gramspec_coverage_counters[(here * 0x9e3779b97f4a7c15ULL) >> (64 - kBits)];
  if (counter != 0xff) ++counter;
}
}
