// What one schema of a document says: see schema_facts.hpp.
// Cost: a hash look-up a keyword.
// Source: JSON Schema Validation, section 6; Core, section 10; drafts 4 to 2020-12.
#include "schema_facts.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_set>

#include "plain_pattern.hpp"

namespace gramspec {

namespace {

constexpr double kFarNumber = 1e15;    // bounds beyond are not judged here
constexpr double kFineNumber = 1e-9;   // nor bounds that are finer
constexpr std::int64_t kMany = 1'000;  // least sizes beyond are not judged
constexpr std::size_t kMostBranches = 64;

std::optional<std::int64_t> natural(PyObject* value) {
  if (PyBool_Check(value) || !PyLong_CheckExact(value)) return std::nullopt;
  int overflow = 0;
  const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow != 0 || number < 0) return std::nullopt;
  return number;
}

// A number that a double tells well enough.
std::optional<double> bound(PyObject* value) {
  if (PyBool_Check(value) || PyUnicode_Check(value) || PyList_Check(value) || PyDict_Check(value) ||
      value == Py_None) {
    return std::nullopt;
  }
  const double number = PyFloat_AsDouble(value);
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    return std::nullopt;
  }
  const double size = std::fabs(number);
  if (!(size <= kFarNumber) || (size > 0 && size < kFineNumber)) return std::nullopt;
  return number;
}

}  // namespace

std::string_view text_of(PyObject* value) {
  Py_ssize_t size = 0;
  const char* data = PyUnicode_AsUTF8AndSize(value, &size);
  if (data == nullptr) {
    PyErr_Clear();  // a surrogate: no keyword is written with one
    return {};
  }
  return {data, static_cast<std::size_t>(size)};
}

bool SchemaReader::knows(const Known& known) const noexcept {
  return (known.first <= reading_.draft && reading_.draft <= known.last) ||
         (!reading_.declared && known.last == 7);
}

Index SchemaReader::at(PyObject* schema) {
  if (schema == Py_True) return kTrueSchema;
  if (schema == Py_False) return kFalseSchema;
  if (!PyDict_CheckExact(schema)) return kNoSchema;
  const auto [it, fresh] = numbers_.try_emplace(schema, static_cast<Index>(facts_.size()));
  if (fresh) facts_.emplace_back().schema = schema;
  return it->second;
}

Index SchemaReader::part(SchemaFacts& facts, PyObject* schema, bool in_place) {
  const Index number = at(schema);
  if (number == kNoSchema) {
    facts.plain = false;
    return kFalseSchema;
  }
  facts.below.push_back(number);
  if (in_place) facts.in_place.push_back(number);
  return number;
}

void SchemaReader::read(std::size_t number) {
  SchemaFacts facts;
  facts.schema = facts_[number].schema;
  Given given{};
  Py_ssize_t position = 0;
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  int assertions = 0;
  while (PyDict_Next(facts.schema, &position, &key, &item) != 0) {
    const auto it = known_keywords().find(text_of(key));
    if (it == known_keywords().end() || !knows(it->second)) continue;
    const Keyword keyword = it->second.keyword;
    // The root may say which dialect it speaks and what it is called.
    if (keyword == kHard && facts.schema == root_ && (it->first == "$schema" || it->first == "$id")) continue;
    given[keyword] = item;
    if (keyword != kDefs && keyword != kDefinitions) ++assertions;
  }
  if (given[kRef] != nullptr && reading_.draft <= 7) {
    reference(facts, given[kRef]);
  } else if (given[kHard] != nullptr || !definitions(given[kDefs]) || !definitions(given[kDefinitions])) {
    facts.plain = false;
    others(facts);
  } else if (given[kRef] != nullptr || given[kAnyOf] != nullptr || given[kOneOf] != nullptr ||
             given[kAllOf] != nullptr) {
    if (assertions == 1) {
      combination(facts, given);
    } else {
      facts.plain = false;
      others(facts);
    }
  } else if (given[kEnum] != nullptr || given[kConst] != nullptr) {
    constants(facts, given, assertions);
  } else {
    assertions_of(facts, given);
    facts.nothing = assertions == 0 && facts.plain;
  }
  facts_[number] = std::move(facts);
}

