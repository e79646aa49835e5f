// Reading the words of a stored grammar, every field checked, and handing them to the expressions' algebra.
// Cost: one pass; memory as for the words. Source: docs/serialisation.md.
#include "stored_grammar.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "guarded.hpp"

namespace gramspec {

namespace {

// As in gramspec/automaton/storing/expressions.py.
enum Code : std::uint32_t {
  kEmptyCode,
  kEpsilonCode,
  kByteCode,
  kBytesCode,
  kConcatCode,
  kUnionCode,
  kRepeatCode,
  kAndCode,
  kNotCode,
  kCallCode,
  kMachineCode,
  kRefCode,
  kTokenCode,
  kNamedTokenCode,
  kObjectCode,
  kBuiltinCode,
  kTokenSetCode,
  kCodes
};

constexpr std::uint32_t kNoneWord = 0xFFFFFFFF;
constexpr std::uint32_t kLargeWord = 0xFFFFFFFE;

struct NeedsPython {};

class StoredReader {
 public:
  StoredReader(Engine& engine, const StoredWords& stored)
      : exprs_(engine.exprs), engine_(engine), stored_(stored) {}

  Id load() {
    ids_.reserve(std::min(stored_.nodes, stored_.words.size()));
    std::vector<Id> rules;
    rules.reserve(stored_.rules.size());
    for (const std::string& name : stored_.rules) rules.push_back(exprs_.new_rule(name));
    rules_ = rules;
    for (std::size_t i = 0; i < stored_.nodes; ++i) {
      deepest_ = 0;
      const Id id = read();
      if (deepest_ >= stored_.most_depth) {
        fail("nodes nest deeper than " + std::to_string(stored_.most_depth) + " levels");
      }
      ids_.push_back(id);
      depths_.push_back(deepest_ + 1);
    }
    for (const Id rule : rules) exprs_.set_body(rule, node());
    if (at_ != stored_.words.size()) fail("words are left over");
    if (stored_.root >= ids_.size()) fail("there is no such root");
    exprs_.finalise(rules);
    return ids_[stored_.root];
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw std::invalid_argument("word " + std::to_string(at_) + " of the nodes: " + reason);
  }

  std::uint32_t word() {
    if (at_ >= stored_.words.size()) fail("the words end too early");
    return stored_.words[at_++];
  }

  std::uint32_t below(std::size_t bound, const char* what) {
    const std::uint32_t value = word();
    if (value >= bound) fail(std::string(what) + " " + std::to_string(value) + " is out of range");
    return value;
  }

  std::size_t length(std::size_t each = 1) {
    const std::size_t value = word();
    if (value * each > stored_.words.size() - at_)
      fail(std::to_string(value) + " items are more than the words left");
    return value;
  }

  std::uint32_t natural() {
    const std::uint32_t value = word();
    if (value == kLargeWord) throw NeedsPython();
    if (value == kNoneWord) fail("a number is missing");
    return value;
  }

  std::optional<std::uint32_t> count() {
    const std::uint32_t value = word();
    if (value == kLargeWord) throw NeedsPython();
    if (value == kNoneWord) return std::nullopt;
    return value;
  }

  Id at(std::size_t number) {
    deepest_ = std::max(deepest_, depths_[number]);
    return ids_[number];
  }
  Id node() { return at(below(ids_.size(), "node")); }

  std::vector<Id> items() {
    std::vector<Id> out(length());
    for (Id& item : out) item = node();
    return out;
  }

  Id read() {
    switch (below(kCodes, "node kind")) {
      case kEmptyCode:
        return Exprs::kEmptyId;
      case kEpsilonCode:
        return Exprs::kEpsilonId;
      case kByteCode:
        return exprs_.byte(static_cast<std::uint8_t>(below(256, "byte")));
      case kBytesCode: {
        ByteSet set;
        for (std::size_t i = 0; i < 8; ++i) set.words[i / 2] |= std::uint64_t{word()} << (32 * (i % 2));
        return exprs_.bytes(set);
      }
      case kConcatCode: {
        const std::vector<Id> parts = items();
        Id out = Exprs::kEpsilonId;
        for (auto it = parts.rbegin(); it != parts.rend(); ++it) out = exprs_.concat(*it, out);
        return out;
      }
      case kUnionCode:
        return exprs_.union_of(items());
      case kRepeatCode: {
        const Id item = node();
        const std::uint32_t least = natural();
        const std::optional<std::uint32_t> most = count();
        if (most && *most < least) fail("the bounds of a repetition cross");
        return exprs_.repeat(item, least, most ? std::int64_t{*most} : kInfinite);
      }
      case kAndCode:
        return exprs_.and_of(items());
      case kNotCode: {
        const Id item = node();
        ByteSet every;
        every.words.fill(~std::uint64_t{0});
        return exprs_.and_of({exprs_.repeat(exprs_.bytes(every), 0, kInfinite), exprs_.not_of(item)});
      }
      case kCallCode:
        return exprs_.call(node());
      case kMachineCode:
        return machine();
      case kRefCode:
        return exprs_.rule_expr(rules_[below(rules_.size(), "rule")]);
      case kObjectCode:
        return object();
      case kBuiltinCode:
        return stored_.builtins[below(stored_.builtins.size(), "built-in expression")];
      default:
        throw NeedsPython();  // token edges are told by the vocabulary
    }
  }

