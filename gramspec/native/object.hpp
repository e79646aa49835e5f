// JSON objects as payload: which keys are written (bits, a set), how many members, which marks are set.
// Law: no key twice after unescaping; a state is entered only if its object can still be completed.
// Source: architecture, "Payload frames".
#pragma once

#include <array>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common.hpp"
#include "index.hpp"
#include "spelling.hpp"
#include "words.hpp"

namespace gramspec {

using Marks = std::uint32_t;

// Languages of one value: one that sets no mark, and alternatives that do.
struct Values {
  Id plain = kNone;
  std::vector<std::pair<Id, Marks>> marked;
};

struct Property {
  std::string name;  // after unescaping, UTF-8
  Id key = kNone;    // spellings between the quotes
  Values values;
  bool required = false;
  bool late = false;  // ordered: among the undeclared keys
};

// Undeclared keys with a value language of their own.
struct KeyGroup {
  Id names = kNone;  // after unescaping, UTF-8
  Values values;
};

struct ObjectSpec {
  std::vector<Property> properties;
  std::vector<KeyGroup> groups;
  Values additional;  // of undeclared keys in no group; kEmptyId: there may be none
  bool ordered = false;
  Id gap = kNone;
  Id free_key = kNone;  // spellings of undeclared keys: all string bodies where there may be any key
  std::int64_t least = 0;
  std::int64_t most = kInfinite;
  Marks marks = 0;  // to be set at the end
  // Made by add_spec.
  std::unordered_map<std::string, Id> names;
  bool late = false;              // some property is
  bool counted = false;           // members or marks decide whether an object may end
  bool simple = false;            // neither, and undeclared keys are all alike and never run out
  std::int64_t members_kept = 0;  // members are counted up to here
};

// What a written key turns out to be.
struct KeyClass {
  enum class What : std::uint8_t { kDead, kDeclared, kUndeclared } what = What::kDead;
  Id index = kNone;  // the property, or the group (one behind the last: none)
  bool operator==(const KeyClass&) const = default;
};

inline constexpr Id kFreshText = -2;  // and below: "some key that equals no declared and no written one"

class Objects {
 public:
  explicit Objects(Exprs& exprs) : exprs_(exprs), words_(exprs) {}

  Id add_spec(ObjectSpec spec);
  // The whole object with its braces.
  Id expr(Id spec);

  // The rest of an object is either closed, or the opening of a key followed by that key. Both parts
  // depend on the white space only, so their rows serve every object; kEmptyId where impossible.
  struct Parts {
    Id close;
    Id open;
  };
  Parts parts(Id state, bool first);
  Id body(Id state, bool first);
  Id key_language(Id state);
  Id key_frame(Id state, Id text);
  // Key frame after one more byte of the key.
  Id append(Id key_frame, std::uint8_t byte);
  // What may follow a closed key: value part, and the rest of the object. None where the key may not be used.
  struct Resolved {
    Id head;
    Id tail;
  };
  std::vector<Resolved> resolve(Id key_frame);
  // The same before the rest of the object is made: value part, and the marks then set.
  struct Option {
    Id head;
    Marks marks;
  };
  const std::vector<Option>& options(Id state, KeyClass key);
  // The name of an undeclared key is forgotten if none is given.
  Id tail_of(Id state, KeyClass key, const std::string* name, Marks marks);
  // Raw key text (between the quotes) of a key frame.
  [[nodiscard]] std::string text(Id key_frame) const;
  KeyClass classify(Id state, const std::string& key);
  // Whether some undeclared key may be written next.
  bool undeclared(Id state);
  // Spellings that make the key of a frame one of each group, from here on.
  std::vector<Id> group_rests(Id key_frame);
  // Declared keys, and undeclared ones written before, whose names begin with `prefix`.
  [[nodiscard]] std::vector<std::string> known_names(Id state, const std::string& prefix) const;
  // A key frame whose text can no longer equal a declared or written key, forgetting that text; else the same
  // frame. The lengths of completions stay the same (relax), or may become shorter (forget).
  Id relax(Id key_frame);
  Id forget(Id key_frame);
  // A rest of an object, or a key of it, as if no undeclared key had been written; else the same expression.
  Id plain(Id e);
  // Names of the declared keys, and their spellings.
  [[nodiscard]] std::vector<std::pair<std::string, Id>> declared_keys(Id state) const;
  // Spellings of the undeclared keys of no group.
  [[nodiscard]] Id undeclared_keys(Id state) const { return spec_of(state).free_key; }

