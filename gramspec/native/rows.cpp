#include "rows.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

#include "fuel.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kReferences = 8;  // wide rows kept as references for splicing

void clear_bit(std::span<std::uint32_t> bits, Id token) {
  bits[static_cast<std::size_t>(token) >> 5] &= ~(1U << (static_cast<unsigned>(token) & 31U));
}
}  // namespace

Rows::Rows(const Bounds& bounds, const Trie& trie, Exprs& exprs, Objects& objects, Configs& configs)
    : bounds_(bounds), trie_(trie), exprs_(exprs), objects_(objects), configs_(configs) {
  intern_nodes({});
}

void Rows::spend(std::int64_t steps) {
  tick(bounds_, steps / 16);
  steps_ += steps;
  if (steps_ > bounds_.mask_steps) {
    throw LimitExceeded("mask_steps",
                        "one mask took more than " + std::to_string(bounds_.mask_steps) + " byte steps");
  }
}

void Rows::charge(std::int64_t bytes) {
  bytes_ += bytes;
  if (bytes_ > bounds_.max_row_bytes) {
    throw LimitExceeded("max_row_bytes",
                        "token rows need more than " + std::to_string(bounds_.max_row_bytes) + " bytes");
  }
}

Id Rows::intern_nodes(std::vector<Id> list) {
  const auto [it, fresh] = node_index_.try_emplace(list, static_cast<Id>(node_lists_.size()));
  if (fresh) {
    try {
      charge(static_cast<std::int64_t>(list.size()) * 8);
    } catch (...) {
      node_index_.erase(it);
      throw;
    }
    node_lists_.push_back(std::move(list));
  }
  return it->second;
}

template <class Visit>
void Rows::walk(Id root, Id config, Visit&& visit) {
  // Preorder with one configuration per depth; a dead node skips its subtree.
  static thread_local std::vector<Id> path;
  std::vector<Id> local;
  local.swap(path);
  const Id base = trie_.depth(root);
  local.assign(1, config);
  std::int64_t steps = 0;
  const Id end = trie_.end(root);
  for (Id n = root + 1; n < end;) {
    const auto level = static_cast<std::size_t>(trie_.depth(n) - base);
    local.resize(level + 1);
    const Id next = configs_.step(local[level - 1], trie_.byte(n));
    ++steps;
    if (next == Configs::kDead) {
      n = trie_.end(n);
      continue;
    }
    local[level] = next;
    visit(n, next);
    ++n;
    if ((steps & 0xFFFF) == 0) spend(0x10000);
  }
  spend(steps & 0xFFFF);
  local.swap(path);
}

void Rows::cold_row(Id top, Row& out) {
  std::vector<Id> escapes;
  const Id start = configs_.start(top, Configs::kUnknown);
  Id last = kNone;
  walk(0, start, [&](Id n, Id config) {
    const Config& c = configs_.closed(config);
    if (c.escapes) escapes.push_back(n);
    const auto tokens = trie_.tokens_at(n);
    if (tokens.empty() || c.core.empty()) return;  // an escape alone is decided by the frame below
    for (Id t : tokens) set_bit(out.bits, t);
    if (config != last) {
      out.furthest = std::max(out.furthest, configs_.longest(config));
      last = config;
    }
  });
  out.escapes = intern_nodes(std::move(escapes));
  ++cold_;
}

