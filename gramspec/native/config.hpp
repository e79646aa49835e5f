// Configurations: sets of (top state, stack set); stack sets are interned maps frame -> stack set.
// Law: a configuration stands for exactly the runs of the pushdown automaton on the bytes read so far.
// Source: architecture, "A configuration maps top states to stack sets"; GLR graph-structured stacks.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <span>

#include "expr.hpp"
#include "index.hpp"
#include "object.hpp"

namespace gramspec {

struct StackSet {
  bool bottom = false;   // holds the empty stack: the whole text may end here
  bool unknown = false;  // holds the unknown stack below a relative configuration
  bool has_key = false;  // some top frame is a key being written
  std::int32_t depth = 0;
  std::vector<std::pair<Id, Id>> frames;  // frame expression, stack set below; sorted
};

struct Item {
  Id top;
  Id stack;
  bool operator==(const Item&) const = default;
  auto operator<=>(const Item&) const = default;
};

struct Config {
  std::vector<Item> core;  // sorted by top, one item a top
  bool accepts = false;    // the text read so far is a member
  bool escapes = false;    // relative: the unknown stack is reached
  bool core_escape = false;
  bool core_accept = false;
  bool closed = false;
  ByteSet live;                             // bytes with a successor (a key that may not close excepted)
  bool plain = false;                       // items and entries are the core
  std::vector<Item> items;                  // closure: items that read a byte
  std::vector<std::pair<Id, Item>> tokens;  // token edges (see Exprs::token_set), continuation
  std::vector<Item> entries;                // core items and what zero-length returns make of them
  std::int64_t shortest = -1;
  // Successors: a few inline, then a table of 256.
  std::uint8_t few = 0;
  std::array<std::uint8_t, 6> few_bytes{};
  std::array<Id, 6> few_targets{};
  std::unique_ptr<std::array<Id, 256>> table;

  [[nodiscard]] const std::vector<Item>& reading() const noexcept { return plain ? core : items; }
  [[nodiscard]] const std::vector<Item>& entered() const noexcept { return plain ? core : entries; }
};

// Expressions that wait to be followed, each with the stacks it is above; see entering.cpp.
struct Agenda {
  static constexpr std::size_t kFew = 8;  // looked through one by one
  struct Waiting {
    Id top;
    Id stack;              // all that were there when it was last followed, or one
    std::vector<Id> more;  // those that came since
    bool done = false;     // followed once
  };
  std::vector<Waiting> all;
  std::vector<std::size_t> order;
  std::size_t served = 0;
  std::size_t indexed = 0;
  std::unordered_map<Id, std::size_t> at;
  void add(Id e, Id stack);
};

class Configs {
 public:
  Configs(const Bounds& bounds, Exprs& exprs, Objects& objects);

  static constexpr Id kDead = 0;     // no run left
  static constexpr Id kBottom = 0;   // stack set of the empty stack
  static constexpr Id kUnknown = 1;  // stack set of the unknown stack

