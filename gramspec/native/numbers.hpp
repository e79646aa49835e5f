// Spellings of the JSON numbers of an interval that are multiples of a number: a finite automaton, made as it
// is read.
// Law: decimals; and numbers with an exponent of limited size behind a one-digit integer part.
// Cost: 100 ns a step. A state holds how the digits compare to the bounds, where the point and the last digit
// other than 0 stand, and a residue: whatever the bounds are, nothing is built before it is read.
// Source: with divisor r q^c 10^k (q 2 or 5, r coprime to 10), a number of significant digits n, the last one
// at place w, is a multiple iff r divides n, w >= k and q^c divides n 10^(w-k); 10 being a unit modulo r.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common.hpp"

namespace gramspec {

// Sizes of the numbers of one sign: from low_digits[0].low_digits[1]... * 10^low_at to the same of `high`.
struct NumberSide {
  bool possible = false;   // there may be numbers other than 0 of this sign
  std::string low_digits;  // no 0 at the end; empty: anything above 0
  std::int32_t low_at = 0;
  bool low_strict = false;
  bool has_high = false;
  std::string high_digits;
  std::int32_t high_at = 0;
  bool high_strict = false;
};

struct NumberSpec {
  bool zero = false;
  std::array<NumberSide, 2> sides;    // positive, negative
  std::int32_t most_exponent = 400;   // in size
  std::optional<std::int32_t> place;  // multiples of 10^place only
  bool fraction = true;               // whether there may be a point
  bool decimals = true;               // whether there may be no exponent
  bool exponents = true;              // whether there may be one
  std::int32_t coprime = 1;           // multiples of coprime base^power 10^place only
  std::int32_t base = 1;
  std::int32_t power = 0;
  std::vector<std::int32_t> others;  // none of which divides the significant digits

  // Numbers from `low` to `high`; an end is written "-12e3" for -1.2e3, "e0" for 0.
  void between(const std::optional<std::string>& low, bool low_strict, const std::optional<std::string>& high,
               bool high_strict);
};

class Numbers {
 public:
  static constexpr std::int32_t kDead = -1;
  static constexpr std::int32_t kEnd = -2;  // nothing but the empty string

  // The state at the beginning.
  std::int32_t add(const NumberSpec& spec);
  // The state behind a byte, kEnd, or kDead.
  std::int32_t step(std::int32_t state, std::uint8_t byte);
  [[nodiscard]] bool accepts(std::int32_t state) const;
  // At most the length of a shortest member; kUnreachable only if there is none.
  [[nodiscard]] std::int64_t bound(std::int32_t state) const;
  // Length of some member where one is plain to see: digits enough are left for any residue; -1 elsewhere.
  [[nodiscard]] std::int64_t witness(std::int32_t state) const;

 private:
  enum Phase : std::int32_t {
    kStart,
    kSigned,         // behind the sign
    kZero,           // behind an integer part of 0
    kWhole,          // in another integer part
    kPoint,          // behind the point
    kFraction,       // behind digits behind the point
    kExponent,       // behind the e: exponents low..high
    kExponentSign,   // behind its sign: sizes low..high
    kExponentDigits  // `value` read
  };

  struct State {
    std::int32_t phase = kStart;
    std::int32_t spec = 0;
    std::int32_t negative = 0;
    std::int32_t begun = 0;  // a digit other than 0 was read
    std::int32_t low = 1;    // the digits compared to those of the lower bound: less, as far the same, more
    std::int32_t high = -1;  // the same for the upper bound
    std::int32_t seen = 0;   // digits from the first one other than 0, while one of these is 0
    std::int32_t whole = 0;  // digits of an integer part other than 0
    std::int32_t zeros = 0;  // zeros between the point and the first other digit, in "0.00…"
    std::int32_t trailing = 0;   // zeros at the end of the integer part
    std::int32_t read = 0;       // digits behind the point
    std::int32_t last = 0;       // which of them is the last that is not 0
    std::int32_t residue = 0;    // of all digits
    std::int32_t valuation = 0;  // of `base` in the digits up to the last that is not 0
    bool operator==(const State&) const = default;
  };
  struct Hash {
    std::size_t operator()(const State& s) const noexcept;
  };
  struct Kept : NumberSpec {
    std::int32_t modulus = 1;  // of the residue
    std::int32_t tested = 1;   // base^power
  };

  std::int32_t intern(const State& state);
  std::int32_t after_digit(State s, std::int32_t digit);
  std::int32_t after_exponent_digit(const State& s, std::int32_t digit);
  void compare(State& s, const Kept& spec, std::int32_t digit) const;
  void settle(State& s, const Kept& spec) const;
  [[nodiscard]] bool divisible(const State& s, const Kept& spec) const;
  [[nodiscard]] bool in_decade(const State& s, const NumberSide& side, std::int32_t at, bool ended) const;
  [[nodiscard]] std::optional<std::pair<std::int32_t, std::int32_t>> exponents(const State& s,
                                                                               bool ended) const;
  [[nodiscard]] std::int32_t last_place(const State& s) const;
  [[nodiscard]] std::int64_t decimal_bound(const State& s) const;
  [[nodiscard]] static bool low_holds(const State& s, const NumberSide& side, bool ended);
  [[nodiscard]] static bool high_holds(const State& s, const NumberSide& side, bool ended);
  [[nodiscard]] static std::int32_t unsigned_digits(std::int32_t low, std::int32_t high, std::int32_t value);
  [[nodiscard]] const State& state(std::int32_t i) const { return states_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] const Kept& spec(const State& s) const { return specs_[static_cast<std::size_t>(s.spec)]; }

  std::vector<Kept> specs_;
  std::vector<State> states_;
  std::unordered_map<State, std::int32_t, Hash> index_;
  std::unordered_map<std::string, std::int32_t> known_;
};

}  // namespace gramspec
