#include "object.hpp"

#include <algorithm>

#include "expr.hpp"

namespace gramspec {

std::size_t Objects::HashState::operator()(const State& s) const noexcept {
  std::size_t seed = mix(static_cast<std::size_t>(s.spec), static_cast<std::size_t>(s.next));
  for (std::uint64_t word : s.written) seed = mix(seed, word);
  seed = mix(seed, static_cast<std::size_t>(s.members));
  return mix(mix(seed, s.marks), static_cast<std::size_t>(s.extras));
}

Id Objects::add_spec(ObjectSpec spec) {
  bool regular = exprs_.regular(spec.gap) && exprs_.regular(spec.free_key);
  for (const Property& p : spec.properties) regular = regular && exprs_.regular(p.key);
  for (const KeyGroup& g : spec.groups) regular = regular && exprs_.regular(g.names);
  if (!regular) throw std::invalid_argument("keys and white space of an object must be regular");
  // The frame of a key must lie directly below the bytes of the key: no frames inside.
  spec.free_key = exprs_.strip_calls(spec.free_key);
  std::int64_t required = 0;
  const auto settle = [&](Values& values) {
    std::vector<Id> plain{values.plain};
    for (const auto& [value, marks] : values.marked) {
      if ((marks & spec.marks) == 0) plain.push_back(value);
    }
    values.plain = exprs_.union_of(std::move(plain));
    std::erase_if(values.marked, [&](const auto& v) { return (v.second & spec.marks) == 0; });
    for (auto& [value, marks] : values.marked) marks &= spec.marks;
    return values.plain == Exprs::kEmptyId && values.marked.empty();
  };
  for (std::size_t i = 0; i < spec.properties.size(); ++i) {
    Property& p = spec.properties[i];
    p.key = exprs_.strip_calls(p.key);
    p.late = p.late && spec.ordered;
    settle(p.values);
    spec.names.emplace(p.name, static_cast<Id>(i));
    spec.late = spec.late || p.late;
    required += p.required ? 1 : 0;
  }
  for (KeyGroup& g : spec.groups) {
    g.names = exprs_.strip_calls(g.names);
    settle(g.values);
  }
  const bool closed = settle(spec.additional);
  // Bounds that every object keeps are none.
  if (required >= spec.least) spec.least = 0;
  if (closed && spec.groups.empty() && spec.most >= static_cast<std::int64_t>(spec.properties.size())) {
    spec.most = kInfinite;
  }
  spec.counted = spec.least > 0 || spec.most != kInfinite || spec.marks != 0;
  spec.members_kept = spec.most == kInfinite ? spec.least : spec.most;
  spec.simple = !spec.counted && spec.groups.empty() && (closed || words_.endless(spec.free_key));
  specs_.push_back(std::move(spec));
  return static_cast<Id>(specs_.size()) - 1;
}

Id Objects::intern(State s) {
  const auto [it, fresh] = state_index_.try_emplace(s, static_cast<Id>(states_.size()));
  if (fresh) states_.push_back(std::move(s));
  return it->second;
}

Id Objects::intern_name(const std::string& name) {
  const auto [it, fresh] = name_index_.try_emplace(name, static_cast<Id>(names_.size()));
  if (fresh) names_.push_back(name);
  return it->second;
}

Id Objects::expr(Id spec) {
  const ObjectSpec& s = specs_[static_cast<std::size_t>(spec)];
  State start{spec, 0, {}, 0, 0, 0};
  if (!s.ordered || s.late) start.written.assign((s.properties.size() + 63) / 64, 0);
  std::int32_t depth = 1;
  const auto holds = [&](Id e) { depth = std::max(depth, e == kNone ? 1 : exprs_.depth_of(e) + 1); };
  const auto hold_all = [&](const Values& values) {
    holds(values.plain);
    for (const auto& [value, marks] : values.marked) holds(value);
  };
  for (const Property& p : s.properties) {
    holds(p.key);
    hold_all(p.values);
  }
  for (const KeyGroup& g : s.groups) hold_all(g.values);
  hold_all(s.additional);
  return exprs_.concat(exprs_.byte('{'), exprs_.make({Kind::kObject, intern(std::move(start)), 1}, depth));
}

const Values& Objects::values_of(const ObjectSpec& spec, KeyClass key) {
  if (key.what == KeyClass::What::kDeclared) return property(spec, key.index).values;
  return key.index < group_count(spec) ? spec.groups[static_cast<std::size_t>(key.index)].values
                                       : spec.additional;
}

// Whether members can be written at all: the vocabulary may lack a byte of the syntax.
bool Objects::members_writable() { return exprs_.live(exprs_.byte('"')) && exprs_.live(exprs_.byte(':')); }

bool Objects::live(const Values& values) {
  return exprs_.live(values.plain) || std::any_of(values.marked.begin(), values.marked.end(),
                                                  [&](const auto& v) { return exprs_.live(v.first); });
}

bool Objects::usable(Id i, const ObjectSpec& spec) {
  return members_writable() && live(property(spec, i).values) && exprs_.live(property(spec, i).key);
}

bool Objects::sequence_done(const ObjectSpec& spec, const State& s) {
  if (!spec.ordered) return true;
  return std::none_of(spec.properties.begin() + s.next, spec.properties.end(),
                      [](const Property& p) { return p.required && !p.late; });
}

bool Objects::undeclared(Id id) {
  for (Id g = 0; g <= group_count(spec_of(id)); ++g) {
    if (!options(id, {KeyClass::What::kUndeclared, g}).empty()) return true;
  }
  return false;
}

bool Objects::complete(Id id) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  if (s.members < spec.least || s.marks != spec.marks) return false;
  return required_left(id).members == 0;
}

