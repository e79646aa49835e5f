// Nullability and lengths of shortest members of expressions.
// Cost: one visit a node, remembered; an A* search over derivatives for intersections and complements.
// Source: Knuth, IPL 6(1), 1977 (shortest members of a grammar); Hart et al., IEEE SSC 4(2), 1968 (A*).
#include <algorithm>
#include <queue>

#include "expr.hpp"
#include "object.hpp"

namespace gramspec {

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
      for (; value && node(tail).kind == Kind::kConcat; tail = node(tail).b) {
        if (nullable_[static_cast<std::size_t>(tail)] >= 0) break;
        value = nullable(node(tail).a);
      }
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
    case Kind::kSpelled:
      value = n.lo == 0 && nullable(n.a);
      break;
    case Kind::kNumber:
      value = numbers_.accepts(n.a);
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
    case Kind::kNumber:
    case Kind::kSpelled:
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
    case Kind::kState:  // known since the automaton was made
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
    case Kind::kNot:
    case Kind::kNumber:
    case Kind::kSpelled: {
      const Head h = head(e);
      for (const Arc& arc : h.arcs) value = std::min(value, add_length(1, shortest(arc.target)));
      break;
    }
    case Kind::kState:
      for (const auto& [read, target] : states_[static_cast<std::size_t>(n.a)].arcs) {
        value = std::min(value, add_length(shortest(read), shortest(target)));
      }
      break;
    case Kind::kRule:
      value = rule(n.a).shortest_non_empty;
      break;
    default:
      break;
  }
  non_empty_lengths_[e] = value;
  return value;
}

// A* over derivatives, stopping at states whose answer is known (-1: not within so many states). An
// intersection is no shorter than any of its members, which leads straight through large automata. The states
// on the way found get their answers too, so that following a member later asks nothing again.
std::int64_t Exprs::explore_shortest(Id e, std::size_t states) {
  struct Visit {
    std::int64_t distance;
    Id from;
  };
  struct Entry {
    std::int64_t estimate;
    std::int64_t distance;
    Id state;
    // Least estimate first, then the one that is farthest on its way.
    bool operator<(const Entry& other) const noexcept {
      return estimate != other.estimate ? estimate > other.estimate : distance < other.distance;
    }
  };
  std::unordered_map<Id, Visit> seen;
  std::priority_queue<Entry> queue;
  const auto visit = [&](Id state, std::int64_t distance, Id from) {
    const auto [it, fresh] = seen.try_emplace(state, Visit{distance, from});
    if (!fresh) {
      if (it->second.distance <= distance) return;
      it->second = {distance, from};
    }
    const std::int64_t estimate = add_length(distance, shortest_bound(state));
    if (estimate < kUnreachable) queue.push({estimate, distance, state});
  };
  visit(e, 0, kNone);
  std::int64_t best = kUnreachable;
  Id last = kNone;
  while (!queue.empty() && queue.top().estimate < best) {
    const auto [estimate, distance, state] = queue.top();
    queue.pop();
    if (distance > seen.at(state).distance) continue;
    const Kind kind = node(state).kind;
    const bool boolean = searched(kind);
    std::int64_t rest = boolean ? shortest_[static_cast<std::size_t>(state)] : shortest(state);
    if (rest < 0 && nullable(state)) rest = 0;
    if (rest >= 0) {
      if (const std::int64_t length = add_length(distance, rest); length < best) {
        best = length;
        last = state;
      }
      continue;
    }
    const Head h = raw_head(state);
    for (const Arc& arc : h.arcs) visit(arc.target, distance + 1, state);
    if (states < kExploreStates && seen.size() > states) return -1;
    check_explored(seen.size());
  }
  if (best >= kUnreachable) {
    for (const auto& [state, found] : seen) shortest_[static_cast<std::size_t>(state)] = kUnreachable;
    return kUnreachable;
  }
  for (Id state = last; state != kNone; state = seen.at(state).from) {
    shortest_[static_cast<std::size_t>(state)] = best - seen.at(state).distance;
  }
  return best;
}

}  // namespace gramspec
