// The keywords that assert something, with the drafts that know them.
// Cost: made once.
// Source: JSON Schema drafts 4 to 2020-12.
#include "schema_facts.hpp"

namespace gramspec {

const std::unordered_map<std::string_view, Known>& known_keywords() {
  static const std::unordered_map<std::string_view, Known> table = [] {
    std::unordered_map<std::string_view, Known> made{
        {"type", {kType, 4, 2020}},
        {"enum", {kEnum, 4, 2020}},
        {"const", {kConst, 6, 2020}},
        {"minLength", {kMinLength, 4, 2020}},
        {"maxLength", {kMaxLength, 4, 2020}},
        {"pattern", {kPattern, 4, 2020}},
        {"format", {kFormat, 4, 2020}},
        {"minimum", {kMinimum, 4, 2020}},
        {"maximum", {kMaximum, 4, 2020}},
        {"exclusiveMinimum", {kExclusiveMinimum, 4, 2020}},
        {"exclusiveMaximum", {kExclusiveMaximum, 4, 2020}},
        {"items", {kItems, 4, 2020}},
        {"prefixItems", {kPrefixItems, 2020, 2020}},
        {"minItems", {kMinItems, 4, 2020}},
        {"maxItems", {kMaxItems, 4, 2020}},
        {"uniqueItems", {kUniqueItems, 4, 2020}},
        {"contains", {kHard, 6, 2020}},
        {"properties", {kProperties, 4, 2020}},
        {"patternProperties", {kPatternProperties, 4, 2020}},
        {"additionalProperties", {kAdditionalProperties, 4, 2020}},
        {"required", {kRequired, 4, 2020}},
        {"minProperties", {kMinProperties, 4, 2020}},
        {"maxProperties", {kMaxProperties, 4, 2020}},
        {"propertyNames", {kHard, 6, 2020}},
        {"dependencies", {kHard, 4, 7}},
        {"dependentRequired", {kHard, 2019, 2020}},
        {"dependentSchemas", {kHard, 2019, 2020}},
        {"allOf", {kAllOf, 4, 2020}},
        {"anyOf", {kAnyOf, 4, 2020}},
        {"oneOf", {kOneOf, 4, 2020}},
        {"if", {kHard, 7, 2020}},
        {"$ref", {kRef, 4, 2020}},
        {"unevaluatedItems", {kHard, 2019, 2020}},
        {"unevaluatedProperties", {kHard, 2019, 2020}},
        {"$defs", {kDefs, 4, 2020}},
        {"definitions", {kDefinitions, 4, 2020}},
    };
    for (const char* name : {"multipleOf", "not", "$dynamicRef", "$recursiveRef", "$id", "$schema", "$anchor",
                             "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"}) {
      made[name] = {kHard, 4, 2020};
    }
    return made;
  }();
  return table;
}

}  // namespace gramspec
