#include "rows.hpp"

#include <algorithm>

#include "fuel.hpp"

namespace gramspec {

namespace {

constexpr std::size_t kListed = 1024;  // tokens beyond which a set has bits of its own (a list of 4 KiB)

void clear_bit(std::span<std::uint32_t> bits, Id token) {
  bits[static_cast<std::size_t>(token) >> 5] &= ~(1U << (static_cast<unsigned>(token) & 31U));
}

constexpr std::int64_t kCharacterBytes = 3;  // what may be left of a character

}  // namespace

Rows::Rows(const Bounds& bounds, const Trie& trie, Exprs& exprs, Objects& objects, Configs& configs)
    : bounds_(bounds),
      trie_(trie),
      exprs_(exprs),
      objects_(objects),
      configs_(configs),
      scratch_(trie.texts().size(), 0) {
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
  if (bytes_ + bytes > bounds_.max_row_bytes) {
    throw LimitExceeded("max_row_bytes",
                        "token rows need more than " + std::to_string(bounds_.max_row_bytes) + " bytes");
  }
  bytes_ += bytes;
}

Id Rows::intern_nodes(std::vector<Id> list) {
  if (const auto it = node_index_.find(list); it != node_index_.end()) return it->second;
  charge(static_cast<std::int64_t>(list.size()) * 8);
  const auto id = static_cast<Id>(node_lists_.size());
  node_lists_.push_back(list);
  node_index_.emplace(std::move(list), id);
  return id;
}

// ---- sets of tokens ----------------------------------------------------------------------------

const Bits* Rows::keep_bits(Bits bits) {
  charge(static_cast<std::int64_t>(bits.size()) * 4);
  wide_.push_back(std::move(bits));
  return &wide_.back();
}

const Bits& Rows::texts_of(std::int64_t characters) {
  if (characters == kInfinite || characters >= trie_.most_characters()) return trie_.texts();
  if (const auto it = texts_at_most_.find(characters); it != texts_at_most_.end()) return it->second;
  Bits bits = trie_.texts();
  for (const Id rank : trie_.longest_texts()) {
    if (trie_.characters(rank) <= characters) break;
    clear_bit(bits, trie_.token_of(rank));
  }
  charge(static_cast<std::int64_t>(bits.size()) * 4);
  return texts_at_most_[characters] = std::move(bits);
}

TokenSet Rows::token_set(const std::vector<std::pair<Id, Id>>& texts, std::vector<Id> tokens,
                         std::int64_t characters) {
  TokenSet out;
  const auto most = characters == kInfinite ? std::int64_t{trie_.most_characters()} : characters;
  const auto in_text = [&](Id rank) { return trie_.characters(rank) != 0 && trie_.characters(rank) <= most; };
  std::size_t covered = 0;
  for (const auto& [from, to] : texts) covered += static_cast<std::size_t>(to - from);
  const auto ranks = static_cast<std::size_t>(trie_.ranks());
  if (covered > ranks / 4) {
    const Bits& base = texts_of(characters);
    Id before = 0;
    const auto gap = [&](Id from, Id to) {
      for (Id rank = from; rank < to; ++rank) {
        if (in_text(rank)) out.minus.push_back(trie_.token_of(rank));
      }
    };
    for (const auto& [from, to] : texts) {
      gap(before, from);
      before = to;
    }
    gap(before, trie_.ranks());
    out.base = &base;
    out.plus = std::move(tokens);
    settle(out);
    return out;
  }
  if (covered > 0 && covered + tokens.size() > kListed) {
    Bits bits(trie_.texts().size(), 0);
    for (const auto& [from, to] : texts) {
      for (Id rank = from; rank < to; ++rank) {
        if (in_text(rank)) set_bit(bits, trie_.token_of(rank));
      }
    }
    for (Id t : tokens) set_bit(bits, t);
    out.base = keep_bits(std::move(bits));
    return out;
  }
  for (const auto& [from, to] : texts) {
    for (Id rank = from; rank < to; ++rank) {
      if (in_text(rank)) tokens.push_back(trie_.token_of(rank));
    }
  }
  out.plus = std::move(tokens);
  settle(out);
  return out;
}

void Rows::settle(TokenSet& set) {
  if (set.plus.size() + set.minus.size() > kListed) {
    Bits bits = set.base != nullptr ? *set.base : Bits(trie_.texts().size(), 0);
    for (Id t : set.minus) clear_bit(bits, t);
    for (Id t : set.plus) set_bit(bits, t);
    set = {keep_bits(std::move(bits)), {}, {}};
  }
  set.plus.shrink_to_fit();
  set.minus.shrink_to_fit();
  charge(static_cast<std::int64_t>(set.plus.size() + set.minus.size()) * 4);
}

// Adds a set to a mask that is undefined (first) or holds others. Cost: a copy of the bits, a bit a token
// listed.
void apply(const TokenSet& set, bool first, std::span<std::uint32_t> out, Bits& scratch) {
  if (set.base == nullptr) {
    if (first) std::fill(out.begin(), out.end(), 0U);
  } else if (first) {
    std::copy(set.base->begin(), set.base->end(), out.begin());
    for (Id t : set.minus) clear_bit(out, t);
  } else if (set.minus.empty()) {
    for (std::size_t w = 0; w < out.size(); ++w) out[w] |= (*set.base)[w];
  } else {
    std::copy(set.base->begin(), set.base->end(), scratch.begin());
    for (Id t : set.minus) clear_bit(scratch, t);
    for (std::size_t w = 0; w < out.size(); ++w) out[w] |= scratch[w];
  }
  for (Id t : set.plus) set_bit(out, t);
}

// ---- rows --------------------------------------------------------------------------------------

void Rows::cold_row(Id top, Row& out) {
  std::vector<Id> escapes, tokens;
  const Id start = configs_.start(top, Configs::kUnknown);
  Id last = kNone;
  walk(0, start, [&](Id n, Id config) {
    if (configs_.escapes(config)) escapes.push_back(n);
    const auto here = trie_.tokens_at(n);
    if (here.empty() || !configs_.holds(config)) return;  // an escape alone is decided by the frame below
    tokens.insert(tokens.end(), here.begin(), here.end());
    if (config != last) {
      out.furthest = std::max(out.furthest, configs_.longest(config));
      last = config;
    }
  });
  out.tokens.plus = std::move(tokens);
  settle(out.tokens);
  out.escapes = intern_nodes(std::move(escapes));
  ++cold_;
}

const Loop* Rows::loop_of(Id config) {
  const Config& c = configs_.at(config);
  if (c.core.size() != 1 || c.core_escape || c.core_accept || configs_.stack(c.core[0].stack).has_key) {
    return nullptr;
  }
  return exprs_.loop(c.core[0].top);
}

// Beside the reading of plain text: where a state loops on characters, and for as long as only such bytes
// follow as it does not tell apart, its tokens are the plain texts and nothing is walked.
void Rows::walked_row(Id top, Row& out) {
  struct Level {
    Id config = Configs::kDead;
    const Loop* loop = nullptr;
    bool in_step = false;  // with the reading of plain text, since a state that loops
  };
  std::vector<Level> path(16);
  Walked found;
  std::vector<Id> escapes;
  std::int64_t steps = 0;
  const auto enter = [&](Id n, Level& level) {
    // At a leaf nothing is asked but whether the state may be left.
    level.loop = trie_.end(n) == n + 1 ? nullptr : loop_of(level.config);
    level.in_step = level.loop != nullptr && trie_.place(n) == Place::kBetween;
    if (level.loop != nullptr) {
      const std::int64_t longest = add_length(level.loop->needed, 1 + kCharacterBytes);
      const Id stack = configs_.at(level.config).core[0].stack;
      out.furthest = std::max(out.furthest, add_length(longest, configs_.stack_longest(stack)));
    }
  };
  const auto alike_below = [&](Id n, const Level& level) {
    return level.in_step && (trie_.classes_below(n) & level.loop->other) == 0;
  };
  const auto add_below = [&](Id n) { found.add_texts(trie_.rank(n + 1), trie_.rank(trie_.end(n))); };
  path[0].config = configs_.start(top, Configs::kUnknown);
  enter(0, path[0]);
  Id n = 1;
  if (alike_below(0, path[0])) {
    add_below(0);
    n = trie_.nodes();
  }
  while (n < trie_.nodes()) {
    const auto depth = static_cast<std::size_t>(trie_.depth(n));
    if (path.size() <= depth) path.resize(2 * depth);
    const Level& above = path[depth - 1];
    Level& here = path[depth];
    const std::uint8_t byte = trie_.byte(n);
    if (above.in_step &&
        (trie_.place(trie_.parent(n)) != Place::kBetween || (byte_class(byte) & above.loop->other) == 0)) {
      if (trie_.place(n) == Place::kOutside) {
        n = trie_.end(n);
        continue;
      }
      found.add_texts(trie_.rank(n), trie_.rank(n + 1));
      if ((trie_.classes_below(n) & above.loop->other) == 0) {
        add_below(n);
        n = trie_.end(n);
        continue;
      }
      here = above;
      if (!above.loop->same.test(byte)) {
        if ((++steps & 0xFFFF) == 0) spend(0x10000);
        here.config = configs_.step(above.config, byte);
      }
      ++n;
      continue;
    }
    if ((++steps & 0xFFFF) == 0) spend(0x10000);
    const Id next = above.loop != nullptr && above.loop->same.test(byte) ? above.config
                                                                         : configs_.step(above.config, byte);
    if (next == Configs::kDead) {
      n = trie_.end(n);
      continue;
    }
    if (next == above.config) {
      here = above;
      here.in_step = here.loop != nullptr && trie_.place(n) == Place::kBetween;
    } else {
      here.config = next;
      enter(n, here);
    }
    if (configs_.escapes(next)) escapes.push_back(n);
    if (configs_.holds(next)) {
      const auto tokens = trie_.tokens_at(n);
      found.tokens.insert(found.tokens.end(), tokens.begin(), tokens.end());
      if (!tokens.empty() && here.loop == nullptr) {
        out.furthest = std::max(out.furthest, configs_.longest(next));
      }
    }
    if (alike_below(n, here)) {
      add_below(n);
      n = trie_.end(n);
    } else {
      ++n;
    }
  }
  spend(steps & 0xFFFF);
  ++(found.texts.empty() ? cold_ : spliced_);
  out.tokens = token_set(found.texts, std::move(found.tokens), kInfinite);
  out.escapes = intern_nodes(std::move(escapes));
}

const Row& Rows::row(Id top) {
  if (const auto it = rows_.find(top); it != rows_.end()) return *it->second;
  auto fresh = std::make_unique<Row>();
  if (!shortcuts) {
    cold_row(top, *fresh);
  } else if (!counted_row(top, *fresh) && !loosened_row(top, *fresh)) {
    walked_row(top, *fresh);
  }
  charge(static_cast<std::int64_t>(sizeof(Row)) + 48);
  return *(rows_[top] = std::move(fresh));
}

// ---- masks -------------------------------------------------------------------------------------

void Rows::prepare(Id e) {
  steps_ = 0;
  const std::vector<Item> entries = configs_.entries(configs_.start(e, Configs::kBottom));
  for (const Item& item : entries) row(item.top);
}

void Rows::mask(Id config, std::span<std::uint32_t> out, std::int64_t& furthest) {
  steps_ = 0;
  furthest = 0;
  const std::vector<Item> entries = configs_.entries(config);
  if (entries.empty()) std::fill(out.begin(), out.end(), 0U);
  bool first = true;
  for (const Item& item : entries) {
    apply(row(item.top).tokens, first, out, scratch_);
    first = false;
  }
  for (const Item& item : entries) {
    const Row& r = row(item.top);
    furthest = std::max(furthest, add_length(r.furthest, configs_.stack_longest(item.stack)));
    finish_all(r.escapes, item.stack, out, furthest);
  }
  for (const auto& [edge, next] : std::vector<std::pair<Id, Item>>(configs_.closed(config).tokens)) {
    if (edge < kNone) {
      const std::vector<std::uint32_t>& set = exprs_.edge_set(edge);
      for (std::size_t w = 0; w < out.size(); ++w) out[w] |= set[w];
    } else {
      set_bit(out, edge);
    }
    furthest = std::max(furthest, configs_.longest(configs_.step_edge(config, edge)));
  }
}

}  // namespace gramspec
