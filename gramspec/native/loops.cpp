// Which expressions loop on characters, alone or in rounds of a few, and where they differ from plain text.
// Law: behind a character that is not told apart the expression is the same again, so that all tokens of such
// characters share one fate. Cost: once an expression, in the arcs of the states of its round and of at most
// eight behind each.
// Source: architecture, "Reference rows".
#include <algorithm>
#include <bit>

#include "expr.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kLoopBytes = 2;     // fewer make no loop worth a look
constexpr std::size_t kRoundStates = 24;  // that may take turns
constexpr int kRoundOther = 24;           // kinds of bytes that they may treat otherwise than plain text does
}  // namespace

const Loop* Exprs::loop(Id e) {
  if (const Loop* round = find_round(e)) return round;
  return find_loop(e, e, loops_);
}

bool Exprs::only_reads(Id e) {
  if (nullable(e)) return false;
  const Head& h = head(e);
  return h.calls.empty() && h.tokens.empty();
}

// Whether an expression inside a character reads exactly what is left of it; adds what it then is.
bool Exprs::reads_on(Id e, Place at, std::vector<Id>& states, std::vector<std::pair<Id, Place>>& seen) {
  if (!only_reads(e)) return false;
  if (at == Place::kBetween) {
    if (std::find(states.begin(), states.end(), e) == states.end()) states.push_back(e);
    return true;
  }
  if (std::find(seen.begin(), seen.end(), std::pair{e, at}) != seen.end()) return true;
  int expected = 0x80;
  const auto skip_unread = [&](int to) {
    while (expected < to && next_place(at, static_cast<std::uint8_t>(expected)) == Place::kOutside)
      ++expected;
    return expected >= to;
  };
  for (const Arc& arc : std::vector<Arc>(head(e).arcs)) {
    const Place next = next_place(at, arc.lo);
    if (!skip_unread(arc.lo) || next == Place::kOutside || next_place(at, arc.hi) != next) return false;
    if (!reads_on(arc.target, next, states, seen)) return false;
    expected = arc.hi + 1;
  }
  if (!skip_unread(0xC0)) return false;
  seen.emplace_back(e, at);
  return true;
}

const Loop* Exprs::find_round(Id e) {
  const auto resize = [&] {
    if (rounds_.index.size() < nodes_.size()) rounds_.index.resize(nodes_.size(), -1);
  };
  const auto at = static_cast<std::size_t>(e);
  resize();
  if (const std::int32_t known = rounds_.index[at]; known >= 0) {
    return known == 0 ? nullptr : &rounds_.found[static_cast<std::size_t>(known) - 1];
  }
  Loop out;
  std::vector<Id> states;
  std::vector<std::pair<Id, Place>> seen;
  ByteSet other;
  bool found = reads_on(e, Place::kBetween, states, seen);
  for (std::size_t i = 0; found && i < states.size(); ++i) {
    const std::vector<Arc> arcs = head(states[i]).arcs;
    auto arc = arcs.begin();
    Id followed = kNone;
    Place followed_at = Place::kOutside;
    bool agrees = false;
    for (unsigned b = 0; b < 256; ++b) {
      while (arc != arcs.end() && arc->hi < b) ++arc;
      const bool read = arc != arcs.end() && arc->lo <= b;
      const Place place = next_place(Place::kBetween, static_cast<std::uint8_t>(b));
      if (!read || place == Place::kOutside) {
        if (read || place != Place::kOutside) other.set(b);
        continue;
      }
      if (arc->target != followed || place != followed_at) {
        followed = arc->target;
        followed_at = place;
        agrees = reads_on(followed, place, states, seen);
      }
      if (!agrees) other.set(b);
    }
    out.other = byte_classes(other);
    out.needed = std::max(out.needed, longest_needed(states[i]));
    found = states.size() <= kRoundStates && std::popcount(out.other) <= kRoundOther;
  }
  resize();
  if (!found) {
    // The states met are not asked again: they meet no fewer.
    for (const Id s : states) {
      if (rounds_.index[static_cast<std::size_t>(s)] < 0) rounds_.index[static_cast<std::size_t>(s)] = 0;
    }
    rounds_.index[at] = 0;
    return nullptr;
  }
  if (states.size() == 1) {
    for (const Arc& arc : head(e).arcs) {
      for (unsigned b = arc.lo; b <= std::min<unsigned>(arc.hi, 0x7F); ++b) {
        if (arc.target == e) out.same.set(b);
      }
    }
  }
  rounds_.found.push_back(out);
  const auto place = static_cast<std::int32_t>(rounds_.found.size());
  for (const Id s : states) {
    if (rounds_.index[static_cast<std::size_t>(s)] <= 0) rounds_.index[static_cast<std::size_t>(s)] = place;
  }
  return &rounds_.found.back();
}