  // Configuration of one expression on a stack set.
  Id start(Id e, Id stack);
  Id step(Id config, std::uint8_t byte);
  // The same if it is known already, otherwise kNone; nothing is added.
  [[nodiscard]] Id known_step(Id config, std::uint8_t byte) const noexcept;
  // Whether the configuration has token edges, or that is not known yet.
  [[nodiscard]] bool may_read_tokens(Id config) const noexcept {
    const Config& c = configs_[static_cast<std::size_t>(config)];
    return !c.closed || !c.tokens.empty();
  }
  Id step_token(Id config, Id token);
  // The same after any token of an edge, as far as that edge goes.
  Id step_edge(Id config, Id edge);
  // What can be read by token edges, by successor; a token is in one class only.
  struct TokenClass {
    Id next;
    std::vector<Id> tokens;
  };
  std::vector<TokenClass> token_classes(Id config);
  // Runs of either.
  Id join(Id a, Id b);
  // Same configuration with keys that can no longer clash forgotten (see Objects::relax).
  Id relax(Id config);
  // The same with every key forgotten that can clash with no known one (see Objects::forget).
  Id forget(Id config);
  // What a return into a stack set leads to.
  Id returned(Id stack);
  const Config& closed(Id config);
  const std::vector<Item>& entries(Id config);
  // Whether the unknown stack is reached; what may be read is not looked at where no item may be empty.
  bool escapes(Id config);
  // Whether some run is above the unknown stack, or at its edge.
  [[nodiscard]] bool holds(Id config) const noexcept { return !at(config).core.empty(); }
  // As it is: its closure may be unknown.
  [[nodiscard]] const Config& at(Id config) const noexcept {
    return configs_[static_cast<std::size_t>(config)];
  }
  [[nodiscard]] const StackSet& stack(Id s) const noexcept { return stacks_[static_cast<std::size_t>(s)]; }
  // Lower bound (exact but for key names) on the bytes to an accepting end; 0 below the unknown stack.
  std::int64_t shortest(Id config);
  std::int64_t stack_shortest(Id stack);
  // Upper bound on the same (it adds what a key that must be made longer costs).
  std::int64_t stack_longest(Id stack);
  std::int64_t longest(Id config);
  Id push(Id frame, Id stack);
  // Items reached by returning into the frames of a stack set; sets flags for bottom and unknown.
  struct Returned {
    std::vector<Item> items;
    bool bottom = false;
    bool unknown = false;
  };
  void pop(Id stack, Returned& out);
  void canonical(Id e, Id stack, Returned& out);
  [[nodiscard]] std::int64_t size() const noexcept { return static_cast<std::int64_t>(configs_.size()); }
  [[nodiscard]] std::int64_t stacks() const noexcept { return static_cast<std::int64_t>(stacks_.size()); }
  // Share of the limits used, in configurations (there may be four times as many stacks).
  [[nodiscard]] std::int64_t used() const noexcept {
    return std::max({size(), stacks() / 4, items_ / kItems});
  }
  // A configuration of another pool over the same expressions; `stacks` remembers what was copied.
  Id import(const Configs& other, Id config, std::unordered_map<Id, Id>& stacks);
  [[nodiscard]] std::int64_t tables() const noexcept { return tables_; }

 private:
  static constexpr std::int64_t kItems = 32;  // of configurations and stacks, per configuration of the limit
  void follow(Id e, Id stack, Returned& out, Agenda& waiting);
  void open(Id stack, Returned& out, Agenda& waiting);
  void drain(Agenda& waiting, Returned& out);
  // The next expression whose stacks have grown since it was last followed.
  bool next(Agenda& agenda, Item& out);
  Id unite_all(std::vector<Id>& stacks);
  void count(std::size_t items);
  [[nodiscard]] bool enters(Id e);
  Id intern_stack(StackSet s);
  Id import_stack(const Configs& other, Id stack, std::unordered_map<Id, Id>& stacks);
  Id unite(Id a, Id b);
  [[nodiscard]] Id united(Id a, Id b) const;  // kNone: not yet
  Id capture(Id stack, std::uint8_t byte);
  Id relax_stack(Id stack);
  Id forget_stack(Id stack);
  Id intern(Returned&& core);
  void merge(std::vector<Item>& items);
  void close(Config& c);
  bool close_plainly(Config& c);
  Id compute_step(Id config, std::uint8_t byte);

  Bounds bounds_;
  Exprs& exprs_;
  Objects& objects_;
  std::deque<StackSet> stacks_;
  ContentIndex stack_index_;
  PairIndex unions_, captures_;
  std::unordered_map<Id, Id> relaxed_stacks_, relaxed_, forgotten_stacks_, forgotten_;
  std::vector<std::int64_t> stack_shortest_, stack_longest_;
  std::deque<Config> configs_;
  ContentIndex index_;
  std::int64_t tables_ = 0;
  std::int64_t items_ = 0;
};

}  // namespace gramspec
