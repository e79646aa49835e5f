// Rows of states whose repetitions are far from their upper bounds.
// Law: the row is exact: a text of at most n bytes has no more than n items.
// Cost: one row for all counts, then a copy of it and the tokens that are
// longer than what is left. Source: architecture, "Count-dependent rows".

#include <algorithm>

#include "rows.hpp"

namespace gramspec {

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
      const bool far = n.hi != kInfinite && n.hi >= kFar && !nullable(n.a);
      if (far) out.bound = out.bound == kInfinite ? n.hi : std::min(out.bound, n.hi);
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
// Long tokens are asked one by one.
bool Rows::loosened_row(Id top, Row& out) {
  const Exprs::Loose loose = exprs_.loosened(top);
  if (loose.bound == kInfinite) return false;
  const Row& free = row(loose.expr);
  const std::int64_t sure = loose.bound - free.furthest;
  if (sure < Trie::kShort) return false;  // longer tokens are too many to be asked one by one
  out.tokens = free.tokens;
  out.furthest = free.furthest;
  const Id start = configs_.start(top, Configs::kUnknown);
  std::int64_t steps = 0;
  const auto read = [&](std::string_view text) {
    Id config = start;
    for (const char c : text) {
      config = configs_.step(config, static_cast<std::uint8_t>(c));
      ++steps;
      if (config == Configs::kDead) break;
    }
    return config;
  };
  std::vector<Id> dead;
  for (const Id t : trie_.long_tokens()) {
    if (static_cast<std::int64_t>(trie_.token(t).size()) <= sure) break;
    if (dead.empty() && steps == 0) apply(free.tokens, true, scratch_, scratch_);
    if (!(scratch_[static_cast<std::size_t>(t) >> 5] >> (static_cast<unsigned>(t) & 31U) & 1U)) continue;
    const Id config = read(trie_.token(t));
    if (config == Configs::kDead || configs_.closed(config).core.empty()) {
      dead.push_back(t);
    } else {
      out.furthest = std::max(out.furthest, configs_.longest(config));
    }
  }
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
  spend(steps);
  ++counted_;
  return true;
}

}  // namespace gramspec
