// The native core without Python, again and again: every engine gives back what it took, or LeakSanitizer
// tells. Cost: seconds. Built with GRAMSPEC_SANITIZE; the exit status is not 0 if anything leaks or differs.
// Source: AddressSanitizer, detect_leaks.
#include <cstdio>
#include <memory>
#include <random>

#include "engine.hpp"

namespace {

using namespace gramspec;

// A vocabulary with duplicates, an unused id, and a token longer than one byte can count.
std::vector<std::string> tokens() {
  std::vector<std::string> out;
  for (int b = 0; b < 256; ++b) out.emplace_back(1, static_cast<char>(b));
  out.insert(out.end(), {"ab", "ab", "", "\":", "[[", "]]", std::string(300, 'a')});
  return out;
}

Id literal(Engine& e, const std::string& text) {
  Id out = Exprs::kEpsilonId;
  for (auto it = text.rbegin(); it != text.rend(); ++it) {
    out = e.exprs.concat(e.exprs.byte(static_cast<std::uint8_t>(*it)), out);
  }
  return out;
}

Id letters(Engine& e) {
  ByteSet set;
  for (unsigned b = 'a'; b <= 'z'; ++b) set.set(b);
  return e.exprs.bytes(set);
}

// An array of words, counted words, intersections and arrays: a rule, calls, counters, Boolean expressions.
Id grammar(Engine& e, std::int64_t most) {
  Exprs& x = e.exprs;
  const Id rule = x.new_rule("value");
  const Id word = x.call(x.repeat(letters(e), 1, kInfinite));
  const Id counted =
      x.concat(literal(e, "#"), x.repeat(x.union_of({literal(e, "a"), literal(e, "aa")}), 0, most));
  const Id no_ab = x.not_of(x.concat(x.repeat(letters(e), 0, kInfinite), literal(e, "ab")));
  const Id both = x.concat(literal(e, "&"), x.and_of({x.repeat(letters(e), 2, 9), no_ab}));
  const Id item = x.union_of({word, counted, both, x.rule_expr(rule)});
  const Id more = x.repeat(x.concat(literal(e, ","), item), 0, kInfinite);
  x.set_body(rule, x.concat(literal(e, "["), x.concat(item, x.concat(more, literal(e, "]")))));
  x.finalise({rule});
  return x.rule_expr(rule);
}

// Follow masks for a while; the number of tokens read.
int walk(Engine& e, Id start, std::mt19937& random) {
  const std::size_t size = (static_cast<std::size_t>(e.trie.vocabulary_size()) + 31) / 32;
  std::vector<std::uint32_t> row(size);
  Id config = e.configs.start(start, Configs::kBottom);
  int read = 0;
  for (; read < 200; ++read) {
    e.search.mask(config, e.complete, row);
    std::vector<Id> allowed;
    for (Id t = 0; t < e.trie.vocabulary_size(); ++t) {
      if ((row[static_cast<std::size_t>(t) >> 5] >> (t & 31)) & 1U) allowed.push_back(t);
    }
    if (allowed.empty()) break;
    config = e.advance(config, allowed[random() % allowed.size()]);
    if (config == Configs::kDead) return -1;
  }
  if (e.search.fewest_tokens(config, e.complete, 40) < 0) return -1;
  return read;
}

}  // namespace

int main() {
  std::mt19937 random(7);
  int read = 0, stopped = 0;
  for (int round = 0; round < 60; ++round) {
    Bounds bounds;
    if (round % 3 == 1) bounds.max_states = 60 + round * 4;  // some engines end in the middle of something
    if (round % 3 == 2) bounds.max_configurations = 20 + round;
    try {
      Engine engine(std::make_shared<const Trie>(tokens()), bounds, {});
      const Id start = grammar(engine, 10 + round);
      for (int turn = 0; turn < 5; ++turn) {
        const int steps = walk(engine, start, random);
        if (steps < 0) return std::puts("a token of a mask leads nowhere"), 1;
        read += steps;
      }
    } catch (const LimitExceeded&) {
      ++stopped;
    }
  }
  std::printf("60 engines, %d tokens read, %d engines stopped at a limit\n", read, stopped);
  return read < 1000 || stopped < 5;
}
