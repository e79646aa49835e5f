// A look over a JSON Schema document before anything is planned: which names it gives itself, and which of
// its schemas may wait until a text reaches them.
#pragma once

#include <Python.h>

#include <string>
#include <unordered_set>
#include <vector>

namespace gramspec {

// What a document is read by.
struct Reading {
  int draft = 2020;
  bool declared = false;                    // else the keywords of draft 7 count as well
  std::unordered_set<std::string> formats;  // known ones whose languages are not exact
  std::unordered_set<std::string> exact;    // known ones whose languages are exact (none is empty)
};

struct Survey {
  bool local = true;                 // one resource without anchors, and every reference leads into it
  bool surrogates = false;           // some text is no Unicode
  std::vector<const void*> waiting;  // the schemas that may wait
};

Survey survey(PyObject* root, const Reading& reading);

}  // namespace gramspec