void SchemaReader::others(const SchemaFacts& facts) {
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  // Every schema anywhere below: applicators that are not told apart hold schemas, lists or tables of them.
  Py_ssize_t position = 0;
  while (PyDict_Next(facts.schema, &position, &key, &item) != 0) {
    const std::string_view name = text_of(key);
    if (name == "enum" || name == "const" || name == "default" || name == "examples") continue;
    if (name == "$ref" && PyUnicode_CheckExact(item)) {
      if (PyObject* target = resolve(text_of(item)); target != nullptr) at(target);
      continue;
    }
    deep(item, name == "properties" || name == "patternProperties" || name == "dependencies" ||
                   name == "dependentSchemas" || name == "$defs" || name == "definitions");
  }
}

void SchemaReader::deep(PyObject* value, bool table) {
  if (PyDict_CheckExact(value)) {
    if (!table) {
      at(value);
      return;
    }
    Py_ssize_t position = 0;
    PyObject* key = nullptr;
    PyObject* item = nullptr;
    while (PyDict_Next(value, &position, &key, &item) != 0) deep(item, false);
  } else if (PyList_CheckExact(value)) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); ++i) deep(PyList_GET_ITEM(value, i), false);
  }
}

bool SchemaReader::definitions(PyObject* table) {
  if (table == nullptr) return true;
  if (!PyDict_CheckExact(table)) return false;
  Py_ssize_t position = 0;
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  while (PyDict_Next(table, &position, &key, &item) != 0) {
    if (!PyDict_CheckExact(item) && !PyBool_Check(item)) return false;
  }
  return true;
}

PyObject* SchemaReader::resolve(std::string_view reference) {
  if (!reference.starts_with('#') || reference.find('%') != std::string_view::npos) return nullptr;
  std::string_view rest = reference.substr(1);
  PyObject* value = root_;
  while (!rest.empty()) {
    if (rest[0] != '/') return nullptr;
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    std::string name;
    for (std::size_t i = 0; i < end; ++i) {
      if (rest[i] != '~') {
        name.push_back(rest[i]);
      } else if (i + 1 < end && (rest[i + 1] == '0' || rest[i + 1] == '1')) {
        name.push_back(rest[++i] == '0' ? '~' : '/');
      } else {
        return nullptr;
      }
    }
    rest.remove_prefix(end);
    if (!PyDict_CheckExact(value)) return nullptr;
    value = PyDict_GetItemString(value, name.c_str());
    if (value == nullptr || name.find('\0') != std::string::npos) return nullptr;
  }
  return value;
}

void SchemaReader::reference(SchemaFacts& facts, PyObject* given) {
  PyObject* target = PyUnicode_CheckExact(given) ? resolve(text_of(given)) : nullptr;
  if (target == nullptr) {
    facts.plain = false;
    return;
  }
  facts.needs.push_back(part(facts, target, true));
  facts.sure = SchemaFacts::Sure::kAny;
}

void SchemaReader::combination(SchemaFacts& facts, const Given& given) {
  if (given[kRef] != nullptr) {
    reference(facts, given[kRef]);
    return;
  }
  PyObject* list = given[kAnyOf];
  if (list == nullptr) list = given[kOneOf];
  if (list == nullptr) list = given[kAllOf];
  if (!PyList_CheckExact(list) || PyList_GET_SIZE(list) == 0 ||
      static_cast<std::size_t>(PyList_GET_SIZE(list)) > kMostBranches) {
    facts.plain = false;
  } else {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
      facts.needs.push_back(part(facts, PyList_GET_ITEM(list, i), true));
    }
  }
  if (!facts.plain) {
    others(facts);
    return;
  }
  facts.together = given[kAllOf] != nullptr;
  facts.sure = facts.together ? SchemaFacts::Sure::kAll : SchemaFacts::Sure::kAny;
  if (given[kOneOf] != nullptr && facts.needs.size() > 1) facts.apart = facts.needs;
}

unsigned SchemaReader::types(PyObject* given, bool& integer) {
  static const std::unordered_map<std::string_view, unsigned> names{
      {"null", kNull},     {"boolean", kBoolean}, {"number", kNumber}, {"integer", kNumber},
      {"string", kString}, {"array", kArray},     {"object", kObject}};
  unsigned out = 0;
  bool number = false;
  const auto add = [&](PyObject* name) {
    const auto it = PyUnicode_CheckExact(name) ? names.find(text_of(name)) : names.end();
    if (it == names.end()) return false;
    out |= it->second;
    number = number || it->first == "number";
    integer = integer || it->first == "integer";
    return true;
  };
  if (!PyList_CheckExact(given)) {
    if (!add(given)) return 0;
  } else {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given); ++i) {
      if (!add(PyList_GET_ITEM(given, i))) return 0;
    }
  }
  integer = integer && !number;
  return out;
}

