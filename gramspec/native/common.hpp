// Shared small types of the native core: ids, byte sets, hashing, the limit exception.
// Cost: none beyond the standard library.
// Source: architecture, "The automaton (native core)".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace gramspec {

using Id = std::int32_t;
inline constexpr Id kNone = -1;
inline constexpr std::int64_t kInfinite = -1;  // upper bound of a repetition
inline constexpr std::int64_t kUnreachable = std::int64_t{1}
                                             << 60;  // length of the shortest member of an empty language

// A named limit was reached; becomes gramspec.errors.LimitError at the Python boundary.
struct LimitExceeded : std::runtime_error {
  LimitExceeded(std::string name, const std::string& message)
      : std::runtime_error(message), limit(std::move(name)) {}
  // Whether the engine is full: the same may be possible in a fresh one.
  [[nodiscard]] bool full() const {
    return limit == "max_states" || limit == "max_configurations" || limit == "max_row_bytes";
  }
  std::string limit;
};

// The body of a rule that has none yet is needed. The call that needs it is left, the body is loaded, and the
// call starts again: see guarded.hpp. What is thrown through must be as good as new.
struct RuleNeeded {
  Id rule;
};

class Fuel;

// Bounds handed over from gramspec.limits.Limits.
struct Bounds {
  std::int64_t max_states = 2'000'000;
  std::int64_t max_configurations = 400'000;
  std::int64_t max_stack_depth = 20'000;
  std::int64_t max_row_bytes = std::int64_t{1} << 30;
  std::int64_t mask_steps = 20'000'000;
  std::int64_t search_steps = 2'000'000;
  std::int64_t max_cache_bytes = std::int64_t{1} << 26;
  double mask_seconds = 0;  // none: no bound
  Fuel* fuel = nullptr;     // of the engine; see fuel.hpp
};

struct ByteSet {
  std::array<std::uint64_t, 4> words{};
  [[nodiscard]] bool test(unsigned byte) const noexcept { return (words[byte >> 6] >> (byte & 63U)) & 1U; }
  void set(unsigned byte) noexcept { words[byte >> 6] |= std::uint64_t{1} << (byte & 63U); }
  [[nodiscard]] bool any() const noexcept { return (words[0] | words[1] | words[2] | words[3]) != 0; }
  ByteSet& operator|=(const ByteSet& other) noexcept {
    for (std::size_t i = 0; i < 4; ++i) words[i] |= other.words[i];
    return *this;
  }
  [[nodiscard]] bool intersects(const ByteSet& other) const noexcept {
    std::uint64_t hit = 0;
    for (std::size_t i = 0; i < 4; ++i) hit |= words[i] & other.words[i];
    return hit != 0;
  }
  bool operator==(const ByteSet&) const = default;
};

// Token t of a packed mask: bit t % 32 of word t / 32.
inline void set_bit(std::span<std::uint32_t> bits, Id token) noexcept {
  bits[static_cast<std::size_t>(token) >> 5] |= 1U << (static_cast<unsigned>(token) & 31U);
}

[[nodiscard]] inline std::size_t mix(std::size_t seed, std::size_t value) noexcept {
  seed ^= value + 0x9e3779b97f4a7c15ULL + (seed << 12) + (seed >> 4);
  return seed * 0xff51afd7ed558ccdULL;
}

struct HashIds {
  std::size_t operator()(const std::vector<Id>& ids) const noexcept {
    std::size_t seed = ids.size();
    for (Id id : ids) seed = mix(seed, static_cast<std::size_t>(static_cast<std::uint32_t>(id)));
    return seed;
  }
};

[[nodiscard]] inline std::uint64_t pair_key(Id a, Id b) noexcept {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32) | static_cast<std::uint32_t>(b);
}

struct HashPair {
  std::size_t operator()(std::uint64_t key) const noexcept { return mix(0x51ed270b, key); }
};

[[nodiscard]] inline std::int64_t add_length(std::int64_t a, std::int64_t b) noexcept {
  return (a >= kUnreachable || b >= kUnreachable) ? kUnreachable : std::min(a + b, kUnreachable);
}

[[nodiscard]] inline std::int64_t multiply_length(std::int64_t a, std::int64_t count) noexcept {
  if (count == 0) return 0;
  if (a >= kUnreachable || a > kUnreachable / count) return kUnreachable;
  return a * count;
}

}  // namespace gramspec
