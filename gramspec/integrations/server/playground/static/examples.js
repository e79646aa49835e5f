// Examples: what the embedded model knows how to answer, and grammars that make a point.

const json = (schema) => JSON.stringify(schema, null, 2);

export const KINDS = {
  json_schema: "JSON Schema",
  regex: "Regular expression",
  choice: "Choices, one a line",
  lark: "Lark",
  gbnf: "GBNF",
  sql: "SQL tables (DDL)",
  structural_tag: "Structural tag",
};

export const EXAMPLES = [
  {
    name: "Sentiment: one of three words",
    kind: "regex",
    text: "(Positive|Negative|Neutral)\\.?",
    prompt: 'Sentiment of "I love this guitar": positive, negative or neutral?\n',
    max: 8,
    temperature: 1.3,
  },
  {
    name: "Dice beyond six: the two laws hardly meet",
    kind: "regex",
    text: "\\[([7-9]|1[0-2])(,([7-9]|1[0-2]))?\\]",
    prompt: "Roll 2 dice. Answer with a JSON array.\n",
    typed: "[",
    max: 8,
    temperature: 1.5,
  },
  {
    name: "A user as a JSON object",
    kind: "json_schema",
    whitespace: "compact",
    text: json({
      type: "object",
      properties: {
        name: { type: "string", minLength: 1, maxLength: 30 },
        age: { type: "integer", minimum: 0, maximum: 120 },
        email: { type: "string", format: "email" },
      },
      required: ["name", "age"],
      additionalProperties: false,
    }),
    prompt: "Write a JSON object for a user with name, age and email.\n",
    max: 48,
  },
  {
    name: "SQL over two tables",
    kind: "sql",
    text:
      "CREATE TABLE customers (\n  id INTEGER, name TEXT, city TEXT, age INTEGER\n);\n" +
      "CREATE TABLE orders (\n  id INTEGER, customer_id INTEGER, total REAL, status TEXT\n);\n",
    prompt: "SQL: names of customers in Berlin older than 30.\n",
    max: 40,
  },
  {
    name: "Arithmetic in Lark",
    kind: "lark",
    text: 'start: sum\nsum: term (("+" | "-") term)*\nterm: NUMBER | "(" sum ")"\nNUMBER: /[0-9]{1,3}/\n',
    prompt: "What is 3 + 4?\n",
    max: 12,
    temperature: 1.5,
  },
  {
    name: "A die in words, in GBNF",
    kind: "gbnf",
    text: 'root  ::= face | digit\nface  ::= "one" | "two" | "three" | "four" | "five" | "six"\ndigit ::= [1-6]\n',
    prompt: "Roll a die.\n",
    max: 6,
    temperature: 1.5,
  },
];
