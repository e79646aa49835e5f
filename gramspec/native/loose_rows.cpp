// Rows of states whose repetitions are far from their upper bounds.
// Law: the row is exact: a text with fewer bytes than n items have at least has fewer items.
// Cost: one row for all counts, then a copy of it and the tokens that are
// longer than what is left. Source: architecture, "Count-dependent rows".

#include <algorithm>

#include "rows.hpp"

namespace gramspec {

namespace {
constexpr std::int64_t kSureBytes = 6;  // longer tokens are too many to be read again
}  // namespace

Exprs::Loose Exprs::loosened(Id e) {
  if (const auto it = loosened_.find(e); it != loosened_.end()) return it->second;
  const Node n = node(e);
  Loose out{e, kInfinite};
  const auto part = [&](Id inner) {
    const Loose found = loosened(inner);
    if (found.bound != kInfinite) {
      out.bound = out.bound == kInfinite ? found.bound : std::min(out.bound, found.bound);
    }
    return found.expr;
  };
  switch (n.kind) {
    case Kind::kConcat: {
      std::vector<Id> spine;
      Id tail = e;
      for (; node(tail).kind == Kind::kConcat; tail = node(tail).b) spine.push_back(node(tail).a);
      Id joined = part(tail);
      for (auto it = spine.rbegin(); it != spine.rend(); ++it) joined = concat(part(*it), joined);
      out.expr = joined;
      break;
    }
    case Kind::kUnion:
    case Kind::kAnd: {
      std::vector<Id> items = members(e);
      for (Id& item : items) item = part(item);
      if (out.bound != kInfinite) {
        out.expr = n.kind == Kind::kUnion ? union_of(std::move(items)) : and_of(std::move(items));
      }
      break;
    }
    case Kind::kRepeat: {
      const Id item = part(n.a);
      // So many items have at least so many bytes.
      std::int64_t bytes = 0;
      if (n.hi != kInfinite && !nullable(n.a)) {
        bytes = multiply_length(std::max<std::int64_t>(1, shortest_bound(n.a)), n.hi);
      }
      const bool far = bytes >= kFar;
      if (far) out.bound = out.bound == kInfinite ? bytes : std::min(out.bound, bytes);
      if (out.bound != kInfinite) out.expr = repeat(item, n.lo, far ? kInfinite : n.hi);
      break;
    }
    default:
      break;
  }
  return loosened_[e] = out;
}

// Far from the upper bounds of its repetitions a state has the row of the state
// without them, as what a short token leaves to be written is short as well.
// Long tokens are read all the same.
bool Rows::loosened_row(Id top, Row& out) {
  const Exprs::Loose loose = exprs_.loosened(top);
  if (loose.bound == kInfinite) return false;
  const Row& free = row(loose.expr);
  const std::int64_t sure = loose.bound - free.furthest;
  if (sure < kSureBytes) return false;
  out.tokens = free.tokens;
  out.furthest = free.furthest;
  const Id start = configs_.start(top, Configs::kUnknown);
  // Down the ways to long tokens only.
  apply(free.tokens, true, scratch_, scratch_);
  std::vector<Id> dead, path(16, start);
  std::int64_t steps = 0;
  Id last = kNone;
  for (Id n = 1; n < trie_.nodes();) {
    if (!trie_.longer_below(n, sure)) {
      n = trie_.end(n);
      continue;
    }
    const auto depth = static_cast<std::size_t>(trie_.depth(n));
    if (path.size() <= depth) path.resize(2 * depth);
    if ((++steps & 0xFFFF) == 0) spend(0x10000);
    const Id config = path[depth] = configs_.step(path[depth - 1], trie_.byte(n));
    const bool gone = config == Configs::kDead;
    const bool kept = !gone && configs_.holds(config);
    if (gone || trie_.depth(n) > sure) {
      for (const Id t : gone ? trie_.tokens_below(n) : trie_.tokens_at(n)) {
        const std::uint32_t word = scratch_[static_cast<std::size_t>(t) >> 5];
        if (((word >> (static_cast<unsigned>(t) & 31U)) & 1U) == 0) continue;
        if (!kept) dead.push_back(t);
        if (kept && config != last) {
          out.furthest = std::max(out.furthest, configs_.longest(config));
          last = config;
        }
      }
    }
    n = gone ? trie_.end(n) : n + 1;
  }
  spend(steps & 0xFFFF);
  const auto read = [&](std::string_view text) {
    Id config = start;
    std::int64_t bytes = 0;
    for (const char c : text) {
      config = configs_.step(config, static_cast<std::uint8_t>(c));
      ++bytes;
      if (config == Configs::kDead) break;
    }
    spend(bytes);  // at once: a token of n bytes may have n beginnings, each to be read
    return config;
  };
  if (!dead.empty()) {
    const std::unordered_set<Id> gone(dead.begin(), dead.end());
    std::erase_if(out.tokens.plus, [&](Id t) { return gone.contains(t); });
    if (out.tokens.base != nullptr) {
      out.tokens.minus.insert(out.tokens.minus.end(), dead.begin(), dead.end());
    }
  }
  settle(out.tokens);
  out.escapes = free.escapes;
  if (trie_.longest() > loose.bound) {
    std::vector<Id> escapes = nodes(free.escapes);
    std::erase_if(escapes, [&](Id n) {
      if (trie_.depth(n) <= loose.bound) return false;
      const Id config = read(trie_.path(n));
      return config == Configs::kDead || !configs_.closed(config).escapes;
    });
    out.escapes = intern_nodes(std::move(escapes));
  }
  ++counted_;
  return true;
}

}  // namespace gramspec