void SchemaReader::constants(SchemaFacts& facts, const Given& given, int assertions) {
  bool integer = false;
  const unsigned allowed = given[kType] == nullptr ? kEvery : types(given[kType], integer);
  const int expected = 1 + (given[kType] != nullptr ? 1 : 0);
  if (allowed == 0 || assertions != expected) {
    facts.plain = false;
    others(facts);
    return;
  }
  unsigned found = 0;
  const auto add = [&](PyObject* value) {
    if (value == Py_None) {
      found |= kNull;
    } else if (PyBool_Check(value)) {
      found |= kBoolean;
    } else if (PyUnicode_CheckExact(value)) {
      found |= kString;
    } else if (PyLong_CheckExact(value) && bound(value).has_value()) {
      found |= kNumber;
    } else {
      facts.plain = false;
    }
  };
  if (given[kConst] != nullptr) {
    add(given[kConst]);
  } else if (PyList_CheckExact(given[kEnum])) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given[kEnum]); ++i) add(PyList_GET_ITEM(given[kEnum], i));
  }
  facts.types = found & allowed;
  if (facts.types == 0) facts.plain = false;
  facts.sure = SchemaFacts::Sure::kAlways;
}

void SchemaReader::assertions_of(SchemaFacts& facts, const Given& given) {
  bool integer = false;
  if (given[kType] != nullptr) {
    facts.types = types(given[kType], integer);
    if (facts.types == 0) facts.plain = false;
  }
  const bool text = strings(facts, given);
  const bool number = numbers(facts, given, integer);
  const Option array = arrays(facts, given);
  const Option object = objects(facts, given);
  const bool always = (facts.types & (kNull | kBoolean)) != 0 || (text && (facts.types & kString) != 0) ||
                      (number && (facts.types & kNumber) != 0) ||
                      (array.possible && array.needs.empty() && (facts.types & kArray) != 0) ||
                      (object.possible && object.needs.empty() && (facts.types & kObject) != 0);
  if (always) {
    facts.sure = SchemaFacts::Sure::kAlways;
  } else if (object.possible && (facts.types & kObject) != 0) {
    facts.sure = SchemaFacts::Sure::kAll;
    facts.needs = object.needs;
  } else if (array.possible && (facts.types & kArray) != 0) {
    facts.sure = SchemaFacts::Sure::kAll;
    facts.needs = array.needs;
  }
}

std::pair<std::int64_t, std::int64_t> SchemaReader::sizes(SchemaFacts& facts, PyObject* least,
                                                          PyObject* most) {
  const auto low = least == nullptr ? std::optional<std::int64_t>(0) : natural(least);
  const auto high = most == nullptr ? std::optional<std::int64_t>(INT64_MAX) : natural(most);
  if (!low || !high || *low > *high) {
    facts.plain = false;
    return {0, INT64_MAX};
  }
  return {*low, *high};
}

bool SchemaReader::strings(SchemaFacts& facts, const Given& given) {
  int conditions = given[kMinLength] != nullptr || given[kMaxLength] != nullptr ? 1 : 0;
  sizes(facts, given[kMinLength], given[kMaxLength]);
  if (given[kPattern] != nullptr) {
    ++conditions;
    facts.plain =
        facts.plain && PyUnicode_CheckExact(given[kPattern]) && plain_pattern(text_of(given[kPattern]));
  }
  if (given[kFormat] != nullptr) {
    const std::string name(PyUnicode_CheckExact(given[kFormat]) ? text_of(given[kFormat]) : "");
    if (!PyUnicode_CheckExact(given[kFormat]) || reading_.formats.contains(name)) facts.plain = false;
    if (reading_.exact.contains(name)) ++conditions;
  }
  return conditions <= 1;
}

