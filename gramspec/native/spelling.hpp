// JSON spellings of one text (see Exprs::spelled for those of a language).
// Cost: one pass over the text.
// Source: RFC 8259 section 7.
#pragma once

#include <string>

namespace gramspec {

class Exprs;

// The characters of a JSON string body, as UTF-8; false if the body is cut inside an escape.
bool unescape(const std::string& body, std::string& out);

// The shortest spelling of a name that the writable bytes allow; false if they allow none.
bool canonical_spelling(const Exprs& exprs, const std::string& name, std::string& out);

}  // namespace gramspec
