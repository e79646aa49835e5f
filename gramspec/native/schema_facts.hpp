// What one schema of a document says, as far as it decides whether schemas may wait.
// Law: what is not understood makes a schema not plain. Cost: one visit of the schema's own keywords.
// Source: JSON Schema Validation; Core, section 10.
#pragma once

#include <Python.h>

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "survey.hpp"

namespace gramspec {

enum Keyword : std::uint8_t {
  kType,
  kEnum,
  kConst,
  kMinLength,
  kMaxLength,
  kPattern,
  kFormat,
  kMinimum,
  kMaximum,
  kExclusiveMinimum,
  kExclusiveMaximum,
  kItems,
  kPrefixItems,
  kMinItems,
  kMaxItems,
  kUniqueItems,
  kProperties,
  kPatternProperties,
  kAdditionalProperties,
  kRequired,
  kMinProperties,
  kMaxProperties,
  kAllOf,
  kAnyOf,
  kOneOf,
  kRef,
  kDefs,
  kDefinitions,
  kHard,  // a keyword that keeps its schema from waiting
  kKeywords
};

// A keyword with the first and the last draft that knows it.
struct Known {
  Keyword keyword;
  int first, last;
};

const std::unordered_map<std::string_view, Known>& known_keywords();

using Given = std::array<PyObject*, kKeywords>;  // what a schema has under each keyword

// JSON types as bits; integers are numbers.
inline constexpr unsigned kNull = 1, kBoolean = 2, kNumber = 4, kString = 8, kArray = 16, kObject = 32,
                          kEvery = 63;

// The text of a string; empty if it is no Unicode (no keyword is).
std::string_view text_of(PyObject* value);

using Index = std::int32_t;
inline constexpr Index kTrueSchema = 0, kFalseSchema = 1, kNoSchema = -1;

// What is said of one schema.
struct SchemaFacts {
  PyObject* schema = nullptr;
  bool plain = true;            // of itself
  unsigned types = kEvery;      // no value of another type satisfies it
  std::vector<Index> below;     // schemas of its parts and alternatives
  std::vector<Index> in_place;  // those of them that are about the same value
  // Surely some value satisfies it: always, never, or if all or any of `needs` are surely satisfied.
  enum class Sure : std::uint8_t { kNever, kAlways, kAll, kAny } sure = Sure::kNever;
  std::vector<Index> needs;
  std::vector<Index> apart;  // alternatives that must have no type in common
  bool together = false;     // what is in place holds together: only one part may say anything
  bool nothing = false;      // every value satisfies it
};

// Reads the schemas of a document.
class SchemaReader {
 public:
  SchemaReader(PyObject* root, const Reading& reading) : root_(root), reading_(reading) {
    facts_.resize(2);
    facts_[kTrueSchema].sure = SchemaFacts::Sure::kAlways;
    facts_[kTrueSchema].nothing = true;
    facts_[kFalseSchema].types = 0;
  }

  // The facts of the document's schema and of all that it leads to; kTrueSchema and kFalseSchema first.
  std::deque<SchemaFacts> run() {
    if (at(root_) == kNoSchema) return {};
    for (std::size_t i = 2; i < facts_.size(); ++i) read(i);  // grows on the way
    return std::move(facts_);
  }

 private:
  // A value of one type: whether there is one if some schemas are surely satisfied.
  struct Option {
    bool possible = true;
    std::vector<Index> needs;
  };
  [[nodiscard]] bool knows(const Known& known) const noexcept;
  // The number of a schema; kNoSchema for what is none.
  Index at(PyObject* schema);
  // A part of a schema; the schema is not plain if it is none.
  Index part(SchemaFacts& facts, PyObject* schema, bool in_place = false);
  void read(std::size_t number);
  // Parts of a schema that may not wait itself: they may.
  void others(const SchemaFacts& facts);
  void deep(PyObject* value, bool table);
  bool definitions(PyObject* table);
  // Where a reference leads: a JSON pointer without percent encoding, or nowhere.
  PyObject* resolve(std::string_view reference);
  void reference(SchemaFacts& facts, PyObject* given);
  void combination(SchemaFacts& facts, const Given& given);
  // Types that a schema names; 0: malformed or none.
  static unsigned types(PyObject* given, bool& integer);
  void constants(SchemaFacts& facts, const Given& given, int assertions);
  void assertions_of(SchemaFacts& facts, const Given& given);
  // Bounds on a size; the schema is not plain if they are malformed or cross.
  static std::pair<std::int64_t, std::int64_t> sizes(SchemaFacts& facts, PyObject* least, PyObject* most);
  bool strings(SchemaFacts& facts, const Given& given);
  bool numbers(SchemaFacts& facts, const Given& given, bool integer);
  Option arrays(SchemaFacts& facts, const Given& given);
  Option objects(SchemaFacts& facts, const Given& given);

  PyObject* root_;
  const Reading& reading_;
  std::deque<SchemaFacts> facts_;
  std::unordered_map<PyObject*, Index> numbers_;
};

}  // namespace gramspec
