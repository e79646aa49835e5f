#include "search.hpp"

#include <algorithm>
#include <queue>
#include <unordered_set>

#include "fuel.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kCompletionBytes = 4096;  // longest completion that is segmented for an upper bound
constexpr std::size_t kIdleSteps = 16;
constexpr std::size_t kSuccessorLists = 4096;  // remembered before the memory is given back
}  // namespace

Search::Search(const Bounds& bounds, const Trie& trie, Exprs& exprs, Objects& objects, Configs& configs,
               Rows& rows)
    : bounds_(bounds),
      trie_(trie),
      exprs_(exprs),
      objects_(objects),
      configs_(configs),
      rows_(rows),
      scratch_(std::make_unique<Configs>(bounds, exprs, objects)) {}

void Search::spend(std::int64_t steps) {
  tick(bounds_, 1 + steps / 16);
  steps_ += steps;
  if (steps_ > bounds_.search_steps) {
    throw LimitExceeded("search_steps",
                        "whether the text can still end within the token budget was not decided in " +
                            std::to_string(bounds_.search_steps) + " steps");
  }
}

template <class Visit>
std::int64_t Search::each_token(Configs& configs, Id config, bool merge, Visit&& visit) {
  std::vector<Id> path{config};
  std::int64_t steps = 0;
  for (Id n = 1; n < trie_.nodes(); ++steps) {
    const auto level = static_cast<std::size_t>(trie_.depth(n));
    path.resize(level + 1);
    Id next = configs.step(path[level - 1], trie_.byte(n));
    if (next == Configs::kDead) {
      n = trie_.end(n);
      continue;
    }
    if (merge) next = configs.relax(next);
    path[level] = next;
    if (const auto tokens = trie_.tokens_at(n); !tokens.empty()) visit(next, tokens, trie_.depth(n));
    ++n;
  }
  if (configs.closed(config).tokens.empty()) return steps;
  for (const Configs::TokenClass& each : configs.token_classes(config)) {
    const Id next = merge ? configs.relax(each.next) : each.next;
    if (next != Configs::kDead) visit(next, each.tokens, 1);
  }
  return steps;
}

// ---- token liveness: saturation of (expression, trie node) runs -------------------------------

Id Search::run_of(Id e, Id key, Id node) {
  const auto [it, fresh] = run_index_.try_emplace({e, {key, node}}, static_cast<Id>(runs_.size()));
  if (fresh) {
    runs_.emplace_back();
    add_state(it->second, e, key, node);
  }
  return it->second;
}

void Search::add_state(Id run, Id e, Id key, Id node) {
  for (;;) {
    const Node& n = exprs_.node(e);
    if (n.kind == Kind::kRule) {
      e = exprs_.body(n.a);
    } else if (n.kind == Kind::kCall) {
      e = n.a;
    } else if (n.kind == Kind::kNonNull && exprs_.node(n.a).kind == Kind::kRule) {
      e = exprs_.non_null(exprs_.body(exprs_.node(n.a).a));
    } else {
      break;
    }
  }
  if (!runs_[static_cast<std::size_t>(run)].seen.try_emplace({e, {key, node}}, true).second) return;
  todo_.push_back({run, e, key, node});
  ++run_states_;
  spend(1);
  if (run_states_ > bounds_.max_states) {
    throw LimitExceeded("max_states", "what tokens can finish needs more than " +
                                          std::to_string(bounds_.max_states) + " states");
  }
}

void Search::add_exit(Id run, Id node) {
  Run& r = runs_[static_cast<std::size_t>(run)];
  if (std::find(r.exits.begin(), r.exits.end(), node) != r.exits.end()) return;
  r.exits.push_back(node);
  for (std::size_t i = 0; i < runs_[static_cast<std::size_t>(run)].waiting.size(); ++i) {
    const auto [waiting, cont] = runs_[static_cast<std::size_t>(run)].waiting[i];
    add_state(waiting, cont.first, cont.second, node);
  }
}

void Search::follow_call(const State& s, Id callee, Id cont) {
  const Id called = run_of(callee, kNone, s.node);
  runs_[static_cast<std::size_t>(called)].waiting.push_back({s.run, {cont, s.key}});
  for (std::size_t i = 0; i < runs_[static_cast<std::size_t>(called)].exits.size(); ++i) {
    add_state(s.run, cont, s.key, runs_[static_cast<std::size_t>(called)].exits[i]);
  }
}