const std::vector<Id>& Objects::candidates(Id id) {
  if (candidates_of_ != id) {
    candidates_of_ = kNone;
    candidates_ = find_candidates(id);
    candidates_of_ = id;
  }
  return candidates_;
}

std::vector<Id> Objects::find_candidates(Id id) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  std::vector<Id> out;
  const auto offer = [&](Id i) {
    const bool can = spec.counted ? !options(id, {KeyClass::What::kDeclared, i}).empty() : usable(i, spec);
    if (can) out.push_back(i);
  };
  const auto n = static_cast<Id>(spec.properties.size());
  bool done = true;  // the sequence may be left behind
  for (Id i = spec.ordered ? s.next : 0; i < n && done; ++i) {
    if (property(spec, i).late || is_written(spec, s, i)) continue;
    offer(i);
    done = !spec.ordered || !property(spec, i).required;
  }
  for (Id i = 0; spec.late && done && i < n; ++i) {
    if (property(spec, i).late && !has(s, i)) offer(i);
  }
  return out;
}

Objects::Parts Objects::parts(Id id, bool first) {
  const Id gap = spec_of(id).gap;
  Parts out{Exprs::kEmptyId, Exprs::kEmptyId};
  if (complete(id)) out.close = exprs_.concat(gap, exprs_.byte('}'));
  if (key_language(id) != Exprs::kEmptyId) {
    out.open = exprs_.concat(gap, exprs_.byte('"'));
    if (!first) out.open = exprs_.concat(gap, exprs_.concat(exprs_.byte(','), out.open));
  }
  return out;
}

Id Objects::body(Id id, bool first) {
  const std::uint64_t key = pair_key(id, first ? 1 : 0);
  if (const auto it = bodies_.find(key); it != bodies_.end()) return it->second;
  const Parts p = parts(id, first);
  const Id member = exprs_.concat(p.open, exprs_.make({Kind::kKeyOpen, id}));
  return bodies_[key] = exprs_.union_of({p.close, member});
}

Id Objects::key_frame(Id id, Id text) { return exprs_.make({Kind::kKeyFrame, id, text}); }

