// Which schemas of a document may wait until a text reaches them.
// Law: a schema may wait only if nothing below it can be refused, ask for a residual predicate or change the
// meaning of what is around it, and if surely some value satisfies it. What cannot be told may not wait.
// Cost: about 100 ns a value of the document, iterative but for the nesting of JSON itself.
// Source: JSON Schema Core, sections 8 to 10; least and greatest fixed points.
#include "survey.hpp"

#include "schema_facts.hpp"

namespace gramspec {

namespace {

bool has_surrogate(PyObject* text) {
  if (PyUnicode_KIND(text) != PyUnicode_2BYTE_KIND && PyUnicode_KIND(text) != PyUnicode_4BYTE_KIND)
    return false;
  const Py_ssize_t size = PyUnicode_GET_LENGTH(text);
  for (Py_ssize_t i = 0; i < size; ++i) {
    const Py_UCS4 c = PyUnicode_READ_CHAR(text, i);
    if (c >= 0xD800 && c <= 0xDFFF) return true;
  }
  return false;
}

class Surveyor {
 public:
  Surveyor(PyObject* root, const Reading& reading) : root_(root), reading_(reading) {}

  Survey run() {
    Survey out;
    look(root_, 0);
    out.local = local_;
    out.surrogates = surrogates_;
    if (!local_ || surrogates_) return out;
    facts_ = SchemaReader(root_, reading_).run();
    refuse_loops();
    settle_types();
    spread_refusals();
    const std::vector<char> sure = satisfied();
    for (std::size_t i = 2; i < facts_.size(); ++i) {
      if (!facts_[i].plain || sure[i] == 0) continue;
      out.waiting.push_back(facts_[i].schema);
    }
    return out;
  }

 private:
  // Every value of the document, data and unknown keywords too: names that would have to be indexed.
  void look(PyObject* value, int depth) {
    if (PyUnicode_CheckExact(value)) {
      surrogates_ = surrogates_ || has_surrogate(value);
    } else if (PyList_CheckExact(value)) {
      for (Py_ssize_t i = 0; i < PyList_GET_SIZE(value); ++i) look(PyList_GET_ITEM(value, i), depth + 1);
    } else if (PyDict_CheckExact(value)) {
      Py_ssize_t position = 0;
      PyObject* key = nullptr;
      PyObject* item = nullptr;
      while (PyDict_Next(value, &position, &key, &item) != 0) {
        surrogates_ = surrogates_ || has_surrogate(key);
        const std::string_view name = text_of(key);
        if (name.starts_with('$') || name == "id") name_given(name, item, depth);
        look(item, depth + 1);
      }
    }
  }

  void name_given(std::string_view name, PyObject* item, int depth) {
    if (name == "$ref") {
      if (PyUnicode_CheckExact(item) && !text_of(item).starts_with('#')) local_ = false;
    } else if (name == (reading_.draft == 4 ? "id" : "$id") || name == "$schema") {
      if (depth > 0 && PyUnicode_CheckExact(item)) local_ = false;
      if (name == "$schema" && depth > 0) local_ = false;
    } else if (name == "$anchor" || name == "$dynamicAnchor" || name == "$recursiveAnchor" ||
               name == "$dynamicRef" || name == "$recursiveRef") {
      local_ = false;
    }
  }

  // Schemas that refer to each other in place, and so to themselves.
  void refuse_loops() {
    std::vector<std::vector<Index>> users(facts_.size());
    std::vector<std::size_t> open(facts_.size());
    std::vector<Index> done;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      open[i] = facts_[i].in_place.size();
      for (Index part : facts_[i].in_place)
        users[static_cast<std::size_t>(part)].push_back(static_cast<Index>(i));
      if (open[i] == 0) done.push_back(static_cast<Index>(i));
    }
    // What is about the same value comes before what refers to it.
    for (std::size_t next = 0; next < done.size(); ++next) {
      for (Index user : users[static_cast<std::size_t>(done[next])]) {
        if (--open[static_cast<std::size_t>(user)] == 0) done.push_back(user);
      }
    }
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      if (open[i] > 0) facts_[i].plain = false;
    }
    order_ = std::move(done);
  }

  // Types through references and alternatives; alternatives that exclude each other must not share one.
  void settle_types() {
    for (Index number : order_) {
      SchemaFacts& facts = facts_[static_cast<std::size_t>(number)];
      if (facts.in_place.empty() || !facts.plain) continue;
      facts.types = facts.together ? kEvery : 0;
      int saying = 0;
      for (Index part : facts.in_place) {
        const SchemaFacts& other = facts_[static_cast<std::size_t>(part)];
        if (!facts.apart.empty() && (facts.types & other.types) != 0) facts.plain = false;
        facts.types = facts.together ? facts.types & other.types : facts.types | other.types;
        saying += other.nothing ? 0 : 1;
      }
      if (facts.together && saying > 1) facts.plain = false;
    }
  }

  void spread_refusals() {
    std::vector<std::vector<Index>> users(facts_.size());
    std::vector<Index> todo;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      for (Index part : facts_[i].below)
        users[static_cast<std::size_t>(part)].push_back(static_cast<Index>(i));
      if (!facts_[i].plain) todo.push_back(static_cast<Index>(i));
    }
    while (!todo.empty()) {
      const Index number = todo.back();
      todo.pop_back();
      for (Index user : users[static_cast<std::size_t>(number)]) {
        if (!facts_[static_cast<std::size_t>(user)].plain) continue;
        facts_[static_cast<std::size_t>(user)].plain = false;
        todo.push_back(user);
      }
    }
  }

  // Which schemas surely have a value: a least fixed point.
  std::vector<char> satisfied() {
    std::vector<char> sure(facts_.size(), 0);
    std::vector<std::vector<Index>> users(facts_.size());
    std::vector<std::size_t> open(facts_.size());
    std::vector<Index> todo;
    for (std::size_t i = 0; i < facts_.size(); ++i) {
      const SchemaFacts& facts = facts_[i];
      open[i] = facts.sure == SchemaFacts::Sure::kAny ? 1 : facts.needs.size();
      if (facts.sure == SchemaFacts::Sure::kNever) continue;
      for (Index need : facts.needs) users[static_cast<std::size_t>(need)].push_back(static_cast<Index>(i));
      if (facts.sure == SchemaFacts::Sure::kAlways || open[i] == 0) todo.push_back(static_cast<Index>(i));
    }
    while (!todo.empty()) {
      const Index number = todo.back();
      todo.pop_back();
      if (sure[static_cast<std::size_t>(number)] != 0) continue;
      sure[static_cast<std::size_t>(number)] = 1;
      for (Index user : users[static_cast<std::size_t>(number)]) {
        const auto u = static_cast<std::size_t>(user);
        if (open[u] > 0 && --open[u] == 0) todo.push_back(user);
      }
    }
    return sure;
  }

  PyObject* root_;
  const Reading& reading_;
  bool local_ = true;
  bool surrogates_ = false;
  std::deque<SchemaFacts> facts_;
  std::vector<Index> order_;  // schemas in such an order that those about the same value come before
};

}  // namespace

Survey survey(PyObject* root, const Reading& reading) { return Surveyor(root, reading).run(); }

}  // namespace gramspec
