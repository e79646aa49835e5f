#include "expr.hpp"

#include <algorithm>
#include <deque>

#include "object.hpp"

namespace gramspec {

namespace {
constexpr std::int32_t kMaxDepth = 3000;         // nesting of one expression, guards the C++ stack
constexpr std::size_t kExploreStates = 200'000;  // states of one emptiness search
constexpr std::size_t kPrefixStates = 512;       // states of one prefix-freeness check
}  // namespace

Exprs::Exprs(const Bounds& bounds) : bounds_(bounds) {
  allowed_.words.fill(~std::uint64_t{0});
  intern({Kind::kEmpty}, true, 0);
  intern({Kind::kEpsilon}, true, 0);
}

Id Exprs::intern(const Node& n, bool is_regular, std::int32_t depth) {
  const auto [it, fresh] = index_.try_emplace(n, static_cast<Id>(nodes_.size()));
  if (!fresh) return it->second;
  if (size() >= bounds_.max_states) {
    index_.erase(it);
    throw LimitExceeded("max_states",
                        "the grammar needs more than " + std::to_string(bounds_.max_states) + " states");
  }
  if (depth > kMaxDepth) {
    index_.erase(it);
    throw LimitExceeded("max_stack_depth",
                        "an expression is nested more than " + std::to_string(kMaxDepth) + " deep");
  }
  nodes_.push_back(n);
  regular_.push_back(is_regular ? 1 : 0);
  depth_.push_back(depth);
  nullable_.push_back(-1);
  shortest_.push_back(-1);
  head_index_.push_back(-1);
  return static_cast<Id>(nodes_.size()) - 1;
}

Id Exprs::intern_list(std::vector<Id> items) {
  const auto [it, fresh] = list_index_.try_emplace(items, static_cast<Id>(lists_.size()));
  if (fresh) lists_.push_back(std::move(items));
  return it->second;
}

Id Exprs::make(const Node& n) { return intern(n, false, 1); }

Id Exprs::bytes(const ByteSet& wanted) {
  ByteSet set = wanted;
  for (std::size_t i = 0; i < set.words.size(); ++i) set.words[i] &= allowed_.words[i];
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

Id Exprs::concat(Id a, Id b) {
  if (a == kEmptyId || b == kEmptyId) return kEmptyId;
  if (a == kEpsilonId) return b;
  if (b == kEpsilonId) return a;
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
  if (any_bytes) flat.push_back(bytes(all));
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
  for (Id e : flat) depth = std::max(depth, depth_[static_cast<std::size_t>(e)] + 1);
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

Id Exprs::token(Id token_id) { return make({Kind::kToken, token_id}); }

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

Id Exprs::rule_expr(Id r) { return make({Kind::kRule, r}); }

void Exprs::set_body(Id r, Id body) { rule(r).body = body; }

bool Exprs::nullable(Id e) {
  const auto i = static_cast<std::size_t>(e);
  if (nullable_[i] >= 0) return nullable_[i] != 0;
  const bool keep = !pending_ || regular(e);
  if (!keep) {
    if (const auto it = pass_flags_.find(e); it != pass_flags_.end()) return it->second != 0;
  }
  bool value = false;
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kEpsilon:
    case Kind::kNot:
      value = n.kind == Kind::kEpsilon || !nullable(n.a);
      break;
    case Kind::kConcat: {
      Id tail = e;
      value = true;
      for (; value && node(tail).kind == Kind::kConcat; tail = node(tail).b) value = nullable(node(tail).a);
      value = value && nullable(tail);
      break;
    }
    case Kind::kUnion: {
      const std::vector<Id>& items = members(e);
      value = std::any_of(items.begin(), items.end(), [&](Id x) { return nullable(x); });
      break;
    }
    case Kind::kAnd: {
      const std::vector<Id>& items = members(e);
      value = std::all_of(items.begin(), items.end(), [&](Id x) { return nullable(x); });
      break;
    }
    case Kind::kRepeat:
      value = n.lo == 0 || nullable(n.a);
      break;
    case Kind::kCall:
      value = nullable(n.a);
      break;
    case Kind::kRule:
      value = rule(n.a).nullable;
      break;
    default:
      break;
  }
  if (keep) {
    nullable_[i] = value ? 1 : 0;
  } else {
    pass_flags_[e] = value ? 1 : 0;
  }
  return value;
}

bool Exprs::live(Id e) { return shortest(e) < kUnreachable; }

std::int64_t Exprs::shortest(Id e) {
  if (const std::int64_t known = shortest_[static_cast<std::size_t>(e)]; known >= 0) return known;
  // Walk down the spine iteratively, then fold back: literals may be a million items long.
  std::vector<Id> spine;
  std::int64_t value = -1;
  Id tail = e;
  for (; node(tail).kind == Kind::kConcat && value < 0; tail = node(tail).b) {
    value = shortest_[static_cast<std::size_t>(tail)];
    if (value >= 0) break;
    if (pending_) {
      if (const auto it = pass_lengths_.find(tail); it != pass_lengths_.end()) {
        value = it->second;
        break;
      }
    }
    spine.push_back(tail);
  }
  if (value < 0) value = shortest_part(tail);
  for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
    value = add_length(value, shortest(node(*it).a));
    if (!pending_ || regular(*it)) {
      shortest_[static_cast<std::size_t>(*it)] = value;
    } else {
      pass_lengths_[*it] = value;
    }
  }
  return value;
}

std::int64_t Exprs::shortest_part(Id e) {
  const auto i = static_cast<std::size_t>(e);
  if (shortest_[i] >= 0) return shortest_[i];
  const bool keep = !pending_ || regular(e);
  if (!keep) {
    if (const auto it = pass_lengths_.find(e); it != pass_lengths_.end()) return it->second;
  }
  std::int64_t value = kUnreachable;
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kEmpty:
      break;
    case Kind::kEpsilon:
      value = 0;
      break;
    case Kind::kBytes:
    case Kind::kToken:
      value = 1;
      break;
    case Kind::kConcat:
      value = shortest(e);
      break;
    case Kind::kUnion: {
      const std::vector<Id> items = members(e);
      for (Id x : items) value = std::min(value, shortest(x));
      break;
    }
    case Kind::kRepeat:
      value = multiply_length(shortest(n.a), n.lo);
      break;
    case Kind::kAnd:
    case Kind::kNot:
      return explore_shortest(e);
    case Kind::kCall:
      value = shortest(n.a);
      break;
    case Kind::kNonNull:
      value = shortest_non_empty(n.a);
      break;
    case Kind::kRule:
      value = rule(n.a).shortest;
      break;
    case Kind::kObject:
      value = objects_->shortest(n.a, n.b == 1);
      break;
    case Kind::kKeyOpen:
      value = objects_->shortest_from_key(n.a);
      break;
    case Kind::kKeyFrame:
      value = objects_->after_key(e).least;
      break;
  }
  if (keep) {
    shortest_[i] = value;
  } else {
    pass_lengths_[e] = value;
  }
  return value;
}

