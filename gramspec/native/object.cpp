#include "object.hpp"

#include <algorithm>

#include "expr.hpp"

namespace gramspec {

namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (c >> 18)));
    out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

// Four hex digits at body[i]; false if the body ends before them.
bool hex4(const std::string& body, std::size_t i, std::uint32_t& out) {
  if (i + 4 > body.size()) return false;
  out = 0;
  for (std::size_t k = i; k < i + 4; ++k) {
    const char c = body[k];
    const std::uint32_t digit =
        c <= '9' ? static_cast<std::uint32_t>(c - '0') : static_cast<std::uint32_t>((c | 0x20) - 'a') + 10;
    out = out * 16 + digit;
  }
  return true;
}

}  // namespace

bool unescape(const std::string& body, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < body.size();) {
    if (body[i] != '\\') {
      out.push_back(body[i++]);
      continue;
    }
    if (i + 1 >= body.size()) return false;
    const char kind = body[i + 1];
    if (kind != 'u') {
      static constexpr std::string_view from = "bfnrt";
      static constexpr std::string_view to = "\b\f\n\r\t";
      const auto at = from.find(kind);
      out.push_back(at == std::string_view::npos ? kind : to[at]);
      i += 2;
      continue;
    }
    std::uint32_t c = 0;
    if (!hex4(body, i + 2, c)) return false;
    i += 6;
    if (c >= 0xD800 && c < 0xDC00) {
      std::uint32_t low = 0;
      if (i + 2 > body.size() || !hex4(body, i + 2, low)) return false;
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    }
    append_utf8(out, c);
  }
  return true;
}

std::size_t Objects::HashState::operator()(const State& s) const noexcept {
  std::size_t seed = mix(static_cast<std::size_t>(s.spec), static_cast<std::size_t>(s.next));
  for (std::uint64_t word : s.written) seed = mix(seed, word);
  return mix(seed, static_cast<std::size_t>(s.extras));
}

Id Objects::add_spec(ObjectSpec spec) {
  const bool regular = exprs_.regular(spec.gap) && exprs_.regular(spec.free_key) &&
                       std::all_of(spec.properties.begin(), spec.properties.end(),
                                   [&](const Property& p) { return exprs_.regular(p.key); });
  if (!regular) throw std::invalid_argument("keys and white space of an object must be regular");
  // The frame of a key must lie directly below the bytes of the key: no frames inside.
  spec.free_key = exprs_.strip_calls(spec.free_key);
  for (Property& p : spec.properties) p.key = exprs_.strip_calls(p.key);
  for (std::size_t i = 0; i < spec.properties.size(); ++i)
    spec.names.emplace(spec.properties[i].name, static_cast<Id>(i));
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
  State start{spec, 0, {}, 0};
  if (!s.ordered) start.written.assign((s.properties.size() + 63) / 64, 0);
  std::int32_t depth = 1;
  const auto holds = [&](Id e) { depth = std::max(depth, e == kNone ? 1 : exprs_.depth_of(e) + 1); };
  for (const Property& p : s.properties) {
    holds(p.key);
    holds(p.value);
  }
  holds(s.additional);
  return exprs_.concat(exprs_.byte('{'), exprs_.make({Kind::kObject, intern(std::move(start)), 1}, depth));
}

// Whether members can be written at all: the vocabulary may lack a byte of the syntax.
bool Objects::members_writable() { return exprs_.live(exprs_.byte('"')) && exprs_.live(exprs_.byte(':')); }

bool Objects::usable(Id property, const ObjectSpec& spec) {
  if (!members_writable()) return false;
  const Property& p = spec.properties[static_cast<std::size_t>(property)];
  return exprs_.live(p.value) && exprs_.live(p.key);
}

bool Objects::free_keys(Id id) {
  const ObjectSpec& spec = spec_of(id);
  if (spec.additional == kNone || !exprs_.live(spec.additional) || !members_writable()) return false;
  return !spec.ordered || complete(id);
}

bool Objects::complete(Id id) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  const auto n = static_cast<Id>(spec.properties.size());
  for (Id i = spec.ordered ? s.next : 0; i < n; ++i) {
    if (spec.properties[static_cast<std::size_t>(i)].required && (spec.ordered || !has(s, i))) return false;
  }
  return true;
}

