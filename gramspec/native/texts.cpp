#include "texts.hpp"

#include <array>

namespace gramspec {

namespace {

constexpr std::uint8_t kContinuation = 0;

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> out{};
  std::uint8_t next = 1;
  const auto range = [&](int lo, int hi) {
    for (int b = lo; b <= hi; ++b) out[static_cast<std::size_t>(b)] = next;
    ++next;
  };
  range(0x00, 0x08);
  range('\t', '\t');
  range('\n', '\n');
  range(0x0B, 0x0C);
  range('\r', '\r');
  range(0x0E, 0x1F);
  for (int b = 0x20; b <= 0x7F; ++b) {
    if (b == '1') {
      range('1', '9');
      b = '9';
    } else if (b == 'A' || b == 'a') {
      range(b, b + 5);
      range(b + 6, b + 25);
      b += 25;
    } else {
      range(b, b);
    }
  }
  for (int b = 0x80; b <= 0xBF; ++b) out[static_cast<std::size_t>(b)] = kContinuation;
  range(0xC0, 0xC1);
  range(0xC2, 0xC2);
  range(0xC3, 0xC3);
  range(0xC4, 0xDF);
  range(0xE0, 0xE0);
  range(0xE1, 0xE1);
  range(0xE2, 0xE2);
  range(0xE3, 0xE3);
  range(0xE4, 0xEC);
  range(0xED, 0xED);
  range(0xEE, 0xEF);
  range(0xF0, 0xF0);
  range(0xF1, 0xF3);
  range(0xF4, 0xF4);
  range(0xF5, 0xFF);
  return out;
}();

static_assert([] {
  for (std::uint8_t c : kClasses) {
    if (c >= 64) return false;
  }
  return true;
}());

}  // namespace

std::uint64_t byte_class(std::uint8_t byte) noexcept { return std::uint64_t{1} << kClasses[byte]; }

std::uint64_t byte_classes(const ByteSet& set) noexcept {
  std::uint64_t out = 0;
  for (unsigned b = 0; b < 256; ++b) {
    if (set.test(b)) out |= byte_class(static_cast<std::uint8_t>(b));
  }
  return out;
}

std::uint64_t continuation_class() noexcept { return std::uint64_t{1} << kContinuation; }

}  // namespace gramspec
