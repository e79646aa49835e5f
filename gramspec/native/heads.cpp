// Head normal forms: what an expression can read or call first.
// Cost: once an expression, in the arcs of its parts.
// Source: Brzozowski, JACM 11(4), 1964; Antimirov, TCS 155, 1996.
#include <algorithm>
#include <map>

#include "expr.hpp"
#include "object.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kPrefixStates = 512;  // states of one prefix-freeness check
}  // namespace

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
    case Kind::kState:
      h.arcs = state_arcs(states_[static_cast<std::size_t>(n.a)]);
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
    case Kind::kNumber:
      h.arcs = number_arcs(n.a);
      break;
    case Kind::kSpelled:
      h = spelled_head(n);
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
  // Behind an item that may be empty the head needs that of the rest: made from the end, not by recursion.
  std::vector<Id> rests;
  for (Id rest = e; node(rest).kind == Kind::kConcat && nullable(node(rest).a);) {
    rest = node(rest).b;
    if (head_index_[static_cast<std::size_t>(rest)] >= 0) break;
    rests.push_back(rest);
  }
  const bool keep = !pending_ || regular(e);
  if (!keep && rests.size() > static_cast<std::size_t>(kMaxDepth)) {
    throw LimitExceeded("max_stack_depth",
                        "more than " + std::to_string(kMaxDepth) + " optional items in a row");
  }
  for (; keep && !rests.empty(); rests.pop_back()) head(rests.back());
  Head h = raw_head(e);
  filter(h);
  if (!keep) {
    scratch_head_ = std::move(h);
    return scratch_head_;
  }
  count_heads(h.arcs.size() + h.calls.size() + h.tokens.size());
  h.arcs.shrink_to_fit();
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
    // An end that is not written as the empty string would not bring a loop back to its own state.
    if (h.nullable && state != kEpsilonId) return false;
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
      state = non_null(body(n.a));
    } else if (n.kind == Kind::kNonNull && node(n.a).kind == Kind::kRule) {
      state = non_null(body(node(n.a).a));
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