// Walk the new state beside a wide row already known and copy that row wherever both meet.
bool Rows::spliced_row(Id top, Row& out) {
  const Id start = configs_.start(top, Configs::kUnknown);
  Id best = kNone;
  std::int64_t gain = trie_.vocabulary_size() / 16;
  for (Id reference : references_) {
    const Id other = configs_.start(reference, Configs::kUnknown);
    std::int64_t same = 0;
    for (Id c = 1; c < trie_.nodes(); c = trie_.end(c)) {
      const Id mine = configs_.step(start, trie_.byte(c));
      if (mine != Configs::kDead && mine == configs_.step(other, trie_.byte(c))) {
        same += static_cast<std::int64_t>(trie_.tokens_below(c).size());
      }
    }
    if (same > gain) {
      gain = same;
      best = reference;
    }
  }
  if (best == kNone) return false;
  const Row& reference = *rows_.at(best);
  out.bits = reference.bits;
  out.furthest = reference.furthest;
  std::vector<Id> escapes;
  const std::vector<Id>& known = nodes(reference.escapes);
  std::vector<std::pair<Id, Id>> path{{start, configs_.start(best, Configs::kUnknown)}};
  std::int64_t steps = 0;
  for (Id n = 1; n < trie_.nodes();) {
    const auto level = static_cast<std::size_t>(trie_.depth(n));
    path.resize(level + 1);
    const Id mine = configs_.step(path[level - 1].first, trie_.byte(n));
    const Id other = path[level - 1].second == Configs::kDead
                         ? Configs::kDead
                         : configs_.step(path[level - 1].second, trie_.byte(n));
    ++steps;
    if (mine == other) {
      // Same configuration: same tokens and escapes in the whole subtree (none if dead).
      if (mine != Configs::kDead) {
        const auto from = std::lower_bound(known.begin(), known.end(), n);
        escapes.insert(escapes.end(), from, std::lower_bound(from, known.end(), trie_.end(n)));
      }
      n = trie_.end(n);
      continue;
    }
    if (mine == Configs::kDead) {
      for (Id t : trie_.tokens_below(n)) clear_bit(out.bits, t);
      n = trie_.end(n);
      continue;
    }
    path[level] = {mine, other};
    const Config& c = configs_.closed(mine);
    if (c.escapes) escapes.push_back(n);
    for (Id t : trie_.tokens_at(n)) {
      if (c.core.empty()) {
        clear_bit(out.bits, t);
      } else {
        set_bit(out.bits, t);
      }
    }
    if (!c.core.empty()) out.furthest = std::max(out.furthest, configs_.longest(mine));
    ++n;
  }
  spend(steps);
  out.escapes = intern_nodes(std::move(escapes));
  ++spliced_;
  return true;
}

const Rows::CountRow* Rows::count_row(Id item) {
  if (const auto it = count_rows_.find(item); it != count_rows_.end()) return it->second.get();
  if (!exprs_.prefix_free(item) || exprs_.nullable(item)) {
    count_rows_[item] = nullptr;
    return nullptr;
  }
  auto fresh = std::make_unique<CountRow>();
  CountRow& row = *fresh;
  row.begun.assign(static_cast<std::size_t>(trie_.vocabulary_size()), -1);
  row.first = exprs_.first_bytes(item);
  const Id loop = configs_.start(exprs_.repeat(item, 0, kInfinite), Configs::kUnknown);
  // At a boundary the configuration is the loop's own again, because the item is prefix-free.
  std::vector<std::pair<Id, std::int32_t>> path{{loop, 0}};
  std::int32_t most = 0;
  std::int64_t steps = 0;
  for (Id n = 1; n < trie_.nodes();) {
    const auto level = static_cast<std::size_t>(trie_.depth(n));
    path.resize(level + 1);
    const auto [above, begun] = path[level - 1];
    const bool boundary = above == loop;
    const Id next = configs_.step(above, trie_.byte(n));
    ++steps;
    if (next == Configs::kDead) {
      if (boundary) row.exits[trie_.byte(n)].push_back({n, begun});
      n = trie_.end(n);
      continue;
    }
    const std::int32_t count = begun + (boundary ? 1 : 0);
    path[level] = {next, count};
    if (next != loop) row.inside = std::max(row.inside, configs_.longest(next));
    for (Id t : trie_.tokens_at(n)) row.begun[static_cast<std::size_t>(t)] = count;
    if (!trie_.tokens_at(n).empty()) most = std::max(most, count);
    ++n;
  }
  spend(steps);
  row.most = most;
  row.at_most.resize(static_cast<std::size_t>(most) + 1);
  charge(static_cast<std::int64_t>(row.begun.size()) * 4);
  return (count_rows_[item] = std::move(fresh)).get();
}

