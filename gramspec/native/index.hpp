// Tables of what is known by content: hashes beside ids, keys kept where they live.
// Law: nothing is ever taken out. Cost: one cache line a look-up; growing moves twelve bytes an entry and
// hashes nothing again, which keeps the longest single step short in an engine that serves many grammars.
// Source: Knuth, TAOCP 3, section 6.4 (linear probing).
#pragma once

#include <bit>
#include <vector>

#include "common.hpp"

namespace gramspec {

// From content to id: the caller compares the content of an id with what it looks for.
class ContentIndex {
 public:
  template <class Equal>
  [[nodiscard]] Id find(std::size_t hash, Equal&& equal) const {
    if (slots_.empty()) return kNone;
    const std::uint64_t spread = spread_of(hash);
    for (std::size_t i = spread >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.id == kNone) return kNone;
      if (slot.tag == static_cast<std::uint32_t>(spread) && equal(slot.id)) return slot.id;
    }
  }
  // The content must not be known.
  void add(std::size_t hash, Id id) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    place(spread_of(hash), id);
    ++size_;
  }
  // Room for one more, so that `add` cannot fail.
  void reserve() {
    if (2 * (size_ + 1) > slots_.size()) grow();
  }

 private:
  struct Slot {
    std::uint32_t high = 0, tag = 0;  // the halves of the spread hash
    Id id = kNone;
  };
  static std::uint64_t spread_of(std::size_t hash) noexcept {
    return (static_cast<std::uint64_t>(hash) ^ (static_cast<std::uint64_t>(hash) >> 32)) *
           0x9e3779b97f4a7c15ULL;
  }
  void place(std::uint64_t spread, Id id) {
    std::size_t i = spread >> shift_;
    while (slots_[i].id != kNone) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {static_cast<std::uint32_t>(spread >> 32), static_cast<std::uint32_t>(spread), id};
  }
  void grow() {
    std::vector<Slot> old(std::max<std::size_t>(64, 2 * slots_.size()));
    old.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const Slot& slot : old) {
      if (slot.id != kNone) place((static_cast<std::uint64_t>(slot.high) << 32) | slot.tag, slot.id);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  int shift_ = 0;
};

// From a pair of ids (see pair_key) to an id.
class PairIndex {
 public:
  // kNone: not known.
  [[nodiscard]] Id find(std::uint64_t key) const noexcept {
    if (slots_.empty()) return kNone;
    for (std::size_t i = at(key);; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.id == kNone || slot.key() == key) return slot.id;
    }
  }
  void set(std::uint64_t key, Id id) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    Slot& slot = free_for(key);
    size_ += slot.id == kNone ? 1 : 0;
    slot = {static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key), id};
  }

 private:
  struct Slot {
    std::uint32_t high = 0, low = 0;
    Id id = kNone;
    [[nodiscard]] std::uint64_t key() const noexcept {
      return (static_cast<std::uint64_t>(high) << 32) | low;
    }
  };
  [[nodiscard]] std::size_t at(std::uint64_t key) const noexcept {
    return ((key ^ (key >> 29)) * 0x9e3779b97f4a7c15ULL) >> shift_;
  }
  Slot& free_for(std::uint64_t key) {
    std::size_t i = at(key);
    while (slots_[i].id != kNone && slots_[i].key() != key) i = (i + 1) & (slots_.size() - 1);
    return slots_[i];
  }
  void grow() {
    std::vector<Slot> old(std::max<std::size_t>(64, 2 * slots_.size()));
    old.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const Slot& slot : old) {
      if (slot.id != kNone) free_for(slot.key()) = slot;
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
  int shift_ = 0;
};

}  // namespace gramspec