bool SchemaReader::numbers(SchemaFacts& facts, const Given& given, bool integer) {
  std::optional<double> low, high;
  bool strict = false;
  const auto side = [&](Keyword plain, Keyword exclusive, std::optional<double>& out, bool above) {
    if (given[plain] != nullptr) {
      out = bound(given[plain]);
      if (!out) facts.plain = false;
    }
    if (given[exclusive] == nullptr) return;
    if (reading_.draft == 4) {
      if (!PyBool_Check(given[exclusive])) facts.plain = false;
      strict = strict || given[exclusive] == Py_True;
      return;
    }
    const std::optional<double> other = bound(given[exclusive]);
    if (!other) {
      facts.plain = false;
      return;
    }
    strict = true;
    out = !out ? other : above ? std::max(*out, *other) : std::min(*out, *other);
  };
  side(kMinimum, kExclusiveMinimum, low, true);
  side(kMaximum, kExclusiveMaximum, high, false);
  if (!low || !high) return true;
  if (*low == *high && !strict) return !integer || *low == std::floor(*low);
  const double room = *high - *low;
  return integer ? room >= 2 : room > 1e-6 * std::max(std::fabs(*low), std::fabs(*high));
}

SchemaReader::Option SchemaReader::arrays(SchemaFacts& facts, const Given& given) {
  Option out;
  const std::int64_t least = sizes(facts, given[kMinItems], given[kMaxItems]).first;
  if (given[kUniqueItems] != nullptr && given[kUniqueItems] != Py_False) facts.plain = false;
  std::vector<Index> prefix;
  if (given[kPrefixItems] != nullptr) {
    if (!PyList_CheckExact(given[kPrefixItems])) {
      facts.plain = false;
    } else {
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given[kPrefixItems]); ++i) {
        prefix.push_back(part(facts, PyList_GET_ITEM(given[kPrefixItems], i)));
      }
    }
  }
  Index rest = kTrueSchema;
  if (given[kItems] != nullptr) {
    if (PyList_CheckExact(given[kItems])) {
      facts.plain = false;
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given[kItems]); ++i) at(PyList_GET_ITEM(given[kItems], i));
    } else {
      rest = part(facts, given[kItems]);
    }
  }
  if (least > kMany) return {false, {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(least) && i <= prefix.size(); ++i) {
    out.needs.push_back(i < prefix.size() ? prefix[i] : rest);
  }
  return out;
}

SchemaReader::Option SchemaReader::objects(SchemaFacts& facts, const Given& given) {
  Option out;
  const auto [least, most] = sizes(facts, given[kMinProperties], given[kMaxProperties]);
  std::unordered_map<std::string_view, Index> declared;
  Py_ssize_t position = 0;
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  if (given[kProperties] != nullptr) {
    if (!PyDict_CheckExact(given[kProperties])) {
      facts.plain = false;
    } else {
      while (PyDict_Next(given[kProperties], &position, &key, &item) != 0) {
        declared[text_of(key)] = part(facts, item);
      }
    }
  }
  bool patterns = false;
  if (given[kPatternProperties] != nullptr) {
    if (!PyDict_CheckExact(given[kPatternProperties])) {
      facts.plain = false;
    } else {
      position = 0;
      while (PyDict_Next(given[kPatternProperties], &position, &key, &item) != 0) {
        // Two sets of names that meet would ask for goals of two schemas.
        if (patterns || !declared.empty() || !plain_pattern(text_of(key))) facts.plain = false;
        patterns = true;
        part(facts, item);
      }
    }
  }
  Index others = kTrueSchema;
  if (given[kAdditionalProperties] != nullptr) others = part(facts, given[kAdditionalProperties]);
  std::unordered_set<std::string_view> required;
  if (given[kRequired] != nullptr) {
    if (!PyList_CheckExact(given[kRequired])) {
      facts.plain = false;
    } else {
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given[kRequired]); ++i) {
        PyObject* name = PyList_GET_ITEM(given[kRequired], i);
        if (!PyUnicode_CheckExact(name)) {
          facts.plain = false;
          continue;
        }
        if (!required.insert(text_of(name)).second) continue;
        const auto it = declared.find(text_of(name));
        if (it == declared.end() && patterns) out.possible = false;
        out.needs.push_back(it == declared.end() ? others : it->second);
      }
    }
  }
  const auto members = static_cast<std::int64_t>(required.size());
  if (members > most || least > kMany) out.possible = false;
  if (least > members) {
    if (patterns) out.possible = false;
    out.needs.push_back(others);
  }
  return out;
}

}  // namespace gramspec
