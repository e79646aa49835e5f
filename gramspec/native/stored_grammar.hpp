// Stored grammars: the words of gramspec.automaton.storing.expressions, loaded into an engine.
// Law: the expression has the language that the loader gives the same words read as nodes; whatever the words
// are, the answer is an expression, an error, or "read them in Python". Cost: about 0.2 us a node.
// Source: docs/serialisation.md.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine.hpp"

namespace gramspec {

struct StoredWords {
  std::span<const std::uint32_t> words;  // nodes, then one body a rule
  std::size_t nodes = 0;
  std::vector<std::string> rules;    // their names
  std::vector<std::string> strings;  // UTF-8
  std::vector<Id> builtins;          // expressions of the engine
  std::size_t root = 0;
  std::int32_t most_depth = 0;
};

// Nothing: what is stored needs names, or numbers of more than 32 bits. Throws std::invalid_argument when the
// words are malformed. The caller holds the gate for the whole load; on errors it ends the load with
// finalise({}).
std::optional<Id> load_stored(Engine& engine, const StoredWords& stored);

void bind_stored(nanobind::module_& m);

}  // namespace gramspec