// x{m,n} k over an unknown stack, x prefix-free and k starting with other bytes than x: the tokens
// inside the repetition depend on n only through how many x they begin.
bool Rows::counted_row(Id top, Row& out) {
  const Node n = exprs_.node(top);
  if (n.kind != Kind::kConcat || exprs_.node(n.a).kind != Kind::kRepeat) return false;
  const Node repeat = exprs_.node(n.a);
  if (!exprs_.regular(repeat.a) || exprs_.nullable(n.b)) return false;
  if (repeat.hi != kInfinite && repeat.hi < 4) return false;
  const CountRow* count = count_row(repeat.a);
  if (count == nullptr || exprs_.first_bytes(n.b).intersects(count->first)) return false;
  const std::int64_t limit =
      repeat.hi == kInfinite ? count->most : std::min<std::int64_t>(repeat.hi, count->most);
  Bits& prefix = const_cast<CountRow*>(count)->at_most[static_cast<std::size_t>(limit)];
  if (prefix.empty()) {
    charge(static_cast<std::int64_t>(out.bits.size()) * 4);
    prefix.assign(out.bits.size(), 0);
    for (std::size_t t = 0; t < count->begun.size(); ++t) {
      if (count->begun[t] >= 0 && count->begun[t] <= limit) set_bit(prefix, static_cast<Id>(t));
    }
  }
  out.bits = prefix;
  out.furthest = add_length(exprs_.shortest(top), count->inside);
  const Id after = configs_.start(n.b, Configs::kUnknown);
  std::vector<Id> escapes;
  const auto visit = [&](Id node, Id config) {
    const Config& c = configs_.closed(config);
    if (c.escapes) escapes.push_back(node);
    if (c.core.empty()) return;
    for (Id t : trie_.tokens_at(node)) set_bit(out.bits, t);
    out.furthest = std::max(out.furthest, configs_.longest(config));
  };
  const ByteSet& live = configs_.closed(after).live;
  for (unsigned b = 0; b < 256; ++b) {
    if (!live.test(b)) continue;
    const Id next = configs_.step(after, static_cast<std::uint8_t>(b));
    if (next == Configs::kDead) continue;
    for (const CountRow::Exit& exit : count->exits[b]) {
      if (exit.count < repeat.lo || (repeat.hi != kInfinite && exit.count > repeat.hi)) continue;
      visit(exit.node, next);
      walk(exit.node, next, visit);
    }
  }
  std::sort(escapes.begin(), escapes.end());
  out.escapes = intern_nodes(std::move(escapes));
  ++counted_;
  return true;
}

const Row& Rows::row(Id top) {
  if (const auto it = rows_.find(top); it != rows_.end()) return *it->second;
  auto fresh = std::make_unique<Row>();
  fresh->bits.assign((static_cast<std::size_t>(trie_.vocabulary_size()) + 31) / 32, 0);
  const bool counted = shortcuts && (counted_row(top, *fresh) || loosened_row(top, *fresh));
  if (!counted && (!shortcuts || !spliced_row(top, *fresh))) cold_row(top, *fresh);
  for (std::uint32_t word : fresh->bits) fresh->count += std::popcount(word);
  charge(static_cast<std::int64_t>(fresh->bits.size()) * 4 + 64);
  if (!counted && fresh->count > trie_.vocabulary_size() / 8) {
    // The latest wide rows: what a grammar goes back to is near what it has just used.
    if (references_.size() < kReferences) {
      references_.push_back(top);
    } else {
      references_[oldest_++ % kReferences] = top;
    }
  }
  return *(rows_[top] = std::move(fresh));
}

const Finish& Rows::finish(Id escapes, Id frame) {
  const std::uint64_t key = pair_key(escapes, frame);
  if (const auto it = finishes_.find(key); it != finishes_.end()) return *it->second;
  auto out = std::make_unique<Finish>();
  std::vector<Id> left;
  const Id start = configs_.start(frame, Configs::kUnknown);
  const bool through = configs_.closed(start).escapes;  // the frame may be left without reading
  if (start != Configs::kDead) {
    out->furthest = configs_.longest(start);
    for (Id n : nodes(escapes)) {
      const auto here = trie_.tokens_at(n);
      out->tokens.insert(out->tokens.end(), here.begin(), here.end());
      if (through) left.push_back(n);
      walk(n, start, [&](Id node, Id config) {
        const Config& c = configs_.closed(config);
        if (c.escapes) left.push_back(node);
        if (c.core.empty()) return;
        const auto tokens = trie_.tokens_at(node);
        out->tokens.insert(out->tokens.end(), tokens.begin(), tokens.end());
        if (!tokens.empty()) out->furthest = std::max(out->furthest, configs_.longest(config));
      });
    }
  }
  std::sort(left.begin(), left.end());
  left.erase(std::unique(left.begin(), left.end()), left.end());
  out->escapes = intern_nodes(std::move(left));
  charge(static_cast<std::int64_t>(out->tokens.size()) * 4 + 64);
  return *(finishes_[key] = std::move(out));
}