  std::int64_t shortest(Id state, bool first);
  // From after the opening quote of a key.
  std::int64_t shortest_from_key(Id state);
  // What must be written after a key is closed (and, below free text, what its name still lacks):
  // least, and an upper bound that allows the key to be made one character longer.
  struct Lengths {
    std::int64_t least;
    std::int64_t most;
  };
  Lengths after_key(Id key_frame);
  // How much longer than a shortest one a key not begun may have to be.
  std::int64_t open_slack(Id state);
  void forget_pass();

 private:
  struct State {
    Id spec;
    Id next;                             // ordered: index of the next declared key that may come
    std::vector<std::uint64_t> written;  // bit per declared key (ordered: per late one)
    Id extras;                           // set of undeclared keys
    std::int64_t members;                // as far as they matter
    Marks marks;
    bool operator==(const State&) const = default;
  };
  struct HashState {
    std::size_t operator()(const State& s) const noexcept;
  };
  // A state and the member about to be written: what completions depend on.
  struct Situation {
    Id id;
    const ObjectSpec& spec;
    const State& state;
    Id property = kNone;      // written as well
    Id group = kNone;         // one more key of it is written, the shortest left
    bool undeclared = false;  // an undeclared key is written as well
    std::int64_t members;
    Marks marks;
  };
  struct Fresh {
    std::vector<Id> rests;  // per group: spellings that make the key one of it; then of any key
    Id closed = kNone;      // the group of a closed key
    bool operator==(const Fresh&) const = default;
  };

