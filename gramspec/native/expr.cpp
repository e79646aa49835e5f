// Making expressions: interning and the algebra that keeps them small.
// Cost: a hash look-up an expression; unions are sorted.
// Source: architecture, "IR".
#include "expr.hpp"

#include <algorithm>

#include "fuel.hpp"

namespace gramspec {

Exprs::Exprs(const Bounds& bounds) : bounds_(bounds) {
  allowed_.words.fill(~std::uint64_t{0});
  intern({Kind::kEmpty}, true, 0);
  intern({Kind::kEpsilon}, true, 0);
}

Id Exprs::intern(const Node& n, bool is_regular, std::int32_t depth) {
  tick(bounds_);
  const std::size_t hash = HashNode{}(n);
  if (const Id known = index_.find(hash, [&](Id e) { return node(e) == n; }); known != kNone) return known;
  if (size() >= bounds_.max_states) {
    throw LimitExceeded("max_states",
                        "the grammar needs more than " + std::to_string(bounds_.max_states) + " states");
  }
  if (depth > kMaxDepth) {
    throw LimitExceeded("max_stack_depth",
                        "an expression is nested more than " + std::to_string(kMaxDepth) + " deep");
  }
  const auto id = static_cast<Id>(nodes_.size());
  nodes_.push_back(n);
  regular_.push_back(is_regular ? 1 : 0);
  depth_.push_back(depth);
  nullable_.push_back(-1);
  shortest_.push_back(-1);
  bounds_below_.push_back(-1);
  needed_.push_back(-1);
  live_.push_back(-1);
  head_index_.push_back(-1);
  index_.add(hash, id);
  return id;
}

void Exprs::count_members(std::size_t members) {
  const std::int64_t limit = kListItems * bounds_.max_states;
  if (list_items_ + static_cast<std::int64_t>(members) > limit) {
    throw LimitExceeded("max_states",
                        "the states' alternatives and keys are more than " + std::to_string(limit));
  }
  list_items_ += static_cast<std::int64_t>(members);
}

void Exprs::count_heads(std::size_t parts) {
  const std::int64_t limit = kListItems * bounds_.max_states;
  if (head_items_ + static_cast<std::int64_t>(parts) > limit) {
    throw LimitExceeded("max_states", "the states can read or call more than " + std::to_string(limit) +
                                          " parts of the grammar");
  }
  head_items_ += static_cast<std::int64_t>(parts);
}

Id Exprs::intern_list(std::vector<Id> items) {
  const std::size_t hash = HashIds{}(items);
  const Id known =
      list_index_.find(hash, [&](Id list) { return lists_[static_cast<std::size_t>(list)] == items; });
  if (known != kNone) return known;
  count_members(items.size());
  const auto id = static_cast<Id>(lists_.size());
  list_index_.reserve();
  lists_.push_back(std::move(items));
  list_index_.add(hash, id);
  return id;
}

Id Exprs::make(const Node& n, std::int32_t depth) { return intern(n, false, depth); }

Id Exprs::bytes(const ByteSet& wanted) {
  ByteSet set = wanted;
  for (std::size_t i = 0; i < set.words.size(); ++i) set.words[i] &= allowed_.words[i];
  return all_bytes(set);
}

Id Exprs::all_bytes(const ByteSet& set) {
  if (!set.any()) return kEmptyId;
  const auto [it, fresh] = set_index_.try_emplace(set.words, static_cast<Id>(sets_.size()));
  if (fresh) sets_.push_back(set);
  return intern({Kind::kBytes, it->second}, true, 1);
}

Id Exprs::byte(std::uint8_t value) {
  ByteSet set;
  set.set(value);
  return bytes(set);
}

bool Exprs::begins_object(Id e) const noexcept {
  const Node& n = node(e);
  const Kind first = n.kind == Kind::kConcat ? node(n.a).kind : n.kind;
  return first == Kind::kObject || first == Kind::kKeyOpen;
}

Id Exprs::concat(Id a, Id b) {
  if (a == kEmptyId || b == kEmptyId) return kEmptyId;
  if (a == kEpsilonId) return b;
  if (b == kEpsilonId) return a;
  if (node(a).kind == Kind::kUnion && !regular(a)) {
    // The rest of an object has to be in front of what follows it: its key is written in a frame.
    std::vector<Id> objects, others;
    for (Id x : std::vector<Id>(members(a))) (begins_object(x) ? objects : others).push_back(x);
    if (!objects.empty()) {
      for (Id& x : objects) x = concat(x, b);
      objects.push_back(concat(union_of(std::move(others)), b));
      return union_of(std::move(objects));
    }
  }
  if (node(a).kind != Kind::kConcat) {
    const auto depth = std::max(depth_[static_cast<std::size_t>(a)] + 1, depth_[static_cast<std::size_t>(b)]);
    return intern({Kind::kConcat, a, b}, regular(a) && regular(b), depth);
  }
  std::vector<Id> spine;  // right associative: re-hang a's items in front of b
  for (; node(a).kind == Kind::kConcat; a = node(a).b) spine.push_back(node(a).a);
  Id tail = concat(a, b);
  for (auto it = spine.rbegin(); it != spine.rend(); ++it) tail = concat(*it, tail);
  return tail;
}

// (x{m,n} k) and (x{m',n'} k) with touching intervals are one interval: the set of counts of a
// repetition is kept as intervals, so (a|aa){0,1000} does not become a thousand-fold union.
void Exprs::merge_repeats(std::vector<Id>& items) {
  struct Interval {
    std::int64_t lo, hi;
  };
  std::map<std::pair<Id, Id>, std::vector<Interval>> groups;
  std::size_t repeats = 0;
  for (Id e : items) {
    const Node& n = node(e);
    const Id head = n.kind == Kind::kConcat ? n.a : e;
    if (node(head).kind != Kind::kRepeat) continue;
    ++repeats;
    groups[{node(head).a, n.kind == Kind::kConcat ? n.b : kEpsilonId}].push_back(
        {node(head).lo, node(head).hi});
  }
  if (repeats < 2 || groups.size() == repeats) return;
  std::erase_if(items, [&](Id e) {
    const Node& n = node(e);
    return node(n.kind == Kind::kConcat ? n.a : e).kind == Kind::kRepeat;
  });
  for (auto& [key, intervals] : groups) {
    std::sort(intervals.begin(), intervals.end(), [](auto& x, auto& y) { return x.lo < y.lo; });
    std::vector<Interval> merged;
    for (const Interval& i : intervals) {
      if (!merged.empty() && (merged.back().hi == kInfinite || i.lo <= merged.back().hi + 1)) {
        Interval& last = merged.back();
        if (last.hi != kInfinite) last.hi = i.hi == kInfinite ? kInfinite : std::max(last.hi, i.hi);
      } else {
        merged.push_back(i);
      }
    }
    for (const Interval& i : merged) items.push_back(concat(repeat(key.first, i.lo, i.hi), key.second));
  }
}

Id Exprs::union_of(std::vector<Id> items) {
  std::vector<Id> flat;
  flat.reserve(items.size());
  ByteSet all;
  bool any_bytes = false;
  const auto add = [&](Id e) {
    if (e == kEmptyId) return;
    if (node(e).kind == Kind::kBytes) {
      all |= bytes_of(e);
      any_bytes = true;
    } else {
      flat.push_back(e);
    }
  };
  for (Id e : items) {
    if (node(e).kind == Kind::kUnion) {
      for (Id member : members(e)) add(member);
    } else {
      add(e);
    }
  }
  if (any_bytes) flat.push_back(all_bytes(all));
  if (flat.size() > 1) merge_repeats(flat);
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.size() > 1 && std::binary_search(flat.begin(), flat.end(), kEpsilonId) &&
      std::any_of(flat.begin(), flat.end(),
                  [&](Id e) { return e != kEpsilonId && regular(e) && nullable(e); })) {
    std::erase(flat, kEpsilonId);
  }
  if (flat.empty()) return kEmptyId;
  if (flat.size() == 1) return flat[0];
  bool is_regular = true;
  std::int32_t depth = 0;
  for (Id e : flat) {
    is_regular = is_regular && regular(e);
    depth = std::max(depth, depth_[static_cast<std::size_t>(e)] + 1);
  }
  return intern({Kind::kUnion, intern_list(std::move(flat))}, is_regular, depth);
}