const Loop* Exprs::item_loop(Id item) { return find_loop(item, kEpsilonId, item_loops_); }

// Whether an expression inside a character reads exactly what is left of it, to become `again`.
bool Exprs::reads_characters(Id e, Place at, Id again, std::vector<std::pair<Id, Place>>& seen) {
  if (at == Place::kBetween) return e == again;
  if (std::find(seen.begin(), seen.end(), std::pair{e, at}) != seen.end()) return true;
  if (const Head& h = head(e); h.nullable || !h.calls.empty() || !h.tokens.empty()) return false;
  int expected = 0x80;
  for (const Arc& arc : std::vector<Arc>(head(e).arcs)) {
    const auto lo = static_cast<std::uint8_t>(std::max<int>(arc.lo, 0x80));
    while (expected < lo && next_place(at, static_cast<std::uint8_t>(expected)) == Place::kOutside)
      ++expected;
    if (arc.lo < 0x80 || expected != lo) return false;
    // Places behind the bytes of an arc are all alike, as they are behind all that may follow.
    const Place next = next_place(at, arc.lo);
    if (next == Place::kOutside || next_place(at, arc.hi) != next) return false;
    if (!reads_characters(arc.target, next, again, seen)) return false;
    expected = arc.hi + 1;
  }
  while (expected < 0xC0 && next_place(at, static_cast<std::uint8_t>(expected)) == Place::kOutside)
    ++expected;
  if (expected < 0xC0) return false;
  seen.emplace_back(e, at);
  return true;
}

const Loop* Exprs::find_loop(Id e, Id again, Loops& loops) {
  const auto at = static_cast<std::size_t>(e);
  if (loops.index.size() <= at) loops.index.resize(nodes_.size(), -1);
  if (const std::int32_t known = loops.index[at]; known >= 0) {
    return known == 0 ? nullptr : &loops.found[static_cast<std::size_t>(known) - 1];
  }
  const Head& h = head(e);
  std::size_t same = 0;
  for (const Arc& arc : h.arcs) {
    if (arc.target == again && arc.lo < 0x80) same += static_cast<std::size_t>(arc.hi - arc.lo) + 1;
  }
  if (h.nullable || !h.calls.empty() || !h.tokens.empty() || same < kLoopBytes) {
    loops.index[at] = 0;
    return nullptr;
  }
  const std::vector<Arc> arcs = h.arcs;
  Loop out;
  ByteSet other, ends;
  std::vector<std::pair<Id, Place>> seen;
  auto arc = arcs.begin();
  Id followed = kNone;  // the last target behind the first byte of a character, ...
  Place followed_at = Place::kOutside;
  bool agrees = false;  // ... and what was found of it
  for (unsigned b = 0; b < 256; ++b) {
    while (arc != arcs.end() && arc->hi < b) ++arc;
    const bool read = arc != arcs.end() && arc->lo <= b;
    const Place place = next_place(Place::kBetween, static_cast<std::uint8_t>(b));
    if (!read) {
      if (b < 0x80 || b > 0xBF) ends.set(b);
      if (place != Place::kOutside) other.set(b);
    } else if (place == Place::kBetween) {
      arc->target == again ? out.same.set(b) : other.set(b);
    } else if (place == Place::kOutside) {
      if (arc->target == again && b < 0x80) out.same.set(b);
      other.set(b);
    } else {
      if (arc->target != followed || place != followed_at) {
        followed = arc->target;
        followed_at = place;
        agrees = reads_characters(followed, place, again, seen);
      }
      if (!agrees) other.set(b);
    }
  }
  out.needed = longest_needed(e);
  out.other = byte_classes(other);
  out.ends = byte_classes(ends);
  loops.found.push_back(out);
  loops.index[at] = static_cast<std::int32_t>(loops.found.size());
  return &loops.found.back();
}

}  // namespace gramspec
