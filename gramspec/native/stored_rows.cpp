// Rows as words: the form in which vocabulary-wide rows are kept on disk.
// Law: a row taken over is the row that was stored, on the vocabulary it was stored for; every index is
// checked. Cost: linear in the words. Source: docs/serialisation.md.
//
//   furthest (2) | kind of base (1) | base: all words of a bit set, if it is no plain text |
//   three lists, each its length and its items in order: tokens added, tokens taken away, nodes of escapes

#include <stdexcept>

#include "rows.hpp"

namespace gramspec {

namespace {

enum Base : std::uint32_t { kNoBase, kTexts, kOwnBits, kBases };

[[noreturn]] void refuse(const char* reason) { throw std::invalid_argument(reason); }

void put_list(std::vector<std::uint32_t>& words, const std::vector<Id>& items) {
  words.push_back(static_cast<std::uint32_t>(items.size()));
  for (const Id item : items) words.push_back(static_cast<std::uint32_t>(item));
}

class Taken {
 public:
  explicit Taken(std::span<const std::uint32_t> words) : words_(words) {}

  std::uint32_t word() {
    if (at_ >= words_.size()) refuse("a stored row ends too early");
    return words_[at_++];
  }

  // Ids below a bound.
  std::vector<Id> list(Id bound, bool ordered) {
    const std::size_t size = word();
    if (size > words_.size() - at_) refuse("a list of a stored row ends too early");
    std::vector<Id> out;
    out.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
      const std::uint32_t value = word();
      if (value >= static_cast<std::uint32_t>(bound)) refuse("an id of a stored row is out of range");
      if (ordered && !out.empty() && out.back() >= static_cast<Id>(value)) {
        refuse("the nodes of a stored row are not in order");
      }
      out.push_back(static_cast<Id>(value));
    }
    return out;
  }

  Bits bits(std::size_t size, Id tokens) {
    if (size > words_.size() - at_) refuse("the bits of a stored row end too early");
    Bits out(words_.begin() + static_cast<std::ptrdiff_t>(at_),
             words_.begin() + static_cast<std::ptrdiff_t>(at_ + size));
    at_ += size;
    const auto beyond = static_cast<unsigned>(tokens) & 31U;
    if (beyond != 0 && (out.back() >> beyond) != 0) refuse("a bit of a stored row is out of range");
    return out;
  }

  [[nodiscard]] bool done() const noexcept { return at_ == words_.size(); }

 private:
  std::span<const std::uint32_t> words_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<std::uint32_t> Rows::stored(Id config) {
  steps_ = 0;
  const std::vector<Item> entries = configs_.entries(config);
  if (entries.size() != 1) return {};
  const Row& r = row(entries[0].top);
  const auto furthest = static_cast<std::uint64_t>(r.furthest);
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(furthest),
                                   static_cast<std::uint32_t>(furthest >> 32)};
  if (r.tokens.base == nullptr) {
    words.push_back(kNoBase);
  } else if (r.tokens.base == &trie_.texts()) {
    words.push_back(kTexts);
  } else {
    words.push_back(kOwnBits);
    words.insert(words.end(), r.tokens.base->begin(), r.tokens.base->end());
  }
  put_list(words, r.tokens.plus);
  put_list(words, r.tokens.minus);
  put_list(words, nodes(r.escapes));
  return words;
}

bool Rows::adopt(Id config, std::span<const std::uint32_t> words) {
  steps_ = 0;
  const std::vector<Item> entries = configs_.entries(config);
  if (entries.size() != 1) refuse("a stored row is of a configuration that has several states here");
  Taken taken(words);
  auto fresh = std::make_unique<Row>();
  const std::uint64_t low = taken.word();
  fresh->furthest = static_cast<std::int64_t>(low | std::uint64_t{taken.word()} << 32);
  if (fresh->furthest < 0 || fresh->furthest > kUnreachable)
    refuse("a length of a stored row is out of range");
  const std::uint32_t base = taken.word();
  if (base >= kBases) refuse("a stored row has a base of an unknown kind");
  const Id tokens = trie_.vocabulary_size();
  Bits own;
  if (base == kOwnBits) own = taken.bits(trie_.texts().size(), tokens);
  fresh->tokens.plus = taken.list(tokens, false);
  fresh->tokens.minus = taken.list(tokens, false);
  std::vector<Id> escapes = taken.list(trie_.nodes(), true);
  if (!taken.done()) refuse("words of a stored row are left over");
  if (rows_.contains(entries[0].top)) return false;
  if (base == kTexts) fresh->tokens.base = &trie_.texts();
  if (base == kOwnBits) fresh->tokens.base = keep_bits(std::move(own));
  fresh->escapes = intern_nodes(std::move(escapes));
  charge(static_cast<std::int64_t>(sizeof(Row)) + 48 +
         static_cast<std::int64_t>(fresh->tokens.plus.size() + fresh->tokens.minus.size()) * 4);
  rows_[entries[0].top] = std::move(fresh);
  return true;
}

}  // namespace gramspec