Id Exprs::repeat(Id item, std::int64_t lo, std::int64_t hi) {
  if (hi == 0 || item == kEpsilonId) return kEpsilonId;
  if (item == kEmptyId) return lo == 0 ? kEpsilonId : kEmptyId;
  if (lo == 1 && hi == 1) return item;
  const Node& n = node(item);
  if (n.kind == Kind::kRepeat && n.lo == 0 && n.hi == kInfinite) return item;
  return intern({Kind::kRepeat, item, kNone, lo, hi}, regular(item),
                depth_[static_cast<std::size_t>(item)] + 1);
}

Id Exprs::strip_calls(Id e) {
  if (const auto it = stripped_.find(e); it != stripped_.end()) return it->second;
  const Id out = strip(e);
  return stripped_[e] = out;
}

Id Exprs::strip(Id e) {
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kCall:
      return strip_calls(n.a);
    case Kind::kConcat: {
      std::vector<Id> spine;
      Id tail = e;
      for (; node(tail).kind == Kind::kConcat; tail = node(tail).b) spine.push_back(node(tail).a);
      Id out = strip_calls(tail);
      for (auto it = spine.rbegin(); it != spine.rend(); ++it) out = concat(strip_calls(*it), out);
      return out;
    }
    case Kind::kUnion: {
      std::vector<Id> items = members(e);
      for (Id& item : items) item = strip_calls(item);
      return union_of(std::move(items));
    }
    case Kind::kRepeat:
      return repeat(strip_calls(n.a), n.lo, n.hi);
    default:
      return e;
  }
}

