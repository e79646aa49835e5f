// Keys of objects: which text may stand between the quotes, and when its letters no longer matter.
// Law: a key that is begun has a completion that may be written.
// Source: architecture, "Payload frames".
#include <algorithm>

#include "expr.hpp"
#include "object.hpp"

namespace gramspec {

namespace {
constexpr std::size_t kManyKeys = 64;  // so many are told apart by complement
}  // namespace

Id Objects::group_of(Id spec_id, const std::string& name) {
  const ObjectSpec& spec = specs_[static_cast<std::size_t>(spec_id)];
  if (spec.groups.empty()) return 0;
  const std::uint64_t key = pair_key(spec_id, intern_name(name));
  if (const auto it = name_groups_.find(key); it != name_groups_.end()) return it->second;
  Id group = 0;
  for (; group < group_count(spec); ++group) {
    const Id rest = exprs_.derive(spec.groups[static_cast<std::size_t>(group)].names, name);
    if (rest != Exprs::kEmptyId && exprs_.nullable(rest)) break;
  }
  return name_groups_[key] = group;
}

Id Objects::names_of(const ObjectSpec& spec, const std::vector<bool>& wanted) {
  const bool rest = wanted.back();
  std::vector<Id> names;
  for (std::size_t g = 0; g < spec.groups.size(); ++g) {
    if (wanted[g] != rest) names.push_back(spec.groups[g].names);
  }
  const Id all = exprs_.union_of(std::move(names));
  return rest ? exprs_.and_of({exprs_.utf8(), exprs_.not_of(all)}) : all;
}

Id Objects::spelled_names(const ObjectSpec& spec, const std::vector<bool>& wanted) {
  return exprs_.and_of({spec.free_key, exprs_.spelled(names_of(spec, wanted), true)});
}

// Spelled canonically, where the number of words and of names is the same.
bool Objects::thin(Id spellings, const std::string& name) {
  const std::uint64_t place = pair_key(spellings, intern_name(name));
  if (const auto it = thin_.find(place); it != thin_.end()) return it->second;
  std::string spelling;
  if (!canonical_spelling(exprs_, name, spelling)) return thin_[place] = false;
  const Id rest = exprs_.derive(spellings, spelling);
  if (rest == Exprs::kEmptyId || !exprs_.nullable(rest)) return thin_[place] = false;
  const bool finite = !words_.infinite(rest);
  return thin_[place] = finite;
}

bool Objects::holds(Id spellings, const std::string& name) {
  std::string spelling;
  if (!canonical_spelling(exprs_, name, spelling)) return false;
  const Id rest = exprs_.derive(spellings, spelling);
  return rest != Exprs::kEmptyId && exprs_.nullable(rest);
}

std::vector<bool> Objects::usable_groups(Id id) {
  std::vector<bool> out;
  for (Id g = 0; g <= group_count(spec_of(id)); ++g) {
    out.push_back(!options(id, {KeyClass::What::kUndeclared, g}).empty());
  }
  return out;
}

// Undeclared keys that may be written next. A name that may not is taken out only where it matters: if
// infinitely many others begin with it, closing the key tells (and the language is one for all states).
Id Objects::free_language(Id id, const std::vector<bool>& wanted, const std::vector<Id>& declared) {
  const ObjectSpec& spec = spec_of(id);
  if (std::find(wanted.begin(), wanted.end(), true) == wanted.end()) return Exprs::kEmptyId;
  const bool all = std::find(wanted.begin(), wanted.end(), false) == wanted.end();
  const Id names = names_of(spec, wanted);
  const Id language = all ? spec.free_key : exprs_.and_of({spec.free_key, exprs_.spelled(names, false)});
  if (!exprs_.live(language)) return Exprs::kEmptyId;
  const Id canonical = spelled_names(spec, wanted);
  if (words_.endless(all ? language : canonical)) return language;
  std::vector<Id> taken;
  const auto offer = [&](const std::string& name) {
    if (!thin(canonical, name)) return;
    Id word = Exprs::kEpsilonId;
    for (auto it = name.rbegin(); it != name.rend(); ++it) {
      ByteSet one;
      one.set(static_cast<std::uint8_t>(*it));
      word = exprs_.concat(exprs_.all_bytes(one), word);
    }
    taken.push_back(word);
  };
  for (std::size_t i = 0; i < spec.properties.size(); ++i) {
    if (!std::binary_search(declared.begin(), declared.end(), static_cast<Id>(i))) {
      offer(spec.properties[i].name);
    }
  }
  for (Id extra : std::vector<Id>(extras_[static_cast<std::size_t>(state(id).extras)])) {
    offer(std::string(names_[static_cast<std::size_t>(extra)]));
  }
  if (taken.empty()) return language;
  const Id left = exprs_.and_of({names, exprs_.not_of(exprs_.union_of(std::move(taken)))});
  const Id keys = exprs_.and_of({spec.free_key, exprs_.spelled(left, false)});
  return exprs_.live(keys) ? keys : Exprs::kEmptyId;
}

Id Objects::key_language(Id id) {
  if (const auto it = key_languages_.find(id); it != key_languages_.end()) return it->second;
  const ObjectSpec& spec = spec_of(id);
  const Id quote = exprs_.byte('"');
  const std::vector<bool> wanted = usable_groups(id);
  const bool all = std::find(wanted.begin(), wanted.end(), false) == wanted.end();
  if (all && spec.simple) {
    // Declared keys are spelled like any other; closing the frame tells which one it was.
    return key_languages_[id] = exprs_.concat(spec.free_key, quote);
  }
  std::vector<Id> declared = candidates(id);
  std::sort(declared.begin(), declared.end());
  const Id language = free_language(id, wanted, declared);
  if (language == Exprs::kEmptyId) {
    return key_languages_[id] = exprs_.concat(declared_language(id, declared), quote);
  }
  const Id canonical = all ? Exprs::kEmptyId : spelled_names(spec, wanted);
  std::erase_if(declared, [&](Id i) { return all || holds(canonical, property(spec, i).name); });
  return key_languages_[id] =
             exprs_.concat(exprs_.union_of({language, declared_language(id, declared)}), quote);
}

// Of many keys: all but those that are not among them, which is one automaton for all states of an object.
Id Objects::declared_language(Id id, const std::vector<Id>& keys) {
  const ObjectSpec& spec = spec_of(id);
  const auto united = [&](auto&& wanted) {
    std::vector<Id> items;
    for (std::size_t i = 0; i < spec.properties.size(); ++i) {
      if (wanted(static_cast<Id>(i))) items.push_back(spec.properties[i].key);
    }
    return exprs_.union_of(std::move(items));
  };
  const auto listed = [&](Id i) { return std::binary_search(keys.begin(), keys.end(), i); };
  if (keys.size() < kManyKeys || 2 * keys.size() < spec.properties.size()) return united(listed);
  auto it = all_keys_.find(state(id).spec);
  if (it == all_keys_.end()) {
    const Id all = united([](Id) { return true; });
    it = all_keys_.try_emplace(state(id).spec, all).first;
  }
  if (keys.size() == spec.properties.size()) return it->second;
  const Id left = exprs_.and_of({it->second, exprs_.not_of(united([&](Id i) { return !listed(i); }))});
  return exprs_.live(left) ? left : Exprs::kEmptyId;
}

// ---- keys whose text is forgotten ---------------------------------------------------------------

Id Objects::intern_fresh(Fresh fresh) {
  std::vector<Id> key{fresh.closed};
  key.insert(key.end(), fresh.rests.begin(), fresh.rests.end());
  const auto [it, is_new] = fresh_index_.try_emplace(std::move(key), static_cast<Id>(fresh_.size()));
  if (is_new) fresh_.push_back(std::move(fresh));
  return kFreshText - it->second;
}

std::vector<Id> Objects::group_rests(Id frame) {
  const Node n = exprs_.node(frame);
  std::vector<Id> out;
  if (n.b <= kFreshText) {
    out = fresh_[static_cast<std::size_t>(kFreshText - n.b)].rests;
    if (!out.empty()) out.pop_back();
    return out;
  }
  const std::string raw = text(frame);
  for (const KeyGroup& g : spec_of(n.a).groups) {
    out.push_back(exprs_.derive(exprs_.spelled(g.names, false), raw));
  }
  return out;
}

Id Objects::append_fresh(const Node& n, std::uint8_t byte) {
  const Fresh& before = fresh_[static_cast<std::size_t>(kFreshText - n.b)];
  if (before.rests.empty()) return key_frame(n.a, n.b);
  Fresh after;
  if (byte == '"' && exprs_.derive(before.rests.back(), byte) == Exprs::kEmptyId) {
    const std::vector<Id>& rests = before.rests;
    const auto it = std::find_if(rests.begin(), rests.end() - 1, [&](Id e) { return exprs_.nullable(e); });
    after.closed = static_cast<Id>(it - rests.begin());
  } else {
    for (Id rest : std::vector<Id>(before.rests)) after.rests.push_back(exprs_.derive(rest, byte));
  }
  return key_frame(n.a, intern_fresh(std::move(after)));
}

Id Objects::forget(Id frame) {
  const Node n = exprs_.node(frame);
  if (n.b <= kFreshText || !undeclared(n.a)) return frame;
  std::string prefix;
  const std::string raw = text(frame);
  unescape(raw, prefix);
  if (!known_names(n.a, prefix).empty()) return frame;
  Fresh fresh;
  if (!spec_of(n.a).groups.empty()) {
    fresh.rests = group_rests(frame);
    fresh.rests.push_back(exprs_.derive(exprs_.spelled(exprs_.utf8(), false), raw));
  }
  return key_frame(n.a, intern_fresh(std::move(fresh)));
}

// Where names are told apart only to be different, and no member is needed but declared ones, what a key
// is called changes no length.
Id Objects::relax(Id frame) {
  const Node n = exprs_.node(frame);
  if (n.b <= kFreshText) return frame;
  const ObjectSpec& spec = spec_of(n.a);
  if (!spec.simple) {
    const State& s = state(n.a);
    if (s.marks != spec.marks || s.members + 1 < spec.least) return frame;
    std::string prefix, spelling;
    if (!unescape(text(frame), prefix) || !canonical_spelling(exprs_, prefix, spelling)) return frame;
    const std::vector<bool> usable = usable_groups(n.a);
    for (std::size_t g = 0; g < usable.size(); ++g) {
      if (!usable[g]) continue;
      std::vector<bool> one(usable.size(), false);
      one[g] = true;
      const Id rest = exprs_.derive(spelled_names(spec, one), spelling);
      if (rest != Exprs::kEmptyId && !words_.infinite(rest)) return frame;
    }
  }
  return forget(frame);
}

}  // namespace gramspec