// Structural, with the rules' values taken from the current pass.
std::int64_t Exprs::shortest_non_empty(Id e) {
  if (const std::int64_t plain = shortest(e); plain > 0) return plain;
  if (const auto it = non_empty_lengths_.find(e); it != non_empty_lengths_.end()) return it->second;
  std::int64_t value = kUnreachable;
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kConcat: {
      // Every item is nullable here: a shortest non-empty member takes it from a single item.
      Id tail = e;
      for (; node(tail).kind == Kind::kConcat; tail = node(tail).b) {
        value = std::min(value, shortest_non_empty(node(tail).a));
      }
      value = std::min(value, shortest_non_empty(tail));
      break;
    }
    case Kind::kUnion: {
      const std::vector<Id> items = members(e);
      for (Id x : items) value = std::min(value, shortest_non_empty(x));
      break;
    }
    case Kind::kRepeat:
    case Kind::kCall:
      value = shortest_non_empty(n.a);
      break;
    case Kind::kAnd:
    case Kind::kNot: {
      const Head h = head(e);
      for (const Arc& arc : h.arcs) value = std::min(value, add_length(1, shortest(arc.target)));
      break;
    }
    case Kind::kRule:
      value = rule(n.a).shortest_non_empty;
      break;
    default:
      break;
  }
  non_empty_lengths_[e] = value;
  return value;
}

std::int64_t Exprs::explore_shortest(Id e) {
  std::unordered_map<Id, std::int64_t> seen{{e, 0}};
  std::deque<Id> queue{e};
  while (!queue.empty()) {
    const Id state = queue.front();
    queue.pop_front();
    const std::int64_t distance = seen[state];
    if (nullable(state)) return shortest_[static_cast<std::size_t>(e)] = distance;
    const Kind kind = node(state).kind;
    if (kind != Kind::kAnd && kind != Kind::kNot) {
      // Breadth first and a structural answer: the true minimum still needs the other branches.
      const std::int64_t rest = shortest(state);
      if (rest >= kUnreachable) continue;
    }
    const Head h = raw_head(state);
    for (const Arc& arc : h.arcs) {
      if (seen.try_emplace(arc.target, distance + 1).second) queue.push_back(arc.target);
    }
    if (seen.size() > kExploreStates) {
      throw LimitExceeded("max_states", "an intersection or complement needs more than " +
                                            std::to_string(kExploreStates) +
                                            " states to be checked for emptiness");
    }
  }
  for (const auto& [state, distance] : seen) shortest_[static_cast<std::size_t>(state)] = kUnreachable;
  return kUnreachable;
}

