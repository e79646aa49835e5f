// What plain text makes of a trie: the characters (UTF-8, neither controls nor quote nor backslash) along
// each path. A state that loops on characters has the rows of this reading, but for the bytes it treats
// otherwise. Cost: one pass over the nodes, once per vocabulary; ten bytes a node. Source: architecture,
// "Reference rows"; RFC 3629 (UTF-8 by ranges of bytes).
#pragma once

#include <span>
#include <vector>

#include "common.hpp"

namespace gramspec {

using Bits = std::vector<std::uint32_t>;

// Where a reader of UTF-8 stands: between characters, or before so many more bytes of one.
enum class Place : std::uint8_t {
  kBetween,
  kOne,
  kTwo,
  kThree,
  kAfterE0,
  kAfterED,
  kAfterF0,
  kAfterF4,
  kOutside
};

// Place after one more byte of plain text.
[[nodiscard]] constexpr Place next_place(Place at, std::uint8_t b) noexcept {
  const auto inside = [b](std::uint8_t lo, std::uint8_t hi, Place then) {
    return b >= lo && b <= hi ? then : Place::kOutside;
  };
  switch (at) {
    case Place::kBetween:
      if (b < 0x80) return b < 0x20 || b == '"' || b == '\\' ? Place::kOutside : Place::kBetween;
      if (b < 0xC2 || b > 0xF4) return Place::kOutside;
      if (b < 0xE0) return Place::kOne;
      if (b < 0xF0) return b == 0xE0 ? Place::kAfterE0 : b == 0xED ? Place::kAfterED : Place::kTwo;
      return b == 0xF0 ? Place::kAfterF0 : b == 0xF4 ? Place::kAfterF4 : Place::kThree;
    case Place::kOne:
      return inside(0x80, 0xBF, Place::kBetween);
    case Place::kTwo:
      return inside(0x80, 0xBF, Place::kOne);
    case Place::kThree:
      return inside(0x80, 0xBF, Place::kTwo);
    case Place::kAfterE0:
      return inside(0xA0, 0xBF, Place::kOne);
    case Place::kAfterED:
      return inside(0x80, 0x9F, Place::kOne);
    case Place::kAfterF0:
      return inside(0x90, 0xBF, Place::kTwo);
    case Place::kAfterF4:
      return inside(0x80, 0x8F, Place::kTwo);
    default:
      return Place::kOutside;
  }
}

// Bytes by kind, at most 64 kinds, so that a set of them is one word: single bytes but for those that
// grammars hardly ever tell apart.
[[nodiscard]] std::uint64_t byte_class(std::uint8_t byte) noexcept;
// The kinds of which some byte is in a set.
[[nodiscard]] std::uint64_t byte_classes(const ByteSet& set) noexcept;
// Continuation bytes of UTF-8, which are never met between characters.
[[nodiscard]] std::uint64_t continuation_class() noexcept;

// How a state that loops on characters differs from plain text: after every other byte between two
// characters it is, once the character is read, itself again, or one of a few that loop together; and it does
// nothing else meanwhile.
struct Loop {
  ByteSet same;             // bytes below 0x80 that bring it back to itself (none where states take turns)
  std::uint64_t other = 0;  // kinds of bytes that it treats otherwise than plain text does
  std::uint64_t ends = 0;   // kinds of bytes that it does not read (continuation bytes apart)
  std::int64_t needed = 0;  // at least the bytes that it, or one that it takes turns with, needs to an end
};

}  // namespace gramspec