void Search::saturate() {
  while (!todo_.empty()) {
    const State s = todo_.back();
    todo_.pop_back();
    if (s.node != 0 && !trie_.tokens_at(s.node).empty()) add_state(s.run, s.expr, s.key, 0);
    if (const Node n = exprs_.node(s.expr);
        n.kind == Kind::kConcat &&
        (exprs_.node(n.a).kind == Kind::kObject || exprs_.node(n.a).kind == Kind::kKeyOpen)) {
      // Keys are captured by frames directly below them: an object is always a run of its own.
      follow_call(s, n.a, n.b);
      continue;
    }
    const Head h = exprs_.head(s.expr);
    if (exprs_.nullable(s.expr)) {
      if (s.key == kNone) {
        add_exit(s.run, s.node);
      } else {
        for (const Objects::Resolved& r : objects_.resolve(s.key)) {
          add_state(s.run, exprs_.concat(r.head, r.tail), kNone, s.node);
        }
      }
    }
    for (Id child = s.node + 1; child < trie_.end(s.node); child = trie_.end(child)) {
      const std::uint8_t byte = trie_.byte(child);
      for (const Arc& arc : h.arcs) {
        if (byte < arc.lo || byte > arc.hi) continue;
        // A key that can no longer clash is forgotten, which keeps the runs of open objects finite;
        // a closed one (nothing of the key is left) still has to be looked up.
        Id key = s.key;
        if (key != kNone) key = objects_.append(key, byte);
        if (key != kNone && arc.target != Exprs::kEpsilonId) {
          const Id relaxed = objects_.forget(key);
          forgot_keys_ = forgot_keys_ || relaxed != key;
          key = relaxed;
        }
        add_state(s.run, arc.target, key, child);
      }
    }
    for (const auto& [callee, cont] : h.calls) {
      if (exprs_.node(cont).kind == Kind::kKeyFrame) {
        add_state(s.run, callee, cont, s.node);
        continue;
      }
      follow_call(s, callee, cont);
    }
    if (s.node == 0 && s.key == kNone) {
      for (const auto& [token, cont] : h.tokens) add_state(s.run, cont, kNone, 0);
    }
  }
}

bool Search::stack_live(Id s, Id node) {
  // One stack below another, on a list of our own: stacks are deeper than the stack of a thread.
  struct Visit {
    Id stack, node;
    std::size_t frame = 0, exit = 0;
  };
  std::vector<Visit> waiting{{s, node}};
  while (!waiting.empty()) {
    Visit& here = waiting.back();
    const std::pair<Id, Id> key{here.stack, here.node};
    if (stack_live_.contains(key)) {
      waiting.pop_back();
      continue;
    }
    const StackSet& set = configs_.stack(here.stack);
    // A token that ends here is a boundary; runs add the root beside such nodes, so does this.
    const bool boundary = here.node == 0 || !trie_.tokens_at(here.node).empty();
    bool value = set.bottom && boundary;
    Visit next{kNone, kNone};
    while (!value && next.stack == kNone && here.frame < set.frames.size()) {
      const auto [frame, below] = set.frames[here.frame];
      const Id run = run_of(frame, kNone, here.node);
      saturate();
      const std::vector<Id>& exits = runs_[static_cast<std::size_t>(run)].exits;
      while (!value && next.stack == kNone && here.exit < exits.size()) {
        const auto known = stack_live_.find({below, exits[here.exit]});
        if (known == stack_live_.end()) {
          next = {below, exits[here.exit]};  // and again with its answer
        } else {
          value = known->second;
          ++here.exit;
        }
      }
      if (next.stack == kNone && !value) ++here.frame, here.exit = 0;
    }
    if (next.stack != kNone) {
      waiting.push_back(next);
    } else {
      stack_live_[key] = value;
      waiting.pop_back();
    }
  }
  return stack_live_[{s, node}];
}

bool Search::token_live(Id config) {
  steps_ = 0;
  return alive(config);
}

void Search::forget_runs() {
  runs_.clear();
  run_states_ = 0;
  run_index_.clear();
  todo_.clear();
  stack_live_.clear();
}

bool Search::alive(Id config) {
  if (config == Configs::kDead) return false;
  if (const auto it = live_.find(config); it != live_.end()) return it->second;
  if (run_states_ > bounds_.max_states / 2) forget_runs();  // answers are kept, the way to them is not
  const Config& c = configs_.closed(config);
  bool value = c.core_accept;
  try {
    for (const Item& item : std::vector<Item>(c.core)) {
      if (value) break;
      const StackSet& set = configs_.stack(item.stack);
      const auto follow = [&](Id key, const auto& next) {
        const Id run = run_of(item.top, key, 0);
        saturate();
        for (std::size_t i = 0; i < runs_[static_cast<std::size_t>(run)].exits.size() && !value; ++i) {
          value = next(runs_[static_cast<std::size_t>(run)].exits[i]);
        }
      };
      bool plain = set.bottom;
      for (const auto& [frame, below_] : set.frames) {
        const Id below = below_;
        if (exprs_.node(frame).kind != Kind::kKeyFrame) {
          plain = true;
        } else if (!value) {
          follow(frame, [&](Id node) { return stack_live(below, node); });
        }
      }
      if (plain && !value) {
        follow(kNone, [&](Id node) {
          if (set.bottom && (node == 0 || !trie_.tokens_at(node).empty())) return true;
          for (const auto& [frame, below] : set.frames) {
            if (exprs_.node(frame).kind == Kind::kKeyFrame) continue;
            if (stack_live(configs_.push(frame, below), node)) return true;
          }
          return false;
        });
      }
    }
  } catch (...) {
    // Half-saturated tables would turn "not yet" into "no".
    forget_runs();
    throw;
  }
  // Forgotten keys can hide that a text repeats one of them: then only an ending itself is a proof.
  if (value && forgot_keys_ && !c.accepts) value = has_ending(config);
  return live_[config] = value;
}