std::vector<Id> Objects::candidates(Id id) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  std::vector<Id> out;
  const auto n = static_cast<Id>(spec.properties.size());
  for (Id i = spec.ordered ? s.next : 0; i < n; ++i) {
    if (!spec.ordered && has(s, i)) continue;
    if (usable(i, spec)) out.push_back(i);
    if (spec.ordered && spec.properties[static_cast<std::size_t>(i)].required) break;
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

Id Objects::key_language(Id id) {
  if (const auto it = key_languages_.find(id); it != key_languages_.end()) return it->second;
  Id language = Exprs::kEmptyId;
  if (free_keys(id)) {
    // Declared keys are spelled like any other; closing the frame tells which one it was.
    language = exprs_.concat(spec_of(id).free_key, exprs_.byte('"'));
  } else {
    std::vector<Id> keys;
    for (Id i : candidates(id)) {
      keys.push_back(
          exprs_.concat(spec_of(id).properties[static_cast<std::size_t>(i)].key, exprs_.byte('"')));
    }
    language = exprs_.union_of(std::move(keys));
  }
  return key_languages_[id] = language;
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
  if (n.b == kFreshText) return frame;
  const auto [it, fresh] = text_index_.try_emplace(pair_key(n.b, byte), static_cast<Id>(texts_.size()));
  if (fresh) texts_.push_back({n.b, byte});
  return key_frame(n.a, it->second);
}

KeyClass Objects::classify(Id id, const std::string& key) const {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  if (const auto it = spec.names.find(key); it != spec.names.end()) {
    const Id i = it->second;
    if (spec.ordered) {
      if (i < s.next) return {};
      for (Id k = s.next; k < i; ++k) {
        if (spec.properties[static_cast<std::size_t>(k)].required) return {};
      }
    } else if (has(s, i)) {
      return {};
    }
    return {KeyClass::What::kDeclared, i};
  }
  if (spec.additional == kNone) return {};
  if (const auto it = name_index_.find(key); it != name_index_.end()) {
    const std::vector<Id>& extras = extras_[static_cast<std::size_t>(s.extras)];
    if (std::binary_search(extras.begin(), extras.end(), it->second)) return {};
  }
  return {KeyClass::What::kAdditional, kNone};
}

Id Objects::head_of(Id id, const KeyClass& key) {
  const ObjectSpec& spec = spec_of(id);
  if (key.what == KeyClass::What::kDead) return kNone;
  const bool declared = key.what == KeyClass::What::kDeclared;
  if (declared && !usable(key.property, spec)) return kNone;
  if (!declared && !free_keys(id)) return kNone;
  const Id value = declared ? spec.properties[static_cast<std::size_t>(key.property)].value : spec.additional;
  return exprs_.concat(spec.gap, exprs_.concat(exprs_.byte(':'), exprs_.concat(spec.gap, value)));
}

Id Objects::tail_of(Id id, const KeyClass& key, const std::string& name) {
  State s = state(id);
  const ObjectSpec& spec = spec_of(id);
  if (key.what == KeyClass::What::kDeclared) {
    if (spec.ordered) {
      s.next = key.property + 1;
    } else {
      s.written[static_cast<std::size_t>(key.property) >> 6] |=
          std::uint64_t{1} << (static_cast<unsigned>(key.property) & 63U);
    }
  } else {
    if (spec.ordered) s.next = static_cast<Id>(spec.properties.size());
    if (!name.empty() || key.property != kFreshText) {
      std::vector<Id> extras = extras_[static_cast<std::size_t>(s.extras)];
      extras.push_back(intern_name(name));
      std::sort(extras.begin(), extras.end());
      const auto known = extras_index_.find(extras);
      if (known != extras_index_.end()) {
        s.extras = known->second;
      } else {
        exprs_.count_members(extras.size());
        s.extras = extras_index_[extras] = static_cast<Id>(extras_.size());
        extras_.push_back(std::move(extras));
      }
    }
  }
  return exprs_.make({Kind::kObject, intern(std::move(s)), 0});
}

Objects::Resolved Objects::resolve(Id frame) {
  const Node n = exprs_.node(frame);
  if (n.b == kFreshText) {
    const KeyClass key{KeyClass::What::kAdditional, kFreshText};
    const Id head = head_of(n.a, key);
    return head == kNone ? Resolved{} : Resolved{head, tail_of(n.a, key, "")};
  }
  std::string name;
  const std::string raw = text(frame);
  if (!unescape(raw.substr(0, raw.size() - 1), name)) return {};
  const KeyClass key = classify(n.a, name);
  const Id head = head_of(n.a, key);
  return head == kNone ? Resolved{} : Resolved{head, tail_of(n.a, key, name)};
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

Id Objects::relax(Id frame) {
  const Node n = exprs_.node(frame);
  if (n.b == kFreshText || !free_keys(n.a)) return frame;
  std::string prefix;
  unescape(text(frame), prefix);
  return known_names(n.a, prefix).empty() ? key_frame(n.a, kFreshText) : frame;
}

std::int64_t Objects::member_length(const ObjectSpec& spec, const Property& p) {
  const std::int64_t gap = exprs_.shortest(spec.gap);
  return add_length(add_length(exprs_.shortest(p.key), exprs_.shortest(p.value)), add_length(3, 2 * gap));
}

std::int64_t Objects::shortest(Id id, bool first) {
  const State& s = state(id);
  const ObjectSpec& spec = spec_of(id);
  const std::int64_t gap = exprs_.shortest(spec.gap);
  std::int64_t total = add_length(gap, exprs_.shortest(exprs_.byte('}')));
  std::int64_t members = 0;
  const auto n = static_cast<Id>(spec.properties.size());
  for (Id i = spec.ordered ? s.next : 0; i < n; ++i) {
    const Property& p = spec.properties[static_cast<std::size_t>(i)];
    if (!p.required || (!spec.ordered && has(s, i))) continue;
    ++members;
    total = add_length(total, member_length(spec, p));
  }
  if (members == 0) return total;
  if (!members_writable()) return kUnreachable;
  const std::int64_t commas = first ? members - 1 : members;
  if (commas > 0 && !exprs_.live(exprs_.byte(','))) return kUnreachable;
  return add_length(total, add_length(multiply_length(2 * gap + 1, commas), first ? gap : 0));
}

std::int64_t Objects::after_value(Id id, const KeyClass& key) {
  const Id value = key.what == KeyClass::What::kDeclared
                       ? spec_of(id).properties[static_cast<std::size_t>(key.property)].value
                       : spec_of(id).additional;
  const Id tail = tail_of(id, key, "");
  return add_length(exprs_.shortest(value), shortest(exprs_.node(tail).a, false));
}

// A new name is at most this much longer than a shortest one: each known name can be in the way once.
std::int64_t Objects::name_slack(Id id, const std::string& prefix) {
  const auto known = static_cast<std::int64_t>(known_names(id, prefix).size());
  return multiply_length(exprs_.shortest_non_empty(spec_of(id).free_key), known + 1);
}

Objects::Lengths Objects::after_key(Id frame) {
  if (const auto it = pass_.find(frame); it != pass_.end()) return it->second;
  const Node n = exprs_.node(frame);
  const Id id = n.a;
  const bool fresh = n.b == kFreshText;
  std::string prefix;
  // A character begun as an escape is the top's own, whichever it becomes.
  const bool whole = unescape(text(frame), prefix);
  const bool free = free_keys(id);
  Lengths out{kUnreachable, free ? kUnreachable : 0};
  if (!fresh) {
    for (Id i : candidates(id)) {
      const std::string& name = spec_of(id).properties[static_cast<std::size_t>(i)].name;
      if (!name.starts_with(prefix)) continue;
      // Below free text the rest of the name is yet to be written; below literal keys it is the top's own.
      const std::size_t open = name.size() - prefix.size();
      const std::size_t begun = whole ? 0 : std::min<std::size_t>(open, 4);
      const auto rest = static_cast<std::int64_t>(free ? open - begun : 0);
      const std::int64_t length = add_length(rest, after_value(id, {KeyClass::What::kDeclared, i}));
      out.least = std::min(out.least, length);
      if (!free) out.most = std::max(out.most, length);
    }
  }
  if (free) {
    const bool clash = !fresh && whole && classify(id, prefix).what != KeyClass::What::kAdditional;
    const std::int64_t length = after_value(id, {KeyClass::What::kAdditional, kFreshText});
    out.least = std::min(out.least, add_length(clash ? 1 : 0, length));
    out.most = add_length(fresh ? 0 : name_slack(id, prefix), length);
  }
  const std::int64_t colon = 2 * exprs_.shortest(spec_of(id).gap) + 1;
  out = {add_length(out.least, colon), add_length(out.most, colon)};
  return pass_[frame] = out;
}

std::int64_t Objects::shortest_from_key(Id id) {
  std::int64_t best = kUnreachable;
  for (Id i : candidates(id)) {
    const Property& p = spec_of(id).properties[static_cast<std::size_t>(i)];
    best =
        std::min(best, add_length(exprs_.shortest(p.key), after_value(id, {KeyClass::What::kDeclared, i})));
  }
  if (free_keys(id)) {
    const bool clash = classify(id, "").what != KeyClass::What::kAdditional;
    best =
        std::min(best, add_length(clash ? 1 : 0, after_value(id, {KeyClass::What::kAdditional, kFreshText})));
  }
  return add_length(best, 2 * exprs_.shortest(spec_of(id).gap) + 2);
}

}  // namespace gramspec