  Id machine() {
    const std::size_t size = length(2);
    std::vector<std::vector<std::pair<Id, Id>>> arcs(size);
    std::vector<bool> accepting(size);
    for (std::size_t q = 0; q < size; ++q) {
      accepting[q] = below(2, "flag") != 0;
      arcs[q].resize(length(2));
      for (auto& [item, target] : arcs[q]) {
        item = node();
        target = static_cast<Id>(below(size, "state"));
      }
    }
    return exprs_.machine(arcs, accepting);
  }

  std::vector<std::pair<Id, std::uint32_t>> marked() {
    std::vector<std::pair<Id, std::uint32_t>> out(length(2));
    for (auto& [value, marks] : out) {
      value = node();
      marks = natural();
    }
    return out;
  }

  Id object() {
    ObjectSpec spec;
    spec.ordered = below(2, "order") == 0;
    spec.gap = node();
    spec.free_key = node();
    const std::uint32_t additional = below(ids_.size() + 1, "node");
    spec.additional.plain = additional == 0 ? Exprs::kEmptyId : at(additional - 1);
    std::unordered_set<std::string_view> names;
    spec.properties.resize(length(5));
    for (Property& p : spec.properties) {
      const std::string& name = stored_.strings[below(stored_.strings.size(), "string")];
      if (!names.insert(name).second) fail("an object declares the same key twice");
      p.name = name;
      p.key = node();
      p.values.plain = node();
      const std::uint32_t flags = below(4, "flags");
      p.required = (flags & 1U) != 0;
      p.late = (flags & 2U) != 0;
      p.values.marked = marked();
    }
    if (length(3) != 0) throw NeedsPython();  // names of key classes are spelled by other bytes
    spec.additional.marked = marked();
    spec.least = natural();
    const std::optional<std::uint32_t> most = count();
    spec.most = most ? std::int64_t{*most} - 1 : kInfinite;
    spec.marks = natural();
    return engine_.objects.expr(engine_.objects.add_spec(std::move(spec)));
  }

  Exprs& exprs_;
  Engine& engine_;
  const StoredWords& stored_;
  std::size_t at_ = 0;
  std::int32_t deepest_ = 0;
  std::vector<Id> ids_;
  std::vector<std::int32_t> depths_;
  std::vector<Id> rules_;
};

}  // namespace

std::optional<Id> load_stored(Engine& engine, const StoredWords& stored) {
  try {
    return StoredReader(engine, stored).load();
  } catch (const NeedsPython&) {
    return std::nullopt;
  }
}

void bind_stored(nanobind::module_& m) {
  namespace nb = nanobind;
  m.def(
      "load_stored",
      [](Engine& engine, const nb::bytes& words, std::size_t nodes, std::vector<std::string> rules,
         std::vector<std::string> strings, std::vector<Id> builtins, std::size_t root,
         std::int32_t most_depth) {
        std::vector<std::uint32_t> copy(words.size() / 4);
        if (!copy.empty()) std::memcpy(copy.data(), words.c_str(), copy.size() * 4);
        const StoredWords stored{copy, nodes,     std::move(rules), std::move(strings), std::move(builtins),
                                 root, most_depth};
        return guarded(engine, [&] { return load_stored(engine, stored); });
      },
      nb::arg("engine"), nb::arg("words"), nb::arg("nodes"), nb::arg("rules"), nb::arg("strings"),
      nb::arg("builtins"), nb::arg("root"), nb::arg("most_depth"));
  m.def(
      "stored_row",
      [](Engine& engine, Id config) {
        const auto words = guarded_long(engine, [&] { return engine.rows.stored(config); });
        return nb::bytes(reinterpret_cast<const char*>(words.data()), words.size() * 4);
      },
      nb::arg("engine"), nb::arg("config"));
  m.def(
      "adopt_row",
      [](Engine& engine, Id config, const nb::bytes& words) {
        std::vector<std::uint32_t> copy(words.size() / 4);
        if (!copy.empty()) std::memcpy(copy.data(), words.c_str(), copy.size() * 4);
        return guarded_long(engine, [&] { return engine.rows.adopt(config, copy); });
      },
      nb::arg("engine"), nb::arg("config"), nb::arg("words"));
}

}  // namespace gramspec