// Best first over tokens, shortest whole text first, nothing merged.
bool Search::has_ending(Id config) {
  enter(config);  // makes room
  const Id start = scratch_->import(configs_, config, imported_);
  struct Entry {
    std::int64_t total;  // bytes written and bytes still needed
    std::int64_t written;
    Id config;
    bool operator>(const Entry& other) const noexcept { return total > other.total; }
  };
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  std::unordered_set<Id> seen{start};
  queue.push({scratch_->shortest(start), 0, start});
  while (!queue.empty()) {
    const Entry from = queue.top();
    queue.pop();
    if (scratch_->closed(from.config).accepts) return true;
    spend(each_token(*scratch_, from.config, false, [&](Id next, std::span<const Id>, std::int64_t bytes) {
      if (!seen.insert(next).second) return;
      const std::int64_t written = from.written + bytes;
      queue.push({add_length(written, scratch_->shortest(next)), written, next});
    }));
  }
  return false;
}

// ---- bounds --------------------------------------------------------------------------------

Id Search::enter(Id config) {
  if (scratch_->used() > bounds_.max_configurations / 4) {
    scratch_ = std::make_unique<Configs>(bounds_, exprs_, objects_);
    imported_.clear();
    successors_.clear();
    upper_.clear();
    fewest_.clear();
    more_than_.clear();
  }
  return scratch_->relax(scratch_->import(configs_, config, imported_));
}

std::int64_t Search::lower_bound(Configs& configs, Id config) {
  const std::int64_t bytes = configs.shortest(config);
  if (bytes >= kUnreachable) return kUnreachable;
  const std::int64_t longest = std::max<Id>(1, trie_.longest());
  return (bytes + longest - 1) / longest;
}

bool Search::shortest_from(Configs& configs, Id config, std::size_t cap, std::string& out) {
  out.clear();
  if (configs.shortest(config) > static_cast<std::int64_t>(cap)) return false;
  std::size_t idle = 0;  // steps that did not come nearer: the lengths of keys are bounds, not always exact
  while (!configs.closed(config).accepts || configs.shortest(config) > 0) {
    const std::int64_t before = configs.shortest(config);
    Id best = kNone;
    int best_byte = 0;
    const ByteSet live = configs.closed(config).live;
    for (int b = 0; b < 256 && (best == kNone || configs.shortest(best) >= before); ++b) {
      if (!live.test(static_cast<unsigned>(b))) continue;
      const Id next = configs.relax(configs.step(config, static_cast<std::uint8_t>(b)));
      if (next == Configs::kDead || next == config) continue;
      if (best == kNone || configs.shortest(next) < configs.shortest(best)) {
        best = next;
        best_byte = b;
      }
    }
    if (best == kNone) return false;
    spend(1);
    idle = configs.shortest(best) < before ? 0 : idle + 1;
    out.push_back(static_cast<char>(best_byte));
    if (out.size() > cap || idle > kIdleSteps) return false;
    config = best;
  }
  return true;
}

// Fewest tokens that spell exactly this text; kUnreachable if none do.
std::int64_t Search::segment(const std::string& text) {
  std::vector<std::int64_t> cost(text.size() + 1, kUnreachable);
  cost[text.size()] = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    Id node = 0;
    for (std::size_t k = i; k < text.size(); ++k) {
      node = trie_.child(node, static_cast<std::uint8_t>(text[k]));
      if (node == kNone) break;
      if (!trie_.tokens_at(node).empty()) cost[i] = std::min(cost[i], add_length(1, cost[k + 1]));
    }
  }
  return cost[0];
}

std::int64_t Search::upper_bound(Id config, bool complete) {
  if (const auto it = upper_.find(config); it != upper_.end()) return it->second;
  std::string text;
  std::int64_t bound = complete ? scratch_->longest(config) : kUnreachable;
  if (shortest_from(*scratch_, config, kCompletionBytes, text)) bound = std::min(bound, segment(text));
  return upper_[config] = bound;
}

