// Finite automata as expressions: each state an expression, its derivatives read off its arcs.
// Cost: O(arcs log arcs) when made; cycles between states never recurse, as liveness is known up front.
// Source: Dijkstra, Numer. Math. 1, 1959 (shortest members, from the accepting states backwards).
#include <algorithm>
#include <queue>

#include "expr.hpp"

namespace gramspec {

Id Exprs::machine(const std::vector<std::vector<std::pair<Id, Id>>>& arcs,
                  const std::vector<bool>& accepting) {
  const std::size_t size = arcs.size();
  if (size == 0 || accepting.size() != size) {
    throw std::invalid_argument("an automaton needs a first state and one accepting flag a state");
  }
  struct Step {
    std::size_t from;
    std::size_t to;
    Id read;
    std::int64_t length;
  };
  std::vector<Step> steps;
  std::vector<Id> key{static_cast<Id>(size)};
  for (std::size_t q = 0; q < size; ++q) {
    key.push_back(accepting[q] ? -1 : -2);
    for (const auto& [item, target] : arcs[q]) {
      if (target < 0 || static_cast<std::size_t>(target) >= size) {
        throw std::invalid_argument("an arc of an automaton leads to no state");
      }
      if (!regular(item)) throw std::invalid_argument("an arc of an automaton is not regular");
      const Id read = strip_calls(item);
      if (nullable(read)) throw std::invalid_argument("an arc of an automaton matches the empty string");
      const std::int64_t length = shortest(read);
      if (length >= kUnreachable) continue;
      steps.push_back({q, static_cast<std::size_t>(target), read, length});
      key.push_back(read);
      key.push_back(target);
    }
  }
  if (const auto it = machines_.find(key); it != machines_.end()) return it->second;
  count_members(steps.size());

  // Lengths of shortest members: backwards from the accepting states.
  std::vector<std::vector<std::size_t>> into(size);
  for (std::size_t i = 0; i < steps.size(); ++i) into[steps[i].to].push_back(i);
  std::vector<std::int64_t> lengths(size, kUnreachable);
  using Entry = std::pair<std::int64_t, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  const auto offer = [&](std::size_t q, std::int64_t length) {
    if (length >= lengths[q]) return;
    lengths[q] = length;
    queue.emplace(length, q);
  };
  for (std::size_t q = 0; q < size; ++q) {
    if (accepting[q]) offer(q, 0);
  }
  while (!queue.empty()) {
    const auto [length, q] = queue.top();
    queue.pop();
    if (length > lengths[q]) continue;
    for (const std::size_t i : into[q]) offer(steps[i].from, add_length(length, steps[i].length));
  }

  // Live states that the first one reaches.
  std::vector<std::vector<std::size_t>> out(size);
  std::vector<bool> ends(size, true);
  std::int32_t depth = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (lengths[steps[i].to] >= kUnreachable) continue;
    out[steps[i].from].push_back(i);
    ends[steps[i].from] = false;
    depth = std::max(depth, depth_of(steps[i].read));
  }
  std::vector<Id> exprs(size, kNone);
  std::vector<std::size_t> todo;
  const auto enter = [&](std::size_t q) {
    if (exprs[q] != kNone) return;
    if (lengths[q] >= kUnreachable) {
      exprs[q] = kEmptyId;
    } else if (ends[q]) {
      exprs[q] = kEpsilonId;  // one end for all, as other expressions have it
    } else {
      states_.push_back({accepting[q], {}});
      const Id e = intern({Kind::kState, static_cast<Id>(states_.size()) - 1}, true, depth + 2);
      nullable_[static_cast<std::size_t>(e)] = accepting[q] ? 1 : 0;
      shortest_[static_cast<std::size_t>(e)] = lengths[q];
      exprs[q] = e;
      todo.push_back(q);
    }
  };
  enter(0);
  while (!todo.empty()) {
    const std::size_t q = todo.back();
    todo.pop_back();
    MachineState& state = states_[static_cast<std::size_t>(node(exprs[q]).a)];
    for (const std::size_t i : out[q]) {
      enter(steps[i].to);
      state.arcs.emplace_back(steps[i].read, exprs[steps[i].to]);
    }
  }
  return machines_[std::move(key)] = exprs[0];
}

Id Exprs::number(const NumberSpec& spec) { return number_state(numbers_.add(spec)); }

Id Exprs::number_state(std::int32_t state) {
  if (state == Numbers::kDead) return kEmptyId;
  if (state == Numbers::kEnd) return kEpsilonId;
  return intern({Kind::kNumber, state}, true, 1);
}

std::vector<Arc> Exprs::number_arcs(std::int32_t state) {
  std::vector<Arc> out;
  for (const char c : std::string_view("+-.0123456789Ee")) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (!writable(byte)) continue;
    const Id target = number_state(numbers_.step(state, byte));
    if (target == kEmptyId) continue;
    if (!out.empty() && out.back().target == target && out.back().hi + 1 == byte) {
      out.back().hi = byte;
    } else {
      out.push_back({byte, byte, target});
    }
  }
  return out;
}

std::vector<Arc> Exprs::state_arcs(const MachineState& state) {
  std::vector<std::vector<Arc>> parts;
  parts.reserve(state.arcs.size());
  for (const auto& [read, target] : state.arcs) {
    std::vector<Arc> own = head(read).arcs;
    for (Arc& arc : own) arc.target = concat(arc.target, target);
    parts.push_back(std::move(own));
  }
  std::vector<const std::vector<Arc>*> all;
  for (const std::vector<Arc>& part : parts) all.push_back(&part);
  if (all.empty()) return {};
  return merge_arcs(all);
}

}  // namespace gramspec
