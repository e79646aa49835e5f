#include "words.hpp"

#include <algorithm>
#include <unordered_set>

namespace gramspec {

namespace {

constexpr std::size_t kStates = 200'000;       // derivatives of one count
constexpr std::size_t kEndlessStates = 4'096;  // of one check for endlessness; more are asked one by one
constexpr std::size_t kSteps = 16;             // arcs followed a state, in a search for shortest words

std::int64_t add_words(std::int64_t a, std::int64_t b) { return std::min(kMany, a + b); }
std::int64_t multiply_words(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kMany / b ? kMany : std::min(kMany, a * b);
}

void too_many_states(std::size_t states) {
  if (states > kStates) {
    throw LimitExceeded("max_states", "the keys of an object need more than " + std::to_string(kStates) +
                                          " states to be counted");
  }
}

}  // namespace

// Depth first. Every state is live, so a way back to an unfinished one means infinitely many words.
std::int64_t Words::count(Id root) {
  if (const auto it = counts_.find(root); it != counts_.end()) return it->second;
  struct Visit {
    Id state;
    std::size_t next = 0;
    std::int64_t words = 0;
  };
  std::unordered_map<Id, bool> open;
  std::vector<Visit> path;
  const auto enter = [&](Id e) {
    open[e] = true;
    path.push_back({e, 0, exprs_.nullable(e) ? 1 : 0});
  };
  if (!exprs_.live(root)) return counts_[root] = 0;
  enter(root);
  while (!path.empty()) {
    Visit& visit = path.back();
    const std::vector<Arc>& arcs = exprs_.head(visit.state).arcs;
    if (visit.next == arcs.size()) {
      const Visit done = visit;
      path.pop_back();
      counts_[done.state] = done.words;
      open.erase(done.state);
      continue;
    }
    const Arc arc = arcs[visit.next];
    const auto known = counts_.find(arc.target);
    if (known != counts_.end()) {
      ++visit.next;
      visit.words = add_words(visit.words, multiply_words(known->second, arc.hi - arc.lo + 1));
    } else if (open.contains(arc.target)) {
      // The rest of the path leads here, so all of it is infinite; the states below are not asked for.
      for (const Visit& above : path) counts_[above.state] = kMany;
      return counts_.at(root);
    } else {
      enter(arc.target);
    }
    too_many_states(open.size());
  }
  return counts_.at(root);
}

bool Words::infinite(Id e) { return count(e) >= kMany; }

// Every state is live: where each has a successor, each has an infinite path and so a cycle ahead.
bool Words::endless(Id root) {
  if (const auto it = endless_.find(root); it != endless_.end()) return it->second;
  if (!exprs_.live(root)) return endless_[root] = false;
  std::vector<Id> states{root};
  std::unordered_set<Id> seen{root};
  for (std::size_t i = 0; i < states.size(); ++i) {
    const std::vector<Arc>& arcs = exprs_.head(states[i]).arcs;
    if (arcs.empty()) return endless_[root] = false;
    for (const Arc& arc : arcs) {
      if (seen.insert(arc.target).second) states.push_back(arc.target);
    }
    if (states.size() > kEndlessStates) return endless_[root] = false;
  }
  return endless_[root] = true;
}

const std::vector<Words::Layer>& Words::shortest(Id e, std::int64_t wanted) {
  auto it = layers_.find(e);
  if (it == layers_.end()) {
    const bool live = exprs_.live(e);
    it = layers_.try_emplace(e).first;
    if (live) it->second.frontier[e] = 1;
  }
  Layers& layers = it->second;
  while (layers.words < wanted && !layers.frontier.empty()) {
    std::int64_t ending = 0;
    std::unordered_map<Id, std::int64_t> next;
    for (const auto& [state, texts] : layers.frontier) {
      if (exprs_.nullable(state)) ending = add_words(ending, texts);
      for (const Arc& arc : exprs_.head(state).arcs) {
        std::int64_t& to = next[arc.target];
        to = add_words(to, multiply_words(texts, arc.hi - arc.lo + 1));
      }
    }
    if (ending > 0) layers.found.push_back({layers.length, ending});
    layers.words = add_words(layers.words, ending);
    ++layers.length;
    layers.frontier = std::move(next);
    layers.steps += layers.frontier.size();
    too_many_states(layers.steps / kSteps);
  }
  return layers.found;
}

}  // namespace gramspec
