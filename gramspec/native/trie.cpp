#include "trie.hpp"

#include <algorithm>

namespace gramspec {

namespace {

// Counting sort, the largest key first, of the items whose key is not zero.
template <class Key>
std::vector<Id> largest_first(Id count, std::size_t most, Key&& key) {
  std::vector<Id> begin(most + 2, 0);
  for (Id i = 0; i < count; ++i) {
    if (key(i) > 0) ++begin[most - key(i) + 1];
  }
  for (std::size_t k = 1; k < begin.size(); ++k) begin[k] += begin[k - 1];
  std::vector<Id> out(static_cast<std::size_t>(begin.back()));
  for (Id i = 0; i < count; ++i) {
    if (key(i) > 0) out[static_cast<std::size_t>(begin[most - key(i)]++)] = i;
  }
  return out;
}

}  // namespace

Trie::Trie(const std::vector<std::string>& tokens) : tokens_(tokens) {
  for (Id id = 0; id < static_cast<Id>(tokens_.size()); ++id) {
    const std::string& bytes = tokens_[static_cast<std::size_t>(id)];
    if (bytes.empty()) continue;
    ids_.push_back(id);
    longest_ = std::max(longest_, static_cast<Id>(bytes.size()));
    for (char c : bytes) alphabet_.set(static_cast<std::uint8_t>(c));
    if (bytes.size() == 1) single_.set(static_cast<std::uint8_t>(bytes[0]));
  }
  // std::string compares as unsigned bytes, so sorted order is preorder of the trie.
  std::stable_sort(ids_.begin(), ids_.end(), [&](Id a, Id b) {
    return tokens_[static_cast<std::size_t>(a)] < tokens_[static_cast<std::size_t>(b)];
  });
  const auto add = [&](std::uint8_t byte, Id parent, Id depth, Id rank) {
    byte_.push_back(byte);
    parent_.push_back(parent);
    depth_.push_back(depth);
    begin_.push_back(rank);
    end_.push_back(0);
    return static_cast<Id>(byte_.size()) - 1;
  };
  std::vector<Id> path{add(0, kNone, 0, 0)};  // node at each depth of the previous token
  std::string_view previous;
  for (Id rank = 0; rank < static_cast<Id>(ids_.size()); ++rank) {
    const std::string_view bytes = tokens_[static_cast<std::size_t>(ids_[static_cast<std::size_t>(rank)])];
    std::size_t common = 0;
    while (common < previous.size() && common < bytes.size() && previous[common] == bytes[common]) ++common;
    path.resize(common + 1);
    for (std::size_t i = common; i < bytes.size(); ++i) {
      path.push_back(add(static_cast<std::uint8_t>(bytes[i]), path.back(), static_cast<Id>(i) + 1, rank));
    }
    previous = bytes;
  }
  begin_.push_back(static_cast<Id>(ids_.size()));
  // Nodes are in preorder, so children come after their parent: fill subtree ends backwards.
  for (Id node = nodes() - 1; node >= 0; --node) {
    const auto n = static_cast<std::size_t>(node);
    if (end_[n] == 0) end_[n] = node + 1;
    if (node == 0) break;
    const auto p = static_cast<std::size_t>(parent_[n]);
    end_[p] = std::max(end_[p], end_[n]);
  }
  read_texts();
}

void Trie::read_texts() {
  constexpr std::uint16_t kMost = 0xFFFF;  // longer tokens are no plain text: they are walked
  below_.assign(byte_.size(), 0);
  deepest_.assign(byte_.size(), 0);
  place_.assign(byte_.size(), Place::kOutside);
  characters_.assign(ids_.size(), 0);
  texts_.assign((tokens_.size() + 31) / 32, 0);
  place_[0] = Place::kBetween;
  std::vector<std::uint16_t> begun(static_cast<std::size_t>(longest_) + 1, 0);  // by depth
  for (Id node = 1; node < nodes(); ++node) {
    const auto n = static_cast<std::size_t>(node);
    const auto p = static_cast<std::size_t>(parent_[n]);
    const auto level = static_cast<std::size_t>(depth_[n]);
    const bool first = place_[p] == Place::kBetween;
    place_[n] = next_place(place_[p], byte_[n]);
    if (place_[n] == Place::kOutside) continue;
    if (first && begun[level - 1] == kMost) {
      place_[n] = Place::kOutside;
      continue;
    }
    begun[level] = static_cast<std::uint16_t>(begun[level - 1] + (first ? 1 : 0));
    for (Id rank = begin_[n]; rank < begin_[n + 1]; ++rank) {
      characters_[static_cast<std::size_t>(rank)] = begun[level];
      set_bit(texts_, ids_[static_cast<std::size_t>(rank)]);
      most_characters_ = std::max(most_characters_, begun[level]);
    }
  }
  for (Id node = nodes() - 1; node > 0; --node) {
    const auto n = static_cast<std::size_t>(node);
    const auto p = static_cast<std::size_t>(parent_[n]);
    below_[p] |= below_[n] | byte_class(byte_[n]);
    if (deepest_[n] == 0) deepest_[n] = static_cast<std::uint16_t>(std::min<Id>(depth_[n], kDeepest));
    deepest_[p] = std::max(deepest_[p], deepest_[n]);
  }
  longest_texts_ = largest_first(ranks(), most_characters_, [&](Id rank) {
    return static_cast<std::size_t>(characters_[static_cast<std::size_t>(rank)]);
  });
}

Id Trie::child(Id node, std::uint8_t wanted) const noexcept {
  for (Id c = node + 1; c < end(node); c = end(c)) {
    if (byte(c) == wanted) return c;
    if (byte(c) > wanted) break;
  }
  return kNone;
}

std::string Trie::path(Id node) const {
  std::string bytes(static_cast<std::size_t>(depth(node)), '\0');
  for (Id n = node; n > 0; n = parent(n))
    bytes[static_cast<std::size_t>(depth(n)) - 1] = static_cast<char>(byte(n));
  return bytes;
}

}  // namespace gramspec
