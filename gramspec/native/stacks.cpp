// What lies below the top of a configuration: lengths to an ending, and copies into another pool.
// Law: nothing here calls itself; stacks hold more frames than the stack of a thread has room for.
// Cost: once per stack set, remembered.
// Source: architecture, "The automaton (native core)".
#include <algorithm>

#include "config.hpp"

namespace gramspec {

Id Configs::import_stack(const Configs& other, Id s, std::unordered_map<Id, Id>& stacks) {
  stacks.try_emplace(kBottom, kBottom);
  stacks.try_emplace(kUnknown, kUnknown);
  std::vector<Id> waiting{s};
  while (!waiting.empty()) {
    const Id here = waiting.back();
    bool ready = true;
    if (!stacks.contains(here)) {
      StackSet out = other.stack(here);
      for (auto& [frame, below] : out.frames) {
        if (const auto it = stacks.find(below); it != stacks.end()) {
          below = it->second;
        } else {
          waiting.push_back(below);
          ready = false;
        }
      }
      out.depth = 0;
      if (ready) stacks[here] = intern_stack(std::move(out));
    }
    if (ready) waiting.pop_back();
  }
  return stacks[s];
}

Id Configs::import(const Configs& other, Id config, std::unordered_map<Id, Id>& stacks) {
  const Config& c = other.configs_[static_cast<std::size_t>(config)];
  Returned core;
  core.bottom = c.core_accept;
  core.unknown = c.core_escape;
  for (const Item& item : c.core) core.items.push_back({item.top, import_stack(other, item.stack, stacks)});
  return intern(std::move(core));
}

std::int64_t Configs::stack_shortest(Id s) {
  if (const std::int64_t known = stack_shortest_[static_cast<std::size_t>(s)]; known >= 0) return known;
  std::vector<Id> waiting{s};
  while (!waiting.empty()) {
    const Id here = waiting.back();
    const StackSet& set = stack(here);
    std::int64_t best = set.bottom || set.unknown ? 0 : kUnreachable;
    bool ready = true;
    for (const auto& [frame, below] : set.frames) {
      const std::int64_t rest = stack_shortest_[static_cast<std::size_t>(below)];
      if (rest < 0) {
        waiting.push_back(below);
        ready = false;
      } else {
        best = std::min(best, add_length(exprs_.shortest(frame), rest));
      }
    }
    if (!ready) continue;
    stack_shortest_[static_cast<std::size_t>(here)] = best;
    waiting.pop_back();
  }
  return stack_shortest_[static_cast<std::size_t>(s)];
}

std::int64_t Configs::stack_longest(Id s) {
  if (const std::int64_t known = stack_longest_[static_cast<std::size_t>(s)]; known >= 0) return known;
  const StackSet& set = stack(s);
  std::int64_t best = set.bottom || set.unknown ? 0 : kUnreachable;
  for (const auto& [frame, below] : set.frames) {
    const Node n = exprs_.node(frame);  // a copy: lengths may make expressions
    std::int64_t own = exprs_.shortest(frame);
    if (n.kind == Kind::kKeyFrame) own = objects_.after_key(frame).most;
    if (n.kind == Kind::kKeyOpen) own = add_length(own, objects_.open_slack(n.a));
    best = std::min(best, add_length(own, stack_shortest(below)));
  }
  return stack_longest_[static_cast<std::size_t>(s)] = best;
}

std::int64_t Configs::shortest(Id config) {
  Config& c = configs_[static_cast<std::size_t>(config)];
  if (c.shortest >= 0) return c.shortest;
  std::int64_t best = c.core_accept || c.core_escape ? 0 : kUnreachable;
  for (const Item& item : c.core) {
    best = std::min(best, add_length(exprs_.shortest(item.top), stack_shortest(item.stack)));
  }
  return c.shortest = best;
}

std::int64_t Configs::longest(Id config) {
  const Config& c = configs_[static_cast<std::size_t>(config)];
  std::int64_t best = c.core_accept || c.core_escape ? 0 : kUnreachable;
  for (const Item& item : c.core) {
    // One more for a key, not yet begun, that may have to be a character longer than the shortest one.
    best =
        std::min(best, add_length(1, add_length(exprs_.longest_needed(item.top), stack_longest(item.stack))));
  }
  return best;
}

Id Configs::forget_stack(Id s) {
  if (!stack(s).has_key) return s;
  if (const auto it = forgotten_stacks_.find(s); it != forgotten_stacks_.end()) return it->second;
  StackSet out = stack(s);
  std::map<Id, Id> frames;
  for (const auto& [frame, below] : out.frames) {
    const Id f = exprs_.node(frame).kind == Kind::kKeyFrame ? objects_.forget(frame) : frame;
    const auto [it, fresh] = frames.try_emplace(f, below);
    if (!fresh) it->second = unite(it->second, below);
  }
  out.has_key = false;
  out.frames.assign(frames.begin(), frames.end());
  return forgotten_stacks_[s] = intern_stack(std::move(out));
}

Id Configs::forget(Id config) {
  const std::vector<Item> core = at(config).core;
  if (std::none_of(core.begin(), core.end(), [&](const Item& i) { return stack(i.stack).has_key; })) {
    return config;
  }
  if (const auto it = forgotten_.find(config); it != forgotten_.end()) return it->second;
  Returned out;
  out.bottom = at(config).core_accept;
  out.unknown = at(config).core_escape;
  for (const Item& item : core) out.items.push_back({item.top, forget_stack(item.stack)});
  return forgotten_[config] = intern(std::move(out));
}

Id Configs::returned(Id s) {
  Returned out;
  pop(s, out);
  return intern(std::move(out));
}

}  // namespace gramspec