Id Exprs::and_of(std::vector<Id> items) {
  std::vector<Id> flat;
  const Id everything = not_of(kEmptyId);
  for (Id e : items) {
    if (!regular(e)) throw std::invalid_argument("an operand of an intersection is not regular");
    e = strip_calls(e);
    if (e == kEmptyId) return kEmptyId;
    if (e == everything) continue;
    if (node(e).kind == Kind::kAnd) {
      flat.insert(flat.end(), members(e).begin(), members(e).end());
    } else {
      flat.push_back(e);
    }
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return everything;
  if (flat.size() == 1) return flat[0];
  if (flat[0] == kEpsilonId) {
    return std::all_of(flat.begin(), flat.end(), [&](Id e) { return nullable(e); }) ? kEpsilonId : kEmptyId;
  }
  std::int32_t depth = 0;
  for (Id e : flat) depth = std::max(depth, depth_of(e) + 1);
  return intern({Kind::kAnd, intern_list(std::move(flat))}, true, depth);
}

Id Exprs::not_of(Id item) {
  if (!regular(item)) throw std::invalid_argument("the operand of a complement is not regular");
  item = strip_calls(item);
  if (node(item).kind == Kind::kNot) return node(item).a;
  return intern({Kind::kNot, item}, true, depth_[static_cast<std::size_t>(item)] + 1);
}

Id Exprs::call(Id item) {
  const Kind kind = node(item).kind;
  if (!regular(item) || kind == Kind::kCall || kind == Kind::kBytes || item <= kEpsilonId) return item;
  return intern({Kind::kCall, item}, true, depth_[static_cast<std::size_t>(item)] + 1);
}

Id Exprs::non_null(Id item) {
  if (!nullable(item)) return item;
  if (item == kEpsilonId) return kEmptyId;
  return intern({Kind::kNonNull, item}, regular(item), depth_[static_cast<std::size_t>(item)] + 1);
}

Id Exprs::new_rule(std::string name) {
  rules_.push_back(Rule{std::move(name)});
  pending_ = true;
  return static_cast<Id>(rules_.size()) - 1;
}

Id Exprs::new_deferred_rule(std::string name) {
  Rule rule{std::move(name)};
  rule.deferred = true;
  rule.shortest = rule.shortest_non_empty = 1;
  rules_.push_back(std::move(rule));
  return static_cast<Id>(rules_.size()) - 1;
}

void Exprs::expand(Id r, Id body) {
  if (!rule(r).deferred) return;
  bool alike = live(body) && !nullable(body);
  // Rules that are nothing but each other would call themselves without end.
  for (Id inner = body; alike && node(inner).kind == Kind::kRule; inner = rule(node(inner).a).body) {
    alike = node(inner).a != r;
    if (rule(node(inner).a).deferred) break;
  }
  if (!alike) throw std::logic_error("the body of the deferred rule " + rule(r).name + " is not as was said");
  rule(r).body = body;
  rule(r).deferred = false;
}

Id Exprs::rule_expr(Id r) { return make({Kind::kRule, r}); }

void Exprs::set_body(Id r, Id body) { rule(r).body = body; }

}  // namespace gramspec
