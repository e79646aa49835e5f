// Rows of counted repetitions: tokens by how many items they begin.
// Law: within a repetition of a prefix-free item a token's fate depends on the count alone, up to a byte with
// which also something else may begin. Cost: one walk an
// item, where it differs from plain text; a row is then a prefix union and what follows the last item.
// Source: architecture, "Count-dependent rows".
#include <algorithm>
#include <bit>

#include "rows.hpp"

namespace gramspec {

namespace {
constexpr std::int64_t kFewCounts = 4;  // bounds below this are walked
constexpr int kFewShared = 2;           // bytes with which both an item and what follows may begin
}  // namespace

Rows::CountRow* Rows::count_row(Id item, const ByteSet& shared) {
  const std::pair<Id, std::array<std::uint64_t, 4>> key{item, shared.words};
  if (const auto it = count_rows_.find(key); it != count_rows_.end()) return it->second.get();
  std::unique_ptr<CountRow> fresh;
  if (exprs_.prefix_free(item) && !exprs_.nullable(item)) {
    fresh = std::make_unique<CountRow>();
    read_counts(item, shared, *fresh);
  }
  return (count_rows_[key] = std::move(fresh)).get();
}

void Rows::read_counts(Id item, const ByteSet& shared, CountRow& row) {
  const Loop* info = exprs_.item_loop(item);
  // Exits are found on the way, so what the item does not begin with is told apart as well.
  const std::uint64_t other =
      info == nullptr ? ~std::uint64_t{0} : info->other | info->ends | byte_classes(shared);
  const Id loop = configs_.start(exprs_.repeat(item, 0, kInfinite), Configs::kUnknown);
  // At a boundary the configuration is the loop's own again, because the item is prefix-free.
  struct Level {
    Id config = Configs::kDead;
    std::int32_t begun = 0;
    std::int32_t characters = 0;
    bool in_step = false;  // every character so far was one item
  };
  Walked found;
  std::vector<std::pair<std::uint8_t, CountRow::Exit>> exits;
  std::vector<Level> path(16);
  path[0] = {loop, 0, 0, info != nullptr};
  std::int64_t steps = 0;
  for (Id n = 1; n < trie_.nodes();) {
    const auto depth = static_cast<std::size_t>(trie_.depth(n));
    if (path.size() <= depth) path.resize(2 * depth);
    const Level above = path[depth - 1];
    Level& here = path[depth];
    const std::uint8_t byte = trie_.byte(n);
    const bool between = trie_.place(trie_.parent(n)) == Place::kBetween;
    const std::int32_t characters = above.characters + (between ? 1 : 0);
    if (above.in_step && (!between || (byte_class(byte) & other) == 0)) {
      if (trie_.place(n) == Place::kOutside) {
        n = trie_.end(n);
        continue;
      }
      here = {loop, above.begun + (between ? 1 : 0), characters, true};
      found.add_texts(trie_.rank(n), trie_.rank(n + 1));
      if ((trie_.classes_below(n) & other) == 0) {
        found.add_texts(trie_.rank(n + 1), trie_.rank(trie_.end(n)));
        n = trie_.end(n);
      } else {
        ++n;
      }
      continue;
    }
    if ((++steps & 0xFFFF) == 0) spend(0x10000);
    const bool boundary = above.config == loop;
    const Id next = boundary && shared.test(byte) ? Configs::kDead : configs_.step(above.config, byte);
    if (next == Configs::kDead) {
      if (boundary) exits.push_back({byte, {n, above.begun}});
      n = trie_.end(n);
      continue;
    }
    const std::int32_t begun = above.begun + (boundary ? 1 : 0);
    here = {next, begun, characters, false};
    if (next != loop) {
      row.inside = std::max(row.inside, configs_.longest(next));
    } else {
      here.in_step = info != nullptr && trie_.place(n) == Place::kBetween && begun == characters;
    }
    const auto tokens = trie_.tokens_at(n);
    for (const Id t : tokens) row.tokens.push_back({t, begun});
    if (!tokens.empty()) row.most = std::max(row.most, begun);
    if (here.in_step && (trie_.classes_below(n) & other) == 0) {
      found.add_texts(trie_.rank(n + 1), trie_.rank(trie_.end(n)));
      n = trie_.end(n);
    } else {
      ++n;
    }
  }
  spend(steps & 0xFFFF);
  std::stable_sort(exits.begin(), exits.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [byte, exit] : exits) {
    row.exits.push_back(exit);
    ++row.exits_of[static_cast<std::size_t>(byte) + 1];
  }
  for (std::size_t b = 0; b < 256; ++b) row.exits_of[b + 1] += row.exits_of[b];
  row.texts = std::move(found.texts);
  if (!row.texts.empty()) row.most = std::max<std::int32_t>(row.most, trie_.most_characters());
  charge(static_cast<std::int64_t>(row.texts.size() + row.tokens.size() + row.exits.size()) * 8);
}

const TokenSet& Rows::at_most(CountRow& row, std::int64_t limit) {
  if (const auto it = row.at_most.find(limit); it != row.at_most.end()) return it->second;
  std::vector<Id> tokens;
  for (const CountRow::Begun& begun : row.tokens) {
    if (begun.count <= limit) tokens.push_back(begun.token);
  }
  TokenSet set = token_set(row.texts, std::move(tokens), limit);
  return row.at_most[limit] = std::move(set);
}

// x{m,n} k over an unknown stack, x prefix-free and k starting with hardly a byte that x does: the tokens
// inside the repetition depend on n only through how many x they begin.
bool Rows::counted_row(Id top, Row& out) {
  const Node n = exprs_.node(top);
  if (n.kind != Kind::kConcat || exprs_.node(n.a).kind != Kind::kRepeat) return false;
  const Node repeat = exprs_.node(n.a);
  if (!exprs_.regular(repeat.a) || exprs_.nullable(n.b)) return false;
  if (repeat.hi != kInfinite && repeat.hi < kFewCounts) return false;
  const ByteSet first = exprs_.first_bytes(n.b);
  ByteSet shared = exprs_.first_bytes(repeat.a);
  int both = 0;
  for (std::size_t i = 0; i < 4; ++i) both += std::popcount(shared.words[i] &= first.words[i]);
  // Continuation bytes are no exits between characters of plain text.
  if (both > kFewShared || (byte_classes(first) & continuation_class()) != 0) return false;
  CountRow* count = count_row(repeat.a, shared);
  if (count == nullptr) return false;
  const std::int64_t limit =
      repeat.hi == kInfinite ? count->most : std::min<std::int64_t>(repeat.hi, count->most);
  out.tokens = at_most(*count, limit);
  out.furthest = add_length(exprs_.shortest(top), std::max(count->inside, std::int64_t{3}));
  const Id after = configs_.start(n.b, Configs::kUnknown);
  std::vector<Id> escapes;
  const auto visit = [&](Id node, Id config) {
    if (configs_.escapes(config)) escapes.push_back(node);
    if (!configs_.holds(config)) return;
    const auto tokens = trie_.tokens_at(node);
    out.tokens.plus.insert(out.tokens.plus.end(), tokens.begin(), tokens.end());
    out.furthest = std::max(out.furthest, configs_.longest(config));
  };
  const ByteSet live = configs_.closed(after).live;
  for (unsigned b = 0; b < 256; ++b) {
    if (!live.test(b) && !shared.test(b)) continue;
    for (auto i = count->exits_of[b]; i < count->exits_of[b + 1]; ++i) {
      const CountRow::Exit exit = count->exits[i];
      if (repeat.hi != kInfinite && exit.count > repeat.hi) continue;
      Id from = after;
      if (shared.test(b)) {
        const std::int64_t least = std::max<std::int64_t>(repeat.lo - exit.count, 0);
        const std::int64_t most = repeat.hi == kInfinite ? kInfinite : repeat.hi - exit.count;
        from = configs_.start(exprs_.concat(exprs_.repeat(repeat.a, least, most), n.b), Configs::kUnknown);
      } else if (exit.count < repeat.lo) {
        continue;
      }
      const Id next = configs_.step(from, static_cast<std::uint8_t>(b));
      if (next == Configs::kDead) continue;
      visit(exit.node, next);
      walk(exit.node, next, visit);
    }
  }
  settle(out.tokens);
  std::sort(escapes.begin(), escapes.end());
  out.escapes = intern_nodes(std::move(escapes));
  ++counted_;
  return true;
}

}  // namespace gramspec