std::string Objects::text(Id frame) const {
  std::string out;
  for (Id t = exprs_.node(frame).b; t > 0; t = texts_[static_cast<std::size_t>(t)].before) {
    out.push_back(static_cast<char>(texts_[static_cast<std::size_t>(t)].byte));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Id Objects::append(Id frame, std::uint8_t byte) {
  const Node n = exprs_.node(frame);
  if (n.b <= kFreshText) return append_fresh(n, byte);
  const std::uint64_t key = pair_key(n.b, byte);
  Id longer = text_index_.find(key);
  if (longer == kNone) {
    longer = static_cast<Id>(texts_.size());
    texts_.push_back({n.b, byte});
    text_index_.set(key, longer);
  }
  return key_frame(n.a, longer);
}

KeyClass Objects::classify(Id id, const std::string& key) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  if (const auto it = spec.names.find(key); it != spec.names.end()) {
    const Id i = it->second;
    if (is_written(spec, s, i)) return {};
    if (spec.ordered) {
      const auto last = property(spec, i).late ? spec.properties.end() : spec.properties.begin() + i;
      const bool skips =
          std::any_of(spec.properties.begin() + s.next, std::max(last, spec.properties.begin() + s.next),
                      [](const Property& p) { return p.required && !p.late; });
      if (skips) return {};
    }
    return {KeyClass::What::kDeclared, i};
  }
  if (const auto it = name_index_.find(key); it != name_index_.end()) {
    const std::vector<Id>& extras = extras_[static_cast<std::size_t>(s.extras)];
    if (std::binary_search(extras.begin(), extras.end(), it->second)) return {};
  }
  return {KeyClass::What::kUndeclared, group_of(s.spec, key)};
}

const std::vector<Objects::Option>& Objects::options(Id id, KeyClass key) {
  static const std::vector<Option> none;
  const ObjectSpec& spec = spec_of(id);
  if (key.what == KeyClass::What::kDead || !members_writable()) return none;
  const bool declared = key.what == KeyClass::What::kDeclared;
  const Id code = declared ? key.index : static_cast<Id>(spec.properties.size()) + key.index;
  if (const auto it = options_.find(pair_key(id, code)); it != options_.end()) return it->second;
  // Kept when all is known: what stops the call on the way leaves nothing behind.
  std::vector<Option> out;
  if (declared ? !usable(key.index, spec) : !sequence_done(spec, state(id))) {
    return options_[pair_key(id, code)] = std::move(out);
  }
  const Marks before = state(id).marks;
  std::map<Marks, std::vector<Id>> alternatives;
  const Values& values = values_of(spec, key);
  const auto add = [&](Id value, Marks marks) {
    if (!exprs_.live(value)) return;
    if (spec.counted && !feasible(situation(id, key, before | marks))) return;
    alternatives[before | marks].push_back(value);
  };
  add(values.plain, 0);
  for (const auto& [value, marks] : values.marked) add(value, marks);
  for (auto& [marks, languages] : alternatives) {
    const Id value = exprs_.union_of(std::move(languages));
    const Id rest = exprs_.concat(exprs_.byte(':'), exprs_.concat(spec.gap, value));
    out.push_back({exprs_.concat(spec.gap, rest), marks});
  }
  return options_[pair_key(id, code)] = std::move(out);
}

Id Objects::add_extra(Id known, Id name) {
  std::vector<Id> extras = extras_[static_cast<std::size_t>(known)];
  extras.push_back(name);
  std::sort(extras.begin(), extras.end());
  if (const auto it = extras_index_.find(extras); it != extras_index_.end()) return it->second;
  exprs_.count_members(extras.size());
  const auto id = static_cast<Id>(extras_.size());
  extras_index_[extras] = id;
  extras_.push_back(std::move(extras));
  return id;
}

Id Objects::tail_of(Id id, KeyClass key, const std::string* name, Marks marks) {
  State s = state(id);
  const ObjectSpec& spec = spec_of(id);
  const bool declared = key.what == KeyClass::What::kDeclared;
  if (declared && (!spec.ordered || property(spec, key.index).late)) {
    s.written[static_cast<std::size_t>(key.index) >> 6] |= std::uint64_t{1}
                                                           << (static_cast<unsigned>(key.index) & 63U);
  }
  if (spec.ordered) {
    s.next =
        declared && !property(spec, key.index).late ? key.index + 1 : static_cast<Id>(spec.properties.size());
  }
  if (!declared && name != nullptr) s.extras = add_extra(s.extras, intern_name(*name));
  s.members = std::min(s.members + 1, spec.members_kept);
  s.marks = marks;
  const Id after = intern(std::move(s));
  if (const auto it = required_.find(id); it != required_.end()) {
    const bool required = declared && property(spec, key.index).required;
    required_.try_emplace(after, required
                                     ? without(it->second, 1, member_length(spec, property(spec, key.index)))
                                     : it->second);
  }
  return exprs_.make({Kind::kObject, after, 0});
}

std::vector<Objects::Resolved> Objects::resolve(Id frame) {
  const Node n = exprs_.node(frame);
  std::vector<Resolved> out;
  std::string name;
  const bool fresh = n.b <= kFreshText;
  KeyClass key;
  if (fresh) {
    const Id closed = fresh_[static_cast<std::size_t>(kFreshText - n.b)].closed;
    key = {KeyClass::What::kUndeclared, closed == kNone ? group_count(spec_of(n.a)) : closed};
  } else {
    const std::string raw = text(frame);
    if (!unescape(raw.substr(0, raw.size() - 1), name)) return out;
    key = classify(n.a, name);
  }
  for (const Option& option : std::vector<Option>(options(n.a, key))) {
    out.push_back({option.head, tail_of(n.a, key, fresh ? nullptr : &name, option.marks)});
  }
  return out;
}

std::vector<std::string> Objects::known_names(Id id, const std::string& prefix) const {
  std::vector<std::string> out;
  for (const Property& p : spec_of(id).properties) {
    if (p.name.starts_with(prefix)) out.push_back(p.name);
  }
  for (Id extra : extras_[static_cast<std::size_t>(state(id).extras)]) {
    const std::string& name = names_[static_cast<std::size_t>(extra)];
    if (name.starts_with(prefix)) out.push_back(name);
  }
  return out;
}

Id Objects::plain(Id e) {
  const Node n = exprs_.node(e);
  if (n.kind != Kind::kObject && n.kind != Kind::kKeyOpen && n.kind != Kind::kKeyFrame) return e;
  State s = state(n.a);
  if (s.extras == 0) return e;
  s.extras = 0;
  return exprs_.make({n.kind, intern(std::move(s)), n.b});
}

std::vector<std::pair<std::string, Id>> Objects::declared_keys(Id id) const {
  std::vector<std::pair<std::string, Id>> out;
  for (const Property& p : spec_of(id).properties) out.emplace_back(p.name, p.key);
  return out;
}

}  // namespace gramspec