// Stacks share what lies below: every (escapes, stack) is finished once, without recursion.
void Rows::finish_all(Id escapes, Id stack, std::span<std::uint32_t> out, std::int64_t& furthest) {
  Below todo{{escapes, stack}};
  std::unordered_set<std::uint64_t, HashPair> seen;
  while (!todo.empty()) {
    const auto [left, s] = todo.back();
    todo.pop_back();
    if (nodes(left).empty() || !seen.insert(pair_key(left, s)).second) continue;
    spend(1);
    const StackSet& set = configs_.stack(s);
    if (set.bottom) {
      for (Id n : nodes(left)) {
        for (Id t : trie_.tokens_at(n)) set_bit(out, t);
      }
    }
    for (const auto& [frame, below] : set.frames) {
      const Node n = exprs_.node(frame);
      if (n.kind == Kind::kKeyFrame) {
        finish_key(left, 0, frame, below, out, furthest, todo);
        continue;
      }
      if (n.kind == Kind::kKeyOpen) {
        finish_open(left, frame, below, out, furthest, todo);
        continue;
      }
      if (n.kind == Kind::kObject) {
        const Objects::Parts parts = objects_.parts(n.a, n.b == 1);
        if (parts.close != Exprs::kEmptyId) todo.emplace_back(left, configs_.push(parts.close, below));
        if (parts.open != Exprs::kEmptyId) {
          const Id key = configs_.push(exprs_.make({Kind::kKeyOpen, n.a}), below);
          todo.emplace_back(left, configs_.push(parts.open, key));
        }
        continue;
      }
      const Finish& f = finish(left, frame);
      for (Id t : f.tokens) set_bit(out, t);
      furthest = std::max(furthest, add_length(f.furthest, configs_.stack_longest(below)));
      todo.emplace_back(f.escapes, below);
    }
  }
}

std::string Rows::key_part(Id n, Id base) const {
  std::string out = trie_.path(n);
  out.pop_back();
  const std::vector<Id>& starts = nodes(base);
  if (starts.empty()) return out;
  const auto owner = std::upper_bound(starts.begin(), starts.end(), n) - 1;
  return out.substr(static_cast<std::size_t>(trie_.depth(*owner)));
}

const Rows::KeyEnds& Rows::key_ends(Id escapes, Id base) {
  const std::uint64_t key = pair_key(escapes, base);
  if (const auto it = key_ends_.find(key); it != key_ends_.end()) return it->second;
  KeyEnds ends;
  std::string part;
  for (Id n : nodes(escapes)) {
    unescape(key_part(n, base), part);
    ends[part].push_back(n);
    charge(static_cast<std::int64_t>(part.size()) + 64);
  }
  return key_ends_[key] = std::move(ends);
}

void Rows::finish_open(Id escapes, Id frame, Id below, std::span<std::uint32_t> out, std::int64_t& furthest,
                       Below& todo) {
  const std::vector<Id>& starts = nodes(escapes);
  for (std::size_t i = 1; i < starts.size(); ++i) {
    if (starts[i] >= trie_.end(starts[i - 1])) continue;
    // White space that may itself hold a quote: where a key began is then not told by where it ends.
    for (Id n : std::vector<Id>(starts)) finish_open(intern_nodes({n}), frame, below, out, furthest, todo);
    return;
  }
  const Id state = exprs_.node(frame).a;
  const Finish& f = finish(escapes, objects_.key_language(state));
  for (Id t : f.tokens) set_bit(out, t);
  const Id key = objects_.key_frame(state, 0);
  furthest = std::max(furthest, add_length(f.furthest, configs_.stack_longest(configs_.push(key, below))));
  if (!nodes(f.escapes).empty()) finish_key(f.escapes, escapes, key, below, out, furthest, todo);
}

// Escapes whose part of the key makes it one of a group, of which `rest` is still to be spelled.
const std::vector<Id>& Rows::group_ends(Id escapes, Id base, Id rest) {
  const std::array<Id, 3> key{escapes, base, rest};
  if (const auto it = group_ends_.find(key); it != group_ends_.end()) return it->second;
  std::vector<Id> ends;
  for (Id n : nodes(escapes)) {
    const Id left = exprs_.derive(rest, key_part(n, base));
    if (left != Exprs::kEmptyId && exprs_.nullable(left)) ends.push_back(n);
  }
  spend(static_cast<std::int64_t>(nodes(escapes).size()));
  charge(static_cast<std::int64_t>(ends.size()) * 4 + 64);
  return group_ends_[key] = std::move(ends);
}

