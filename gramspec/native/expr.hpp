// Hash-consed byte-level expressions and their head normal forms: the states of the automaton.
// Law: equal expressions have equal ids; a head normal form is exact and holds live targets only.
// Source: Brzozowski, JACM 11(4), 1964 (derivatives); Antimirov, TCS 155, 1996 (linear forms).
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "common.hpp"
#include "index.hpp"
#include "numbers.hpp"
#include "texts.hpp"

namespace gramspec {

enum class Kind : std::uint8_t {
  kEmpty,    // no string
  kEpsilon,  // the empty string
  kBytes,    // one byte of set a
  kConcat,   // a b (right associative)
  kUnion,    // members(e)
  kRepeat,   // a{lo,hi}
  kAnd,      // intersection of members(e), regular
  kNot,      // all byte strings but a, regular
  kCall,     // a, entered with a frame
  kState,    // state a of a finite automaton, regular
  kRule,     // rule a
  kNonNull,  // a without the empty string
  kToken,    // one token edge a: a token id, or a set of tokens (see Exprs::token_set)
  kObject,   // rest of a JSON object in state a; b = 1 right after the opening brace
  kNumber,   // JSON numbers from state a of the automaton of numbers on, regular
  kSpelled,  // JSON spellings of the words of a (b = 1: one each); lo, hi: place in an escape
  kKeyOpen,  // the key, from after its opening quote, of object state a
  kKeyFrame  // frame below a key being written: object state a, text b written so far
};

struct Node {
  Kind kind;
  Id a = kNone;
  Id b = kNone;
  std::int64_t lo = 0;
  std::int64_t hi = 0;
  bool operator==(const Node&) const = default;
};

struct HashNode {
  std::size_t operator()(const Node& n) const noexcept {
    std::size_t seed = static_cast<std::size_t>(n.kind);
    seed = mix(seed, static_cast<std::size_t>(static_cast<std::uint32_t>(n.a)));
    seed = mix(seed, static_cast<std::size_t>(static_cast<std::uint32_t>(n.b)));
    seed = mix(seed, static_cast<std::size_t>(n.lo));
    return mix(seed, static_cast<std::size_t>(n.hi));
  }
};

struct Arc {
  std::uint8_t lo;
  std::uint8_t hi;
  Id target;
};

// What an expression can do first. Arc ranges are sorted and disjoint; every target, callee and
// continuation is live; callees never match the empty string.
struct Head {
  bool nullable = false;
  std::vector<Arc> arcs;
  std::vector<std::pair<Id, Id>> calls;   // callee, continuation
  std::vector<std::pair<Id, Id>> tokens;  // token edge, continuation
};

// A state of a finite automaton: what may be read (never the empty string) and the states behind it,
// as expressions. Only live states that the automaton's start reaches are kept.
struct MachineState {
  bool accepting = false;
  std::vector<std::pair<Id, Id>> arcs;
};

// A deferred rule has no body until somebody needs it. It is known to be productive, never to match the empty
// string and not to begin with itself; its lengths are lower bounds, before and after it gets its body: only
// whether lengths are finite may decide what is allowed.
struct Rule {
  std::string name;
  Id body = kNone;
  bool deferred = false;  // has no body yet
  bool nullable = false;
  std::int64_t shortest = kUnreachable;            // unreachable: unproductive
  std::int64_t shortest_non_empty = kUnreachable;  // same without the empty string
};

class Objects;

class Exprs {
 public:
  explicit Exprs(const Bounds& bounds);
  void attach(Objects* objects) noexcept { objects_ = objects; }
  // Bytes outside `allowed` are taken out of every expression made from now on.
  void restrict(const ByteSet& allowed) noexcept { allowed_ = allowed; }

  static constexpr std::int32_t kMaxDepth = 3000;         // nesting of one expression, guards the C++ stack
  static constexpr std::int64_t kListItems = 16;          // members of unions, per state of the limit
  static constexpr std::size_t kExploreStates = 200'000;  // of one search for a member
  static constexpr std::size_t kShortSearch = 1'000;      // of one search that may fail
  static constexpr std::size_t kFewParts = 3;             // of an intersection
  static constexpr std::size_t kStraightWay = 100;        // states of a way on which all parts come closer
  static constexpr Id kEmptyId = 0;
  static constexpr Id kEpsilonId = 1;

  [[nodiscard]] const Node& node(Id e) const noexcept { return nodes_[static_cast<std::size_t>(e)]; }
  [[nodiscard]] const std::vector<Id>& members(Id e) const noexcept {
    return lists_[static_cast<std::size_t>(node(e).a)];
  }
  [[nodiscard]] const ByteSet& bytes_of(Id e) const noexcept {
    return sets_[static_cast<std::size_t>(node(e).a)];
  }
  [[nodiscard]] std::int64_t size() const noexcept { return static_cast<std::int64_t>(nodes_.size()); }