std::vector<Arc> Exprs::merge_arcs(const std::vector<const std::vector<Arc>*>& parts) {
  if (parts.size() == 1) return *parts[0];
  struct Event {
    int at;
    bool add;
    Id target;
  };
  std::vector<Event> events;
  for (const auto* part : parts) {
    for (const Arc& arc : *part) {
      events.push_back({arc.lo, true, arc.target});
      events.push_back({arc.hi + 1, false, arc.target});
    }
  }
  std::sort(events.begin(), events.end(), [](const Event& x, const Event& y) { return x.at < y.at; });
  std::vector<Arc> out;
  std::map<Id, int> active;
  for (std::size_t i = 0; i < events.size();) {
    const int at = events[i].at;
    for (; i < events.size() && events[i].at == at; ++i) {
      int& count = active[events[i].target];
      count += events[i].add ? 1 : -1;
      if (count == 0) active.erase(events[i].target);
    }
    if (i == events.size() || active.empty()) continue;
    std::vector<Id> targets;
    targets.reserve(active.size());
    for (const auto& entry : active) targets.push_back(entry.first);
    const Id target = targets.size() == 1 ? targets[0] : union_of(std::move(targets));
    const auto lo = static_cast<std::uint8_t>(at);
    const auto hi = static_cast<std::uint8_t>(events[i].at - 1);
    if (!out.empty() && out.back().target == target && out.back().hi + 1 == lo) {
      out.back().hi = hi;
    } else {
      out.push_back({lo, hi, target});
    }
  }
  return out;
}

std::vector<Arc> Exprs::intersect_arcs(const std::vector<Id>& items) {
  std::vector<std::vector<Arc>> parts;
  parts.reserve(items.size());
  for (Id e : items) parts.push_back(head(e).arcs);
  std::vector<Arc> out;
  std::vector<std::size_t> at(parts.size(), 0);
  int byte = 0;
  while (byte < 256) {
    int next = 256;
    bool all = true;
    std::vector<Id> targets;
    for (std::size_t p = 0; p < parts.size(); ++p) {
      while (at[p] < parts[p].size() && parts[p][at[p]].hi < byte) ++at[p];
      if (at[p] == parts[p].size()) return out;
      const Arc& arc = parts[p][at[p]];
      if (arc.lo > byte) {
        all = false;
        next = std::min<int>(next, arc.lo);
      } else {
        targets.push_back(arc.target);
        next = std::min<int>(next, arc.hi + 1);
      }
    }
    if (all) {
      const Id target = and_of(std::move(targets));
      if (target != kEmptyId)
        out.push_back({static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(next - 1), target});
    }
    byte = next;
  }
  return out;
}