  Id intern(State state);
  Id intern_name(const std::string& name);
  Id intern_fresh(Fresh fresh);
  [[nodiscard]] const State& state(Id s) const { return states_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] const ObjectSpec& spec_of(Id s) const {
    return specs_[static_cast<std::size_t>(state(s).spec)];
  }
  [[nodiscard]] static const Property& property(const ObjectSpec& spec, Id i) {
    return spec.properties[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] static bool has(const State& s, Id property) {
    return (s.written[static_cast<std::size_t>(property) >> 6] >> (static_cast<unsigned>(property) & 63U)) &
           1U;
  }
  [[nodiscard]] static bool is_written(const ObjectSpec& spec, const State& s, Id i) {
    return spec.ordered && !property(spec, i).late ? i < s.next : has(s, i);
  }
  [[nodiscard]] static const Values& values_of(const ObjectSpec& spec, KeyClass key);
  [[nodiscard]] static Id group_count(const ObjectSpec& spec) { return static_cast<Id>(spec.groups.size()); }
  bool members_writable();
  bool live(const Values& values);
  bool usable(Id property, const ObjectSpec& spec);
  // Ordered: whether the required keys of the sequence are written.
  static bool sequence_done(const ObjectSpec& spec, const State& s);
  bool complete(Id s);
  // Declared keys that may be written next.
  const std::vector<Id>& candidates(Id s);
  std::vector<Id> find_candidates(Id s);
  Id declared_language(Id s, const std::vector<Id>& keys);
  // The group of an undeclared key.
  Id group_of(Id spec, const std::string& name);
  // Names of the undeclared keys of some groups (the last stands for no group).
  Id names_of(const ObjectSpec& spec, const std::vector<bool>& wanted);
  // Their spellings, one each.
  Id spelled_names(const ObjectSpec& spec, const std::vector<bool>& wanted);
  // Groups whose keys may be written next.
  std::vector<bool> usable_groups(Id s);
  Id free_language(Id s, const std::vector<bool>& wanted, const std::vector<Id>& declared);
  // Whether a name has its spelling among these; thin: and only finitely many others begin with it.
  bool holds(Id spellings, const std::string& name);
  bool thin(Id spellings, const std::string& name);
  Id append_fresh(const Node& frame, std::uint8_t byte);
  Id add_extra(Id extras, Id name);

  // ---- counts (object_counts.cpp)
  using Count = std::array<std::int64_t, 2>;  // optional, required
  // Properties of a spec by the sets of marks that their values offer; none: never written.
  struct Kinds {
    std::vector<std::vector<Marks>> offers;
    std::vector<Id> kind;                                // of each property
    std::vector<std::array<std::vector<Id>, 2>> places;  // of each kind: properties of the sequence
    std::vector<std::vector<Marks>> group_offers;
  };
  static Marks dense(Marks marks, Marks open);
  static int open_marks(Marks open);
  const Kinds& kinds_of(Id spec);
  const std::vector<Count>& pool_of(Id s, const Kinds& kinds);
  std::vector<Count> counts_left(const Situation& at, const Kinds& kinds);
  std::int64_t names_count(const Situation& at, Id group, std::int64_t wanted);
  std::int64_t covering(const Situation& at, const Kinds& kinds, const std::vector<Count>& left);
  // Whether the object can be ended.
  bool feasible(const Situation& at);

  // ---- lengths (object_lengths.cpp)
  [[nodiscard]] Situation situation(Id s) const {
    return {s, spec_of(s), state(s), kNone, kNone, false, state(s).members, state(s).marks};
  }
  [[nodiscard]] Situation situation(Id s, KeyClass key, Marks marks) const;
  template <class Visit>
  static void each_left(const Situation& at, Visit&& visit);
  // Bytes of required members, commas included, and their number.
  struct Required {
    std::int64_t length;
    std::int64_t members;
  };
  Required required_left(Id s);
  static Required without(Required all, std::int64_t members, std::int64_t length);
  bool too_many_lengths(Id s);
  Lengths coarse_lengths(Id s);
  // Bytes of the members that a shortest completion writes (at least `fewest`, at most `room`), each with
  // a comma.
  std::int64_t shortest_members(const Situation& at, std::int64_t room, std::int64_t fewest);
  std::int64_t marked_members(const Situation& at, std::int64_t room, std::int64_t fewest);
  // Lengths of the shortest names of a group still to be had: at least `wanted` names if there are so many.
  std::vector<Words::Layer> names_left(const Situation& at, Id group, std::int64_t wanted);
  std::int64_t member_room(const Situation& at, bool comma);
  // From after a value to the end of the object.
  std::int64_t closing(const Situation& at);
  // From before the value; upper: whichever new name of its group the key is.
  std::int64_t after_value(Id s, KeyClass key, bool upper);
  std::int64_t value_length(const Values& values);
  std::int64_t member_overhead(const ObjectSpec& spec);
  std::int64_t member_length(const ObjectSpec& spec, const Property& p);
  std::int64_t name_slack(Id state, const std::string& prefix);
  std::int64_t new_name_length(Id key_frame, const std::string& prefix, bool whole);

  Exprs& exprs_;
  Words words_;
  std::deque<ObjectSpec> specs_;  // stable addresses, here and below
  std::deque<State> states_;
  std::unordered_map<State, Id, HashState> state_index_;
  // Key texts being written share their beginnings: a text is its last byte and the text before it.
  struct Text {
    Id before;
    std::uint8_t byte;
  };
  std::vector<Text> texts_{{kNone, 0}};
  PairIndex text_index_;
  std::deque<Fresh> fresh_{{}};  // keys whose text is forgotten
  std::unordered_map<std::vector<Id>, Id, HashIds> fresh_index_{{{kNone}, 0}};
  std::deque<std::string> names_;  // undeclared keys written
  std::unordered_map<std::string, Id> name_index_;
  std::vector<std::vector<Id>> extras_{{}};
  std::unordered_map<std::vector<Id>, Id, HashIds> extras_index_{{{}, 0}};
  std::unordered_map<std::uint64_t, Id> bodies_;
  std::unordered_map<Id, Id> key_languages_;
  std::unordered_map<std::uint64_t, std::vector<Option>, HashPair> options_;
  std::unordered_map<std::uint64_t, bool, HashPair> thin_;
  std::unordered_map<std::uint64_t, Id, HashPair> name_groups_;
  std::unordered_map<Id, Lengths> pass_;
  std::unordered_map<Id, Required> required_;
  Id candidates_of_ = kNone;  // the state of the candidates kept
  std::vector<Id> candidates_;
  std::unordered_map<Id, Id> all_keys_;  // spec -> keys of all its properties
  std::unordered_map<Id, Kinds> kinds_;
  std::unordered_map<Id, std::vector<Count>> pools_;
  std::unordered_map<std::vector<Id>, std::int64_t, HashIds> covers_;
  std::unordered_map<std::uint64_t, std::map<std::int64_t, std::int64_t>, HashPair> declared_lengths_;
};

}  // namespace gramspec
