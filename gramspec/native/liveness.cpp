// Whether an expression has a member at all, which is asked of every target of every head.
// Cost: remembered; a best-first search over derivatives for intersections, complements and spellings, which
// ends at the first state known to be live. Lower bounds on lengths lead it, and A* in lengths.cpp.
// Source: Brzozowski, JACM 11(4), 1964.
#include <algorithm>
#include <array>
#include <queue>
#include <unordered_set>

#include "expr.hpp"

namespace gramspec {

bool Exprs::live(Id e) {
  const auto i = static_cast<std::size_t>(e);
  if (shortest_[i] >= 0) return shortest_[i] < kUnreachable;
  if (!regular(e)) return shortest(e) < kUnreachable;
  if (live_[i] >= 0) return live_[i] != 0;
  const Node n = node(e);
  bool value = false;
  switch (n.kind) {
    case Kind::kConcat: {
      std::vector<Id> spine;  // by iteration: literals may be a million items long
      Id tail = e;
      for (; node(tail).kind == Kind::kConcat && live_[static_cast<std::size_t>(tail)] < 0;
           tail = node(tail).b) {
        spine.push_back(tail);
      }
      value = live(tail);
      for (auto it = spine.rbegin(); it != spine.rend(); ++it) {
        value = value && live(node(*it).a);
        live_[static_cast<std::size_t>(*it)] = value ? 1 : 0;
      }
      break;
    }
    case Kind::kUnion: {
      const std::vector<Id> items = members(e);
      value = std::any_of(items.begin(), items.end(), [&](Id x) { return live(x); });
      break;
    }
    case Kind::kRepeat:
      value = n.lo == 0 || live(n.a);
      break;
    case Kind::kCall:
      value = live(n.a);
      break;
    case Kind::kAnd:
    case Kind::kNot:
    case Kind::kSpelled:
      value = nullable(e) || explore_live(e);
      break;
    case Kind::kNumber:
      value = nullable(e) || numbers_.witness(n.a) >= 0 || explore_live(e);
      break;
    default:
      value = shortest(e) < kUnreachable;
      break;
  }
  live_[i] = value ? 1 : 0;
  return value;
}

void Exprs::check_explored(std::size_t states) {
  if (states > kExploreStates) {
    throw LimitExceeded("max_states", "an intersection or complement needs more than " +
                                          std::to_string(kExploreStates) +
                                          " states to be checked for emptiness");
  }
}

// At least the length of a shortest member. Where that is hard to find, the length of the member that the
// search for liveness has met; what failed searches may cost in all is bounded.
std::int64_t Exprs::longest_needed(Id e, bool search) {
  if (const std::int64_t known = shortest_[static_cast<std::size_t>(e)]; known >= 0) return known;
  if (!regular(e)) return shortest(e);
  const Node n = node(e);
  switch (n.kind) {
    case Kind::kConcat: {
      // From the end; remembered, as what follows is shared by all that can be left of the front.
      std::vector<Id> spine;
      Id tail = e;
      std::int64_t value = -1;
      for (; node(tail).kind == Kind::kConcat; tail = node(tail).b) {
        if (search) value = needed_[static_cast<std::size_t>(tail)];
        if (value >= 0) break;
        spine.push_back(tail);
      }
      if (value < 0) value = longest_needed(tail, search);
      for (; !spine.empty(); spine.pop_back()) {
        value = add_length(value, longest_needed(node(spine.back()).a, search));
        if (search) needed_[static_cast<std::size_t>(spine.back())] = value;
      }
      return value;
    }
    case Kind::kUnion: {
      std::int64_t value = kUnreachable;
      const std::vector<Id> items = members(e);
      for (Id x : items) value = std::min(value, longest_needed(x, search));
      return value;
    }
    case Kind::kRepeat:
      return multiply_length(longest_needed(n.a, search), n.lo);
    case Kind::kCall:
      return longest_needed(n.a, search);
    case Kind::kNumber:
      if (!nullable(e) && numbers_.witness(n.a) >= 0) return numbers_.witness(n.a);
      [[fallthrough]];
    case Kind::kAnd:
    case Kind::kNot:
    case Kind::kSpelled: {
      if (nullable(e)) return 0;
      if (!live(e)) return kUnreachable;
      const auto known = witnesses_.find(e);
      if (known == witnesses_.end()) return shortest(e);
      if (search && failed_states_ < kExploreStates) {
        if (const std::int64_t value = explore_shortest(e, kShortSearch); value >= 0) return value;
        failed_states_ += kShortSearch;
      }
      return known->second;
    }
    default:
      return shortest(e);
  }
}

// What the parts of an intersection still need, added up: any member will do, so the search follows those
// that all parts have nearly finished, whatever has been read on the way.
std::int64_t Exprs::still_to_do(Id e) {
  const std::int64_t bound = shortest_bound(e);
  if (bound >= kUnreachable || node(e).kind != Kind::kAnd) return bound;
  std::int64_t sum = 0;
  for (Id x : members(e)) sum = add_length(sum, shortest_bound(x));
  return sum;
}

bool Exprs::explore_live(Id e) {
  struct Entry {
    std::int64_t estimate;
    std::int64_t distance;
    Id state;
    // Least estimate first, then the one that is farthest on its way.
    bool operator<(const Entry& other) const noexcept {
      return estimate != other.estimate ? estimate > other.estimate : distance < other.distance;
    }
  };
  // Ways that look short come first, as they serve products of automata; later they take turns with ways on
  // which all parts together come closer to an end, as they serve many conditions at once. Where there are
  // many, such a way is tried before all: it is straight where each condition waits for a letter of its own.
  const std::size_t straight = node(e).kind == Kind::kAnd && members(e).size() > kFewParts ? kStraightWay : 0;
  std::unordered_map<Id, Id> from;
  std::unordered_set<Id> expanded;
  std::array<std::priority_queue<Entry>, 2> queues;
  // Whether the state is known to be live.
  const auto visit = [&](Id state, Id before, std::int64_t distance) {
    if (!from.try_emplace(state, before).second) return false;
    const auto i = static_cast<std::size_t>(state);
    const Kind kind = node(state).kind;
    const bool boolean = searched(kind);
    if (state != e && (!boolean || live_[i] >= 0 || shortest_[i] >= 0)) return live(state);
    if (nullable(state)) return true;
    if (kind == Kind::kNumber && numbers_.witness(node(state).a) >= 0) return true;
    const std::int64_t bound = shortest_bound(state);
    if (bound >= kUnreachable) return false;
    queues[0].push({add_length(distance, multiply_length(bound, 2)), distance, state});
    if (kind == Kind::kAnd) queues[1].push({still_to_do(state), distance, state});
    return false;
  };
  Id found = visit(e, kNone, 0) ? e : kNone;
  for (std::size_t turn = 0; found == kNone && !queues[0].empty(); ++turn) {
    const bool together = turn < straight || (turn >= kShortSearch && turn % 2 == 1);
    auto& queue = queues[together && !queues[1].empty() ? 1 : 0];
    const auto [estimate, distance, state] = queue.top();
    queue.pop();
    if (!expanded.insert(state).second) continue;
    const Head h = raw_head(state);
    for (const Arc& arc : h.arcs) {
      if (visit(arc.target, state, distance + 1)) {
        found = arc.target;
        break;
      }
    }
    check_explored(from.size());
  }
  if (found == kNone) {
    for (const auto& [state, before] : from) shortest_[static_cast<std::size_t>(state)] = kUnreachable;
    return false;
  }
  std::int64_t rest = longest_needed(found, false);
  for (Id x = found; x != kNone; x = from.at(x)) {
    live_[static_cast<std::size_t>(x)] = 1;
    witnesses_.try_emplace(x, rest);
    rest = add_length(rest, 1);
  }
  return true;
}

// At most the length of a shortest member: exact for states of automata, an intersection is no shorter than
// any of its members. Only for regular expressions.
std::int64_t Exprs::shortest_bound(Id e) {
  if (const std::int64_t known = shortest_[static_cast<std::size_t>(e)]; known >= 0) return known;
  if (const std::int64_t known = bounds_below_[static_cast<std::size_t>(e)]; known >= 0) return known;
  const Node n = node(e);
  std::int64_t value = 0;
  switch (n.kind) {
    case Kind::kConcat: {
      Id tail = e;
      for (; node(tail).kind == Kind::kConcat; tail = node(tail).b) {
        value = add_length(value, shortest_bound(node(tail).a));
      }
      value = add_length(value, shortest_bound(tail));
      break;
    }
    case Kind::kUnion: {
      value = kUnreachable;
      const std::vector<Id> items = members(e);
      for (Id x : items) value = std::min(value, shortest_bound(x));
      break;
    }
    case Kind::kRepeat:
      value = multiply_length(shortest_bound(n.a), n.lo);
      break;
    case Kind::kCall:
      value = shortest_bound(n.a);
      break;
    case Kind::kNot:
      value = nullable(e) ? 0 : 1;
      break;
    case Kind::kSpelled:
      value = spelled_bound(n);
      break;
    case Kind::kNumber:
      value = numbers_.bound(n.a);
      break;
    case Kind::kAnd: {
      value = nullable(e) ? 0 : 1;
      const std::vector<Id> items = members(e);
      for (Id x : items) {
        if (value < kUnreachable) value = std::max(value, shortest_bound(x));
      }
      break;
    }
    default:
      return shortest(e);
  }
  return bounds_below_[static_cast<std::size_t>(e)] = value;
}

}  // namespace gramspec