// ---- exact search ----------------------------------------------------------------------------

const std::vector<Id>& Search::successors(Id config) {
  if (const auto it = successors_.find(config); it != successors_.end()) return it->second;
  if (successors_.size() > kSuccessorLists) successors_.clear();
  std::vector<Id> out;
  spend(each_token(*scratch_, config, true, [&](Id next, std::span<const Id>, std::int64_t) {
    if (out.empty() || out.back() != next) out.push_back(next);
  }));
  if (scratch_->used() > bounds_.max_configurations / 2) spend(bounds_.search_steps);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return successors_[config] = std::move(out);
}

// Breadth first over tokens. Keys that clash with no declared or written one are merged (relax):
// what such a key is called changes no length. Pruned by the byte lower bound; stops as soon as the
// best upper bound met cannot be improved.
std::int64_t Search::fewest(Id config, bool complete, std::int64_t cap) {
  if (const auto it = fewest_.find(config); it != fewest_.end()) return std::min(it->second, cap + 1);
  if (const auto it = more_than_.find(config); it != more_than_.end() && it->second >= cap) return cap + 1;
  if (lower_bound(*scratch_, config) > cap) return cap + 1;
  std::int64_t best = upper_bound(config, complete);
  std::unordered_map<Id, bool> seen{{config, true}};
  std::vector<Id> frontier{config};
  for (std::int64_t used = 0; !frontier.empty() && used < best && used <= cap; ++used) {
    std::vector<Id> next;
    for (Id c : frontier) {
      if (scratch_->closed(c).accepts) {
        best = std::min(best, used);
        break;
      }
      if (used + lower_bound(*scratch_, c) >= best || used + 1 > cap) continue;
      for (Id s : std::vector<Id>(successors(c))) {
        if (!seen.try_emplace(s, true).second) continue;
        const std::int64_t least = used + 1 + lower_bound(*scratch_, s);
        if (least > cap || least >= best) continue;
        best = std::min(best, add_length(used + 1, upper_bound(s, complete)));
        next.push_back(s);
        spend(1);
      }
    }
    frontier = std::move(next);
  }
  if (best <= cap) {
    fewest_[config] = best;
    return best;
  }
  std::int64_t& known = more_than_.try_emplace(config, -1).first->second;
  known = std::max(known, cap);
  return cap + 1;
}

std::int64_t Search::fewest_tokens(Id config, bool complete, std::int64_t cap) {
  steps_ = 0;
  return fewest(enter(config), complete, cap);
}

bool Search::within(Id config, bool complete, std::int64_t cap) {
  steps_ = 0;
  const Id entered = enter(config);
  return upper_bound(entered, complete) <= cap || fewest(entered, complete, cap) <= cap;
}

// ---- masks -------------------------------------------------------------------------------------

// Clear the bits of tokens whose successor `keep` refuses; asked once a successor.
template <class Keep>
void Search::filter(Configs& configs, Id config, bool merge, std::span<std::uint32_t> out, Keep&& keep) {
  std::vector<std::uint32_t> kept(out.size(), 0);
  std::unordered_map<Id, bool> known;
  each_token(configs, config, merge, [&](Id next, std::span<const Id> tokens, std::int64_t) {
    const auto [it, fresh] = known.try_emplace(next, false);
    if (fresh) it->second = keep(next);
    if (!it->second) return;
    for (Id t : tokens) set_bit(kept, t);
  });
  for (std::size_t w = 0; w < out.size(); ++w) out[w] &= kept[w];
}

void Search::mask(Id config, bool complete, std::span<std::uint32_t> out) {
  std::int64_t furthest = 0;
  rows_.mask(config, out, furthest);
  if (complete) return;
  steps_ = 0;
  filter(configs_, config, false, out, [&](Id c) { return alive(c); });
}

void Search::viable(Id config, bool complete, std::int64_t remaining, bool exact,
                    std::span<std::uint32_t> out) {
  if (remaining < 2) {  // the token and EOS
    std::fill(out.begin(), out.end(), 0U);
    return;
  }
  std::int64_t furthest = 0;
  rows_.mask(config, out, furthest);
  if (!complete) {
    steps_ = 0;
    filter(configs_, config, false, out, [&](Id c) { return alive(c); });
  }
  const std::int64_t left = remaining - 2;
  const std::int64_t longest = std::max<Id>(1, trie_.longest());
  if (exact ? (complete && furthest <= left) : ((furthest + longest - 1) / longest <= left)) return;
  steps_ = 0;
  const Id entered = enter(config);  // may replace the pool
  filter(*scratch_, entered, true, out, [&](Id c) {
    if (lower_bound(*scratch_, c) > left) return false;
    return !exact || upper_bound(c, complete) <= left || fewest(c, complete, left) <= left;
  });
}

}  // namespace gramspec
