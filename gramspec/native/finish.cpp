// Tokens that leave a state: their remainders on the stack below, and keys that end within a token.
// Law: a token counts iff what follows the escape is a way on of some frame. Cost: once a list of escapes and
// a frame; keys by their names, so that undeclared ones are one.
// Source: architecture, "Tokens whose fate depends on frames below".
#include <algorithm>
#include <iterator>

#include "rows.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kFewSeen = 16;
}  // namespace

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
        if (configs_.escapes(config)) left.push_back(node);
        if (!configs_.holds(config)) return;
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
  std::vector<std::uint64_t> first_seen;  // a few are looked through
  std::unordered_set<std::uint64_t, HashPair> seen;
  const auto fresh = [&](std::uint64_t key) {
    if (std::find(first_seen.begin(), first_seen.end(), key) != first_seen.end()) return false;
    if (first_seen.size() == kFewSeen) return seen.insert(key).second;
    first_seen.push_back(key);
    return true;
  };
  while (!todo.empty()) {
    const auto [left, s] = todo.back();
    todo.pop_back();
    if (nodes(left).empty() || !fresh(pair_key(left, s))) continue;
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

}  // namespace gramspec
