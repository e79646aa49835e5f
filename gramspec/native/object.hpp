// JSON objects as payload: which keys are written, as bits for declared ones and a set for others.
// Law: no key twice after unescaping; a state is entered only if its object can still be completed.
// Source: architecture, "Payload frames".
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "common.hpp"

namespace gramspec {

class Exprs;

struct Property {
  std::string name;  // after unescaping, UTF-8
  Id key = kNone;    // spellings between the quotes
  Id value = kNone;
  bool required = false;
};

struct ObjectSpec {
  std::vector<Property> properties;
  Id additional = kNone;  // value of an undeclared key, or kNone
  bool ordered = false;
  Id gap = kNone;
  Id free_key = kNone;  // all string bodies
  std::unordered_map<std::string, Id> names;
};

// What a written key turns out to be.
struct KeyClass {
  enum class What { kDead, kDeclared, kAdditional } what = What::kDead;
  Id property = kNone;
};

class Objects {
 public:
  explicit Objects(Exprs& exprs) : exprs_(exprs) {}

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
  // What follows a closed key: value part and the rest of the object; kNone when the key may not be used.
  struct Resolved {
    Id head = kNone;
    Id tail = kNone;
  };
  Resolved resolve(Id key_frame);
  // Raw key text (between the quotes) of a key frame.
  [[nodiscard]] std::string text(Id key_frame) const;
  KeyClass classify(Id state, const std::string& key) const;
  Id head_of(Id state, const KeyClass& key);
  // Declared keys, and undeclared ones written before, whose names begin with `prefix`.
  [[nodiscard]] std::vector<std::string> known_names(Id state, const std::string& prefix) const;
  Id tail_of(Id state, const KeyClass& key, const std::string& name);
  // A key frame whose text can no longer equal a declared or written key, forgetting that text; else the same
  // frame.
  Id relax(Id key_frame);

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
  std::int64_t name_slack(Id state, const std::string& prefix);
  void forget_pass() { pass_.clear(); }

 private:
  struct State {
    Id spec;
    Id next;                             // ordered: index of the next declared key that may come
    std::vector<std::uint64_t> written;  // free order: bit per declared key
    Id extras;                           // set of undeclared keys
    bool operator==(const State&) const = default;
  };
  struct HashState {
    std::size_t operator()(const State& s) const noexcept;
  };
  Id intern(State state);
  Id intern_name(const std::string& name);
  [[nodiscard]] const State& state(Id s) const { return states_[static_cast<std::size_t>(s)]; }
  [[nodiscard]] const ObjectSpec& spec_of(Id s) const {
    return specs_[static_cast<std::size_t>(state(s).spec)];
  }
  [[nodiscard]] bool has(const State& s, Id property) const {
    return (s.written[static_cast<std::size_t>(property) >> 6] >> (static_cast<unsigned>(property) & 63U)) &
           1U;
  }
  bool members_writable();
  bool usable(Id property, const ObjectSpec& spec);
  bool free_keys(Id s);
  bool complete(Id s);
  // Declared keys that may be written next.
  std::vector<Id> candidates(Id s);
  std::int64_t after_value(Id s, const KeyClass& key);
  std::int64_t member_length(const ObjectSpec& spec, const Property& p);

  Exprs& exprs_;
  std::deque<ObjectSpec> specs_;  // stable addresses, here and below
  std::deque<State> states_;
  std::unordered_map<State, Id, HashState> state_index_;
  // Key texts being written share their beginnings: a text is its last byte and the text before it.
  struct Text {
    Id before;
    std::uint8_t byte;
  };
  std::vector<Text> texts_{{kNone, 0}};
  std::unordered_map<std::uint64_t, Id, HashPair> text_index_;
  std::deque<std::string> names_;  // undeclared keys written
  std::unordered_map<std::string, Id> name_index_;
  std::vector<std::vector<Id>> extras_{{}};
  std::unordered_map<std::vector<Id>, Id, HashIds> extras_index_{{{}, 0}};
  std::unordered_map<std::uint64_t, Id> bodies_;
  std::unordered_map<Id, Id> key_languages_;
  std::unordered_map<Id, Lengths> pass_;
};

// The characters of a JSON string body, as UTF-8; false if the body is cut inside an escape.
bool unescape(const std::string& body, std::string& out);

inline constexpr Id kFreshText = -2;  // "some key that equals no declared and no written one"

}  // namespace gramspec