  Id bytes(const ByteSet& set);
  // The same for text that is not written as it stands: no byte is taken out.
  Id all_bytes(const ByteSet& set);
  [[nodiscard]] bool writable(std::uint8_t byte) const noexcept { return allowed_.test(byte); }
  [[nodiscard]] bool everything_writable() const noexcept {
    return std::ranges::all_of(allowed_.words, [](std::uint64_t word) { return ~word == 0; });
  }
  // All texts in UTF-8, whatever bytes are writable.
  Id utf8();
  // Spellings, between the quotes of a JSON string, of the words of a regular expression (UTF-8); canonical:
  // the shortest spelling of each that the bytes allow.
  Id spelled(Id words, bool canonical);
  // All spellings, between the quotes of a JSON string, of one text in UTF-8.
  Id text_spellings(std::string_view text);
  // What is left of a regular expression without calls after a byte, or after a text.
  Id derive(Id e, std::uint8_t byte);
  Id derive(Id e, std::string_view text);
  Id byte(std::uint8_t value);
  Id concat(Id a, Id b);
  Id union_of(std::vector<Id> items);
  Id repeat(Id item, std::int64_t lo, std::int64_t hi);
  Id and_of(std::vector<Id> items);
  Id not_of(Id item);
  Id call(Id item);
  // The language of state 0; arcs hold (regular expression without the empty string, state).
  Id machine(const std::vector<std::vector<std::pair<Id, Id>>>& arcs, const std::vector<bool>& accepting);
  Id number(const NumberSpec& spec);
  // One token: an id, or an edge made before.
  Id token(Id edge);
  // One token out of a packed set. Its edge is a token id, or less than kNone and names the set.
  Id token_set(const std::vector<std::uint32_t>& bits);
  [[nodiscard]] bool edge_has(Id edge, Id token) const noexcept;
  // The tokens of an edge that is a set, packed.
  [[nodiscard]] const std::vector<std::uint32_t>& edge_set(Id edge) const noexcept {
    return token_sets_[static_cast<std::size_t>(kNone - 1 - edge)];
  }
  // Same regular language without frames.
  Id strip_calls(Id e);
  // The language without upper bounds of kFar or more on repetitions (those inside complements, calls and
  // automata stay), and the least of the bounds taken away: a text of at most so many bytes is not new.
  struct Loose {
    Id expr;
    std::int64_t bound;  // kInfinite: nothing was taken away
  };
  static constexpr std::int64_t kFar = 24;
  Loose loosened(Id e);
  Id non_null(Id item);  // only after the rules inside are final
  // Sets kept beside the expressions count against the same limit.
  void count_members(std::size_t members);
  void count_heads(std::size_t parts);
  Id make(const Node& node, std::int32_t depth = 1);
  [[nodiscard]] std::int32_t depth_of(Id e) const noexcept { return depth_[static_cast<std::size_t>(e)]; }

  Id new_rule(std::string name);
  Id rule_expr(Id rule);
  void set_body(Id rule, Id body);
  // Nullability, productivity, shortest members; left recursion removed. Call once per group.
  void finalise(const std::vector<Id>& rules);
  [[nodiscard]] Rule& rule(Id r) noexcept { return rules_[static_cast<std::size_t>(r)]; }
  // The body of a rule that calls are made through; RuleNeeded if it is deferred.
  [[nodiscard]] Id body(Id r) {
    const Rule& called = rule(r);
    if (called.deferred) throw RuleNeeded{r};
    return called.body;
  }
  Id new_deferred_rule(std::string name);
  // Gives a deferred rule its body, whose own rules are final; std::logic_error if the body is not as was
  // said.
  void expand(Id rule, Id body);

  bool nullable(Id e);
  bool live(Id e);
  // Bytes of a shortest member (token edges count 1); kUnreachable for the empty language.
  std::int64_t shortest(Id e);
  // The same without the empty string.
  std::int64_t shortest_non_empty(Id e);
  // At least the bytes of a shortest member; just these if they are searched and soon found.
  std::int64_t longest_needed(Id e, bool search = true);
  // The reference stays valid for the life of the pool once all rules are final.
  const Head& head(Id e);
  // Whether the expression holds no rule, object or token edge.
  [[nodiscard]] bool regular(Id e) const noexcept { return regular_[static_cast<std::size_t>(e)]; }
  // Whether no member is a proper prefix of another (regular expressions, under a state budget).
  bool prefix_free(Id e);
  ByteSet first_bytes(Id e);
  // How an expression loops on characters; null where it does not, or may be left without reading.
  const Loop* loop(Id e);
  // The same for any number of repetitions of a regular item, between two of them.
  const Loop* item_loop(Id item);

