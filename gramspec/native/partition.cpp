// What partition functions ask of an engine: expressions as polynomials, stacks as products, tokens by
// effect. Law: for unambiguous grammars, the sums over the monomials of an expression count every text of its
// language once. The names of undeclared keys already written are forgotten, so that an object has finitely
// many rests. Cost: an effect walks the tokens that the state reads, once for each state; all else a few
// look-ups. Source: Etessami and Yannakakis, JACM 56(1), 2009 (recursive Markov chains); Esparza, Kucera,
// Mayr, LICS 2004.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"
#include "guarded.hpp"

namespace gramspec {

namespace {

using Pairs = std::vector<std::pair<Id, Id>>;
using Words = std::vector<std::vector<Id>>;
using IdArray = nb::ndarray<const Id, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

constexpr std::size_t kMonomials = 100'000;  // of one expression, or tokens edges of one state

void check_expr(const Engine& engine, Id e) {
  if (e < 0 || e >= engine.exprs.size()) throw nb::index_error("no expression of this engine");
}

void check_config(const Engine& engine, Id config) {
  if (config < 0 || config >= engine.configs.size()) throw nb::index_error("no configuration of this engine");
}

void check_stack(const Engine& engine, Id stack) {
  if (stack < 0 || stack >= engine.configs.stacks()) throw nb::index_error("no stack of this engine");
}

// Frames from the top of a stack set down to the unknown stack, each way one word.
void ways_down(Engine& engine, Id stack, std::vector<Id>& word, Words& out) {
  const StackSet set = engine.configs.stack(stack);
  if (set.unknown) {
    if (out.size() >= kMonomials) throw LimitExceeded("max_states", "an expression has too many beginnings");
    out.push_back(word);
  }
  for (const auto& [frame, below] : set.frames) {
    word.push_back(engine.objects.plain(frame));
    ways_down(engine, below, word, out);
    word.pop_back();
  }
}

// An expression as a sum of products: a state that reads, then the frames that it is entered with. An empty
// product stands for the empty text.
Words expansion(Engine& engine, Id e) {
  Configs::Returned entered;
  engine.configs.canonical(e, Configs::kUnknown, entered);
  Words out;
  if (entered.unknown) out.emplace_back();
  std::vector<std::pair<Id, Id>> seen;  // one way round a cycle of rules is enough
  for (const Item& item : entered.items) {
    if (std::find(seen.begin(), seen.end(), std::pair{item.top, item.stack}) != seen.end()) continue;
    seen.emplace_back(item.top, item.stack);
    std::vector<Id> word{item.top};
    ways_down(engine, item.stack, word, out);
  }
  return out;
}

using HeadTuple = std::tuple<bool, std::vector<std::tuple<int, int, Id>>, Pairs, Pairs>;

HeadTuple head(Engine& engine, Id e) {
  const Head h = engine.exprs.head(e);
  std::vector<std::tuple<int, int, Id>> arcs;
  arcs.reserve(h.arcs.size());
  for (const Arc& arc : h.arcs) arcs.emplace_back(arc.lo, arc.hi, arc.target);
  return {h.nullable, std::move(arcs), h.calls, h.tokens};
}

// What a key being written may become: spellings of its rest (before the closing quote), and what then
// follows: value part and rest of the object. None where the key may not be used. Where the text of the key
// is forgotten, its rest is not known here: the empty text stands for it.
struct KeyPart {
  Id rest;
  bool declared;
  Pairs follow;
};
using KeyParts = std::vector<KeyPart>;

KeyParts key_parts(Engine& engine, Id frame) {
  Exprs& exprs = engine.exprs;
  Objects& objects = engine.objects;
  const Node n = exprs.node(frame);
  if (n.kind != Kind::kKeyFrame) throw std::invalid_argument("the frame is no key being written");
  KeyParts out;
  const auto follow = [&](KeyClass key) {
    Pairs pairs;
    for (const Objects::Option& option : std::vector<Objects::Option>(objects.options(n.a, key))) {
      pairs.emplace_back(option.head, objects.plain(objects.tail_of(n.a, key, nullptr, option.marks)));
    }
    return pairs;
  };
  const std::vector<Id> rests = objects.group_rests(frame);
  const Id unnamed = static_cast<Id>(rests.size());
  if (n.b <= kFreshText) {
    for (Id g = 0; g <= unnamed; ++g) {
      const Id rest = g < unnamed ? rests[static_cast<std::size_t>(g)] : Exprs::kEpsilonId;
      Pairs pairs = follow({KeyClass::What::kUndeclared, g});
      if (!pairs.empty() && exprs.live(rest)) out.push_back({rest, false, std::move(pairs)});
    }
    return out;
  }
  const std::string text = objects.text(frame);
  for (const auto& [name, key] : objects.declared_keys(n.a)) {
    const Id rest = exprs.derive(key, text);
    if (rest == Exprs::kEmptyId || !exprs.live(rest)) continue;
    const KeyClass what = objects.classify(n.a, name);
    out.push_back({rest, true, what.what == KeyClass::What::kDeclared ? follow(what) : Pairs{}});
  }
  for (Id g = 0; g <= unnamed; ++g) {
    Pairs pairs = follow({KeyClass::What::kUndeclared, g});
    if (pairs.empty()) continue;
    const Id rest =
        g < unnamed ? rests[static_cast<std::size_t>(g)] : exprs.derive(objects.undeclared_keys(n.a), text);
    if (rest != Exprs::kEmptyId && exprs.live(rest)) out.push_back({rest, false, std::move(pairs)});
  }
  return out;
}

// A configuration over the unknown stack: one state, and at most one frame above that stack.
Id relative(Engine& engine, Id top, Id frame) {
  const Id stack = frame < 0 ? Configs::kUnknown : engine.configs.push(frame, Configs::kUnknown);
  return engine.configs.forget(engine.configs.start(top, stack));
}

struct Effects {
  std::vector<Id> tokens, targets, escapes;
};

// Tokens below some nodes of the trie by the configuration they lead to, and the nodes at which the unknown
// stack is reached with bytes left to read.
Effects effects(Engine& engine, Id config, const std::vector<Id>& roots) {
  const Trie& trie = engine.trie;
  Configs& configs = engine.configs;
  Effects out;
  std::vector<Id> path;
  for (const Id root : roots) {
    if (root == 0) {
      if (configs.closed(config).tokens.size() > kMonomials) {
        throw LimitExceeded("max_states", "too many token edges");
      }
      for (const Configs::TokenClass& each : configs.token_classes(config)) {
        out.tokens.insert(out.tokens.end(), each.tokens.begin(), each.tokens.end());
        out.targets.insert(out.targets.end(), each.tokens.size(), configs.forget(each.next));
      }
    }
    if (configs.escapes(config)) out.escapes.push_back(root);
    const Id end = trie.end(root);
    const Id base = trie.depth(root);
    path.assign(1, config);
    for (Id n = root + 1; n < end;) {
      const auto level = static_cast<std::size_t>(trie.depth(n) - base);
      const Id next = configs.forget(configs.step(path[level - 1], trie.byte(n)));
      if (next == Configs::kDead) {
        n = trie.end(n);
        continue;
      }
      if (path.size() <= level) path.resize(level + 1);
      path[level] = next;
      for (const Id token : trie.tokens_at(n)) {
        out.tokens.push_back(token);
        out.targets.push_back(next);
      }
      if (n + 1 < trie.end(n) && configs.escapes(next)) out.escapes.push_back(n);
      ++n;
    }
  }
  return out;
}

nb::bytes packed(const std::vector<Id>& ids) {
  return nb::bytes(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(Id));
}

}  // namespace

void bind_partition(nb::module_& m) {
  m.def(
      "partition_expansion",
      [](Engine& e, Id expr) {
        check_expr(e, expr);
        return guarded_long(e, [&] { return expansion(e, expr); });
      },
      nb::arg("engine"), nb::arg("expr"),
      "An expression as a sum of products of expressions; the first of each reads.");
  m.def(
      "partition_head",
      [](Engine& e, Id expr) {
        check_expr(e, expr);
        return guarded_long(e, [&] { return head(e, expr); });
      },
      nb::arg("engine"), nb::arg("expr"),
      "Whether it may be empty, its arcs (bytes from, to, target), calls and token edges.");
  m.def(
      "partition_key",
      [](Engine& e, Id frame) {
        check_expr(e, frame);
        const KeyParts found = guarded_long(e, [&] { return key_parts(e, frame); });
        std::vector<std::tuple<Id, bool, Pairs>> parts;
        for (const KeyPart& part : found) parts.emplace_back(part.rest, part.declared, part.follow);
        return parts;
      },
      nb::arg("engine"), nb::arg("frame"),
      "What a key being written may become: rest of its spelling, whether it is declared, what follows.");
  m.def(
      "partition_is_key",
      [](Engine& e, Id expr) {
        check_expr(e, expr);
        return guarded(e, [&] { return e.exprs.node(expr).kind == Kind::kKeyFrame; });
      },
      nb::arg("engine"), nb::arg("expr"), "Whether an expression is the frame of a key being written.");
  m.def(
      "partition_items",
      [](Engine& e, Id config) -> std::pair<bool, Pairs> {
        check_config(e, config);
        return guarded(e, [&] {
          const Config& c = e.configs.at(config);
          Pairs items;
          for (const Item& item : c.core) items.emplace_back(item.top, item.stack);
          return std::pair{c.core_accept || c.core_escape, std::move(items)};
        });
      },
      nb::arg("engine"), nb::arg("config"),
      "Whether a configuration holds a finished run; states and stacks.");
  m.def(
      "partition_frames",
      [](Engine& e, Id stack) -> std::tuple<bool, bool, Pairs> {
        check_stack(e, stack);
        return guarded(e, [&] {
          const StackSet set = e.configs.stack(stack);
          Pairs frames;
          for (const auto& [frame, below] : set.frames) frames.emplace_back(e.objects.plain(frame), below);
          return std::tuple{set.bottom || set.unknown, set.has_key, std::move(frames)};
        });
      },
      nb::arg("engine"), nb::arg("stack"),
      "Whether a stack set may end here, whether a key is being written, frames with what lies below (names "
      "of "
      "written keys forgotten).");
  m.def(
      "partition_relative",
      [](Engine& e, Id top, Id frame) {
        check_expr(e, top);
        if (frame >= 0) check_expr(e, frame);
        return guarded_long(e, [&] { return relative(e, top, frame); });
      },
      nb::arg("engine"), nb::arg("top"), nb::arg("frame"), "A state over an unknown stack.");
  m.def(
      "partition_returned",
      [](Engine& e, Id stack) {
        check_stack(e, stack);
        return guarded_long(e, [&] { return e.configs.returned(stack); });
      },
      nb::arg("engine"), nb::arg("stack"), "The configuration after a return into a stack set.");
  m.def(
      "partition_effects",
      [](Engine& e, Id config, const IdArray& nodes) -> std::tuple<nb::bytes, nb::bytes, nb::bytes> {
        check_config(e, config);
        const std::vector<Id> roots(nodes.data(), nodes.data() + nodes.shape(0));
        for (const Id node : roots) {
          if (node < 0 || node >= e.trie.nodes()) throw nb::index_error("no node of the vocabulary");
        }
        const Effects found = guarded_long(e, [&] { return effects(e, config, roots); });
        return {packed(found.tokens), packed(found.targets), packed(found.escapes)};
      },
      nb::arg("engine"), nb::arg("config"), nb::arg("nodes"),
      "Tokens below nodes of the vocabulary, configurations after them, nodes where the stack is left.");
  m.def(
      "partition_reading",
      [](Engine& e, Id config) {
        check_config(e, config);
        return guarded_long(e, [&] {
          std::vector<Id> tops;
          for (const Item& item : e.configs.closed(config).reading()) tops.push_back(item.top);
          return tops;
        });
      },
      nb::arg("engine"), nb::arg("config"), "States that may read the next byte.");
}

}  // namespace gramspec