// A key ends at each escape: what follows depends on which key it was. Nearly all are undeclared
// and share the continuation of their group, so only names that are declared or written are looked up; the
// rest of the object (which must remember the key) is only built for tokens that also close the value.
void Rows::finish_key(Id escapes, Id base, Id frame, Id below, std::span<std::uint32_t> out,
                      std::int64_t& furthest, Below& todo) {
  using Continuation = std::pair<Id, Marks>;
  const Id state = exprs_.node(frame).a;
  const std::string written = objects_.text(frame);
  const bool fresh = exprs_.node(frame).b <= kFreshText;
  const auto name_at = [&](Id n) {
    std::string name;
    if (!fresh) unescape(written + key_part(n, base), name);
    return name;
  };
  std::map<Continuation, std::vector<Id>> groups;  // -> escapes
  const auto follow = [&](KeyClass key, const std::vector<Id>& ends) {
    for (const Objects::Option& option : objects_.options(state, key)) {
      std::vector<Id>& group = groups[{option.head, option.marks}];
      group.insert(group.end(), ends.begin(), ends.end());
    }
  };
  const auto without = [](const std::vector<Id>& all, const std::vector<Id>& some) {
    std::vector<Id> left;
    std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(left));
    return left;
  };
  std::string prefix;
  if (objects_.undeclared(state) && (fresh || unescape(written, prefix))) {
    std::vector<Id> known;
    if (!fresh) {
      const KeyEnds& ends = key_ends(escapes, base);
      for (const std::string& name : objects_.known_names(state, prefix)) {
        const auto it = ends.find(name.substr(prefix.size()));
        if (it == ends.end()) continue;
        known.insert(known.end(), it->second.begin(), it->second.end());
        follow(objects_.classify(state, name), it->second);
      }
      std::sort(known.begin(), known.end());
    }
    std::vector<Id> left = without(nodes(escapes), known);
    Id group = 0;
    for (Id rest : objects_.group_rests(frame)) {
      const KeyClass key{KeyClass::What::kUndeclared, group++};
      if (rest == Exprs::kEmptyId || left.empty()) continue;
      const std::vector<Id> others = without(left, group_ends(escapes, base, rest));
      follow(key, without(left, others));
      left = others;
    }
    follow({KeyClass::What::kUndeclared, group}, left);
  } else {
    for (Id n : nodes(escapes)) follow(objects_.classify(state, name_at(n)), {n});
  }
  for (auto& [continuation, members] : groups) {
    const auto& [head, marks] = continuation;
    std::sort(members.begin(), members.end());
    const std::vector<Id> owners = members;
    const Finish& f = finish(intern_nodes(std::move(members)), head);
    for (Id t : f.tokens) set_bit(out, t);
    furthest = std::max(furthest, add_length(f.furthest, add_length(objects_.after_key(frame).most,
                                                                    configs_.stack_longest(below))));
    for (Id n : std::vector<Id>(nodes(f.escapes))) {
      // The owner is the last escape at or before n in preorder: keys end at different nodes.
      const auto owner = std::upper_bound(owners.begin(), owners.end(), n) - owners.begin() - 1;
      const std::string name = name_at(owners[static_cast<std::size_t>(owner)]);
      const KeyClass key = fresh ? KeyClass{KeyClass::What::kUndeclared, 0} : objects_.classify(state, name);
      const Id tail = objects_.tail_of(state, key, fresh ? nullptr : &name, marks);
      todo.emplace_back(intern_nodes({n}), configs_.push(tail, below));
    }
  }
}

void Rows::mask(Id config, std::span<std::uint32_t> out, std::int64_t& furthest) {
  steps_ = 0;
  furthest = 0;
  std::fill(out.begin(), out.end(), 0U);
  const std::vector<Item> entries = configs_.entries(config);
  for (const Item& item : entries) {
    const Row& r = row(item.top);
    for (std::size_t w = 0; w < r.bits.size(); ++w) out[w] |= r.bits[w];
    furthest = std::max(furthest, add_length(r.furthest, configs_.stack_longest(item.stack)));
    finish_all(r.escapes, item.stack, out, furthest);
  }
  for (const auto& [token, next] : std::vector<std::pair<Id, Item>>(configs_.closed(config).tokens)) {
    set_bit(out, token);
    furthest = std::max(furthest, configs_.longest(configs_.step_token(config, token)));
  }
}

}  // namespace gramspec