 private:
  Id intern(const Node& node, bool regular, std::int32_t depth);
  Id intern_list(std::vector<Id> items);
  // Whether it is the rest of an object, inside it, and what follows.
  [[nodiscard]] bool begins_object(Id e) const noexcept;
  Id strip(Id e);
  std::int64_t shortest_part(Id e);
  Head raw_head(Id e);
  std::vector<Arc> state_arcs(const MachineState& state);
  Id number_state(std::int32_t state);
  std::vector<Arc> number_arcs(std::int32_t state);
  Head spelled_head(const Node& n);
  Id character_spellings(std::uint32_t c);
  Id digit_target(const Node& n, std::uint32_t digit, int left);
  std::int64_t spelled_bound(const Node& n);
  void filter(Head& head);
  // Search over derivatives of a Boolean expression: length of a shortest member.
  std::int64_t explore_shortest(Id e, std::size_t states = kExploreStates);
  std::int64_t shortest_bound(Id e);
  bool explore_live(Id e);
  std::int64_t still_to_do(Id e);
  // Kinds whose emptiness and lengths are searched for.
  [[nodiscard]] static bool searched(Kind kind) noexcept {
    return kind == Kind::kAnd || kind == Kind::kNot || kind == Kind::kSpelled || kind == Kind::kNumber;
  }
  static void check_explored(std::size_t states);
  std::vector<Arc> merge_arcs(const std::vector<const std::vector<Arc>*>& parts);
  std::vector<Arc> intersect_arcs(const std::vector<Id>& items);
  void remove_left_recursion(const std::vector<Id>& rules);
  void fixpoints(const std::vector<Id>& rules);
  void merge_repeats(std::vector<Id>& items);
  [[nodiscard]] Id lead_rule(Id callee) const;
  // By expression: -1 not looked for, 0 none, else one more than the place of what was found.
  struct Loops {
    std::vector<std::int32_t> index;
    std::deque<Loop> found;  // stable addresses
  };
  const Loop* find_loop(Id e, Id again, Loops& loops);
  // Few states that lead to each other on characters: they loop together.
  const Loop* find_round(Id e);
  bool reads_on(Id e, Place at, std::vector<Id>& states, std::vector<std::pair<Id, Place>>& seen);
  [[nodiscard]] bool only_reads(Id e);
  bool reads_characters(Id e, Place at, Id again, std::vector<std::pair<Id, Place>>& seen);

  Bounds bounds_;
  ByteSet allowed_;
  Objects* objects_ = nullptr;
  std::vector<Node> nodes_;
  std::vector<char> regular_;
  std::vector<std::int32_t> depth_;
  std::vector<std::int8_t> nullable_;       // -1 unknown
  std::vector<std::int64_t> shortest_;      // -1 unknown
  std::vector<std::int64_t> bounds_below_;  // lower bounds on the same, -1 unknown
  std::vector<std::int64_t> needed_;        // see longest_needed, of concatenations; -1 unknown
  std::vector<std::int8_t> live_;           // -1 unknown; see shortest_ first
  std::vector<std::int32_t> head_index_;
  std::deque<Head> heads_;  // stable addresses
  Head scratch_head_;
  ContentIndex index_;
  std::deque<std::vector<Id>> lists_;
  ContentIndex list_index_;
  std::int64_t list_items_ = 0;
  std::int64_t head_items_ = 0;
  std::unordered_map<Id, Id> stripped_;
  std::unordered_map<std::uint32_t, Id> characters_;  // character -> its spellings
  std::unordered_map<Id, Loose> loosened_;
  Loops loops_, item_loops_, rounds_;
  std::unordered_map<Id, std::int64_t> witnesses_;  // lengths of members met by the search for liveness
  std::size_t failed_states_ = 0;                   // spent on short searches that failed
  std::vector<ByteSet> sets_;
  std::map<std::array<std::uint64_t, 4>, Id> set_index_;
  std::deque<std::vector<std::uint32_t>> token_sets_;  // stable addresses
  std::map<std::vector<std::uint32_t>, Id> token_set_index_;
  std::deque<MachineState> states_;  // stable addresses
  std::unordered_map<std::vector<Id>, Id, HashIds> machines_;
  Numbers numbers_;
  std::deque<Rule> rules_;
  // While some rule has no final properties, what depends on rules is remembered for one pass only.
  bool pending_ = false;
  std::unordered_map<Id, std::int8_t> pass_flags_;
  std::unordered_map<Id, std::int64_t> pass_lengths_;
  std::unordered_map<Id, std::int64_t> non_empty_lengths_;
};

}  // namespace gramspec