Head Exprs::raw_head(Id e) {
  Head h;
  h.nullable = nullable(e);
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kBytes: {
      const ByteSet set = bytes_of(e);
      for (int b = 0; b < 256; ++b) {
        if (!set.test(static_cast<unsigned>(b))) continue;
        if (!h.arcs.empty() && h.arcs.back().hi + 1 == b) {
          h.arcs.back().hi = static_cast<std::uint8_t>(b);
        } else {
          h.arcs.push_back({static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(b), kEpsilonId});
        }
      }
      break;
    }
    case Kind::kConcat:
    case Kind::kRepeat: {
      const bool is_concat = n.kind == Kind::kConcat;
      const Id rest = is_concat ? n.b
                                : repeat(n.a, std::max<std::int64_t>(n.lo - 1, 0),
                                         n.hi == kInfinite ? kInfinite : n.hi - 1);
      const Head first = head(n.a);
      for (const Arc& arc : first.arcs) h.arcs.push_back({arc.lo, arc.hi, concat(arc.target, rest)});
      for (const auto& [callee, cont] : first.calls) h.calls.emplace_back(callee, concat(cont, rest));
      for (const auto& [t, cont] : first.tokens) h.tokens.emplace_back(t, concat(cont, rest));
      if (is_concat && first.nullable) {
        const Head second = head(n.b);
        const std::vector<Arc> own = std::move(h.arcs);
        h.arcs = merge_arcs({&own, &second.arcs});
        h.calls.insert(h.calls.end(), second.calls.begin(), second.calls.end());
        h.tokens.insert(h.tokens.end(), second.tokens.begin(), second.tokens.end());
      }
      break;
    }
    case Kind::kUnion: {
      std::vector<Head> parts;
      for (Id x : std::vector<Id>(members(e))) parts.push_back(head(x));
      std::vector<const std::vector<Arc>*> arcs;
      for (const Head& part : parts) {
        if (!part.arcs.empty()) arcs.push_back(&part.arcs);
        h.calls.insert(h.calls.end(), part.calls.begin(), part.calls.end());
        h.tokens.insert(h.tokens.end(), part.tokens.begin(), part.tokens.end());
      }
      if (!arcs.empty()) h.arcs = merge_arcs(arcs);
      break;
    }
    case Kind::kAnd:
      h.arcs = intersect_arcs(std::vector<Id>(members(e)));
      break;
    case Kind::kNot: {
      const std::vector<Arc> inner = head(n.a).arcs;
      const Id everything = not_of(kEmptyId);
      int byte = 0;
      for (const Arc& arc : inner) {
        if (arc.lo > byte)
          h.arcs.push_back(
              {static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(arc.lo - 1), everything});
        h.arcs.push_back({arc.lo, arc.hi, not_of(arc.target)});
        byte = arc.hi + 1;
      }
      if (byte < 256) h.arcs.push_back({static_cast<std::uint8_t>(byte), 255, everything});
      break;
    }
    case Kind::kCall:
      h.calls.emplace_back(non_null(n.a), kEpsilonId);
      break;
    case Kind::kRule:
      h.calls.emplace_back(non_null(e), kEpsilonId);
      break;
    case Kind::kNonNull:
      h = head(n.a);
      h.nullable = false;
      break;
    case Kind::kToken:
      h.tokens.emplace_back(n.a, kEpsilonId);
      break;
    case Kind::kObject:
      h = head(objects_->body(n.a, n.b == 1));
      break;
    case Kind::kKeyOpen:
      if (const Id callee = objects_->key_language(n.a); callee != kEmptyId) {
        h.calls.emplace_back(callee, objects_->key_frame(n.a, 0));
      }
      break;
    default:
      break;
  }
  return h;
}

void Exprs::filter(Head& h) {
  std::erase_if(h.arcs, [&](const Arc& arc) { return !live(arc.target); });
  std::erase_if(h.calls, [&](const auto& c) { return !live(c.first) || !live(c.second); });
  std::erase_if(h.tokens, [&](const auto& t) { return !live(t.second); });
  std::sort(h.calls.begin(), h.calls.end());
  h.calls.erase(std::unique(h.calls.begin(), h.calls.end()), h.calls.end());
}

const Head& Exprs::head(Id e) {
  const auto i = static_cast<std::size_t>(e);
  if (head_index_[i] >= 0) return heads_[static_cast<std::size_t>(head_index_[i])];
  Head h = raw_head(e);
  filter(h);
  if (pending_ && !regular(e)) {
    scratch_head_ = std::move(h);
    return scratch_head_;
  }
  heads_.push_back(std::move(h));
  head_index_[i] = static_cast<std::int32_t>(heads_.size()) - 1;
  return heads_.back();
}

bool Exprs::prefix_free(Id e) {
  if (!regular(e)) return false;
  std::vector<Id> todo{strip_calls(e)};
  std::unordered_map<Id, bool> seen{{todo[0], true}};
  while (!todo.empty()) {
    const Id state = todo.back();
    todo.pop_back();
    const Head& h = head(state);
    if (h.nullable && !h.arcs.empty()) return false;
    for (const Arc& arc : h.arcs) {
      if (seen.try_emplace(arc.target, true).second) todo.push_back(arc.target);
    }
    if (seen.size() > kPrefixStates) return false;
  }
  return true;
}

// Every byte some member may begin with: arcs, and through calls their callees (which are non-null).
ByteSet Exprs::first_bytes(Id e) {
  ByteSet out;
  std::vector<Id> todo{e};
  std::unordered_map<Id, bool> seen{{e, true}};
  while (!todo.empty()) {
    Id state = todo.back();
    todo.pop_back();
    const Node n = node(state);
    if (n.kind == Kind::kRule) {
      state = non_null(rule(n.a).body);
    } else if (n.kind == Kind::kNonNull && node(n.a).kind == Kind::kRule) {
      state = non_null(rule(node(n.a).a).body);
    }
    const Head& h = head(state);
    for (const Arc& arc : h.arcs) {
      for (int b = arc.lo; b <= arc.hi; ++b) out.set(static_cast<unsigned>(b));
    }
    for (const auto& [callee, cont] : h.calls) {
      if (seen.try_emplace(callee, true).second) todo.push_back(callee);
    }
  }
  return out;
}

}  // namespace gramspec
