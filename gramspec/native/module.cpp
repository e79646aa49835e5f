// Python face of the native core: gramspec._native. Thin; every argument is checked here or in Python.
// Cost: about 0.2 us a call.
// Source: architecture, "The automaton (native core)".
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <system_error>
#include <thread>

#include "bindings.hpp"
#include "engine.hpp"
#include "guarded.hpp"
#include "stored_grammar.hpp"
#include "survey.hpp"

namespace nb = nanobind;
using gramspec::Bounds;
using gramspec::ByteSet;
using gramspec::Configs;
using gramspec::Engine;
using gramspec::guarded;
using gramspec::guarded_long;
using gramspec::Id;

namespace {

using MaskRow = nb::ndarray<std::uint32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

std::string to_string(const nb::bytes& data) { return {data.c_str(), data.size()}; }
nb::bytes to_bytes(const std::string& data) { return nb::bytes(data.data(), data.size()); }

std::span<std::uint32_t> words(Engine& engine, const MaskRow& row) {
  const auto needed = (static_cast<std::size_t>(engine.trie.vocabulary_size()) + 31) / 32;
  if (row.shape(0) != needed) throw std::invalid_argument("a mask row has ceil(V / 32) words");
  return {row.data(), needed};
}

// The token bytes of a vocabulary, shared by its engines.
struct SharedTrie {
  std::shared_ptr<const gramspec::Trie> trie;
};

// An engine nobody refers to any more; the GIL is held. Giving back the memory of a large one takes a while,
// which nobody should wait for.
void retire(Engine* engine) {
  constexpr std::int64_t kLarge = 50'000;  // expressions and configurations: some milliseconds
  engine->expander = nullptr;
  if (engine->exprs.size() + engine->configs.size() < kLarge) {
    delete engine;
    return;
  }
  try {
    std::thread([engine] { delete engine; }).detach();
  } catch (const std::system_error&) {  // no thread to be had
    delete engine;
  }
}

void check_token(const Engine& engine, Id token) {
  if (token < 0 || token >= engine.trie.vocabulary_size())
    throw nb::index_error("token id outside the vocabulary");
}

using MarkedValues = std::vector<std::pair<Id, gramspec::Marks>>;
using PropertyTuple = std::tuple<nb::bytes, Id, Id, MarkedValues, bool, bool>;
using GroupTuple = std::tuple<Id, Id, MarkedValues>;

Id make_object(Engine& engine, const std::vector<PropertyTuple>& properties,
               const std::vector<GroupTuple>& groups, std::optional<Id> additional,
               const MarkedValues& marked, bool ordered, Id gap, Id free_key, std::int64_t least,
               std::optional<std::int64_t> most, gramspec::Marks marks) {
  gramspec::ObjectSpec spec;
  for (const auto& [name, key, value, alternatives, required, late] : properties) {
    spec.properties.push_back({to_string(name), key, {value, alternatives}, required, late});
  }
  for (const auto& [names, value, alternatives] : groups) {
    spec.groups.push_back({names, {value, alternatives}});
  }
  spec.additional = {additional.value_or(gramspec::Exprs::kEmptyId), marked};
  spec.ordered = ordered;
  spec.gap = gap;
  spec.free_key = free_key;
  spec.least = least;
  spec.most = most.value_or(gramspec::kInfinite);
  spec.marks = marks;
  return guarded(engine, [&] { return engine.objects.expr(engine.objects.add_spec(spec)); });
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Native core of gramspec: automata, configurations and token rows.";

  m.def("set_main_thread", &gramspec::set_main_thread, nb::arg("ident"),
        "Tell which thread signal handlers run in.");
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const gramspec::LimitExceeded& e) {
      const nb::object error = nb::module_::import_("gramspec.errors").attr("LimitError")(e.limit, e.what());
      PyErr_SetObject(reinterpret_cast<PyObject*>(error.type().ptr()), error.ptr());
    } catch (const gramspec::Cancelled& e) {
      const nb::object type = nb::module_::import_("gramspec.errors").attr("CancelledError");
      PyErr_SetString(type.ptr(), ((e.who.empty() ? "" : e.who + ": ") + "cancelled on request").c_str());
    }
  });

  m.def(
      "survey",
      [](const nb::handle root, int draft, bool declared, const std::vector<std::string>& inexact,
         const std::vector<std::string>& exact) -> std::tuple<bool, bool, nb::typed<nb::set, int>> {
        const gramspec::Survey found = gramspec::survey(
            root.ptr(), {draft, declared, {inexact.begin(), inexact.end()}, {exact.begin(), exact.end()}});
        nb::typed<nb::set, int> waiting;
        for (const void* schema : found.waiting) {
          waiting.add(nb::steal(PyLong_FromVoidPtr(const_cast<void*>(schema))));
        }
        return {found.local, found.surrogates, waiting};
      },
      nb::arg("root").none(), nb::arg("draft"), nb::arg("declared"), nb::arg("inexact"), nb::arg("exact"),
      "Whether a JSON Schema document names no parts of itself, whether it holds text that is no Unicode, "
      "and "
      "the ids of its schemas that may wait until a text reaches them.");
  gramspec::bind_matching(m);

  nb::class_<Bounds>(m, "Bounds")
      .def(nb::init<>())
      .def_rw("max_states", &Bounds::max_states)
      .def_rw("max_configurations", &Bounds::max_configurations)
      .def_rw("max_stack_depth", &Bounds::max_stack_depth)
      .def_rw("max_row_bytes", &Bounds::max_row_bytes)
      .def_rw("mask_steps", &Bounds::mask_steps)
      .def_rw("search_steps", &Bounds::search_steps)
      .def_rw("max_cache_bytes", &Bounds::max_cache_bytes)
      .def_rw("mask_seconds", &Bounds::mask_seconds);

  nb::class_<SharedTrie>(m, "Trie", "The token bytes of a vocabulary, shared by its engines.")
      .def(
          "__init__",
          [](SharedTrie* self, const std::vector<nb::bytes>& tokens) {
            std::vector<std::string> strings;
            strings.reserve(tokens.size());
            for (const nb::bytes& t : tokens) strings.push_back(to_string(t));
            const nb::gil_scoped_release unlocked;
            new (self) SharedTrie{std::make_shared<const gramspec::Trie>(strings)};
          },
          nb::arg("tokens"));

  nb::class_<Engine>(m, "Engine")
      .def(nb::new_([](const SharedTrie& trie, const Bounds& bounds, const std::vector<Id>& eos) {
             return std::shared_ptr<Engine>(new Engine(trie.trie, bounds, eos), retire);
           }),
           nb::arg("trie"), nb::arg("bounds"), nb::arg("eos_ids") = std::vector<Id>())
      // expressions
      .def(
          "byte_set",
          [](Engine& e, const nb::bytes& mask, bool spelled) {
            if (mask.size() != 32) throw std::invalid_argument("a byte set has 32 bytes");
            ByteSet set;
            const auto* data = reinterpret_cast<const std::uint8_t*>(mask.data());
            for (unsigned b = 0; b < 256; ++b) {
              if ((data[b >> 3] >> (b & 7U)) & 1U) set.set(b);
            }
            return guarded(e, [&] { return spelled ? e.exprs.all_bytes(set) : e.exprs.bytes(set); });
          },
          nb::arg("mask"), nb::arg("spelled") = false)
      .def("concat",
           [](Engine& e, const std::vector<Id>& items) {
             return guarded(e, [&] {
               Id out = gramspec::Exprs::kEpsilonId;
               for (auto it = items.rbegin(); it != items.rend(); ++it) out = e.exprs.concat(*it, out);
               return out;
             });
           })
      .def("union",
           [](Engine& e, const std::vector<Id>& items) {
             return guarded(e, [&] { return e.exprs.union_of(items); });
           })
      .def("repeat",
           [](Engine& e, Id item, std::int64_t lo, std::optional<std::int64_t> hi) {
             return guarded(e, [&] { return e.exprs.repeat(item, lo, hi.value_or(gramspec::kInfinite)); });
           })
      .def("intersect",
           [](Engine& e, const std::vector<Id>& items) {
             return guarded(e, [&] { return e.exprs.and_of(items); });
           })
      .def("complement", [](Engine& e, Id item) { return guarded(e, [&] { return e.exprs.not_of(item); }); })
      .def("call", [](Engine& e, Id item) { return guarded(e, [&] { return e.exprs.call(item); }); })
      .def("machine",
           [](Engine& e, const std::vector<std::vector<std::pair<Id, Id>>>& arcs,
              const std::vector<bool>& accepting) {
             return guarded_long(e, [&] { return e.exprs.machine(arcs, accepting); });
           })
      .def(
          "number",
          [](Engine& e, std::int32_t most_exponent, const std::optional<std::string>& low, bool low_strict,
             const std::optional<std::string>& high, bool high_strict, bool fraction,
             std::optional<std::int32_t> place, std::int32_t coprime, std::int32_t base, std::int32_t power,
             const std::vector<std::int32_t>& others) {
            gramspec::NumberSpec spec;
            spec.between(low, low_strict, high, high_strict);
            spec.most_exponent = most_exponent;
            spec.fraction = spec.exponents = fraction;
            spec.place = place;
            spec.coprime = coprime;
            spec.base = base;
            spec.power = power;
            spec.others = others;
            return guarded(e, [&] { return e.exprs.number(spec); });
          },
          nb::arg("most_exponent"), nb::arg("low").none(), nb::arg("low_strict"), nb::arg("high").none(),
          nb::arg("high_strict"), nb::arg("fraction"), nb::arg("place").none(), nb::arg("coprime"),
          nb::arg("base"), nb::arg("power"), nb::arg("others"))
      .def("text_spellings",
           [](Engine& e, const std::string& text) {
             return guarded(e, [&] { return e.exprs.text_spellings(text); });
           })
      .def("token", [](Engine& e, Id token) { return guarded(e, [&] { return e.exprs.token(token); }); })
      .def(
          "token_set",
          [](Engine& e, const std::vector<Id>& tokens) {
            for (const Id token : tokens) check_token(e, token);
            return guarded(e, [&] {
              std::vector<std::uint32_t> bits(e.words(), 0);
              for (const Id token : tokens) gramspec::set_bit(bits, token);
              return e.exprs.token_set(bits);
            });
          },
          "One token out of some, by their ids.")
      .def(
          "edge_tokens",
          [](Engine& e, Id edge) {
            return guarded(e, [&] {
              std::vector<Id> tokens;
              for (Id token = 0; token < e.trie.vocabulary_size(); ++token) {
                if (e.exprs.edge_has(edge, token)) tokens.push_back(token);
              }
              return tokens;
            });
          },
          "The ids that a token edge of `partition_head` stands for.")
      .def("new_rule",
           [](Engine& e, const std::string& name) {
             return guarded(e, [&] { return e.exprs.new_rule(name); });
           })
      .def("new_deferred_rule",
           [](Engine& e, const std::string& name) {
             return guarded(e, [&] { return e.exprs.new_deferred_rule(name); });
           })
      .def("expand",
           [](Engine& e, Id rule, Id body) { guarded_long(e, [&] { e.exprs.expand(rule, body); }); })
      .def_prop_ro("everything_writable", [](Engine& e) { return e.exprs.everything_writable(); })
      .def("rule", [](Engine& e, Id rule) { return guarded(e, [&] { return e.exprs.rule_expr(rule); }); })
      .def("define", [](Engine& e, Id rule, Id body) { guarded(e, [&] { e.exprs.set_body(rule, body); }); })
      .def("finalise",
           [](Engine& e, const std::vector<Id>& rules) { guarded_long(e, [&] { e.exprs.finalise(rules); }); })
      .def("json_object", &make_object, nb::arg("properties"), nb::arg("groups"),
           nb::arg("additional").none(), nb::arg("marked"), nb::arg("ordered"), nb::arg("gap"),
           nb::arg("free_key"), nb::arg("least"), nb::arg("most").none(), nb::arg("marks"))
      .def_prop_ro("complete", [](Engine& e) { return e.complete; })
      .def("live", [](Engine& e, Id expr) { return guarded_long(e, [&] { return e.exprs.live(expr); }); })
      .def("shortest",
           [](Engine& e, Id expr) -> std::optional<std::int64_t> {
             const std::int64_t n = guarded_long(e, [&] { return e.exprs.shortest(expr); });
             if (n >= gramspec::kUnreachable) return std::nullopt;
             return n;
           })
      // loading
      .def(
          "exclusively",
          [](Engine& e, const nb::typed<nb::callable, nb::object()>& load, double seconds,
             const gramspec::CancelFlag* cancelled) -> nb::object {
            const gramspec::Entered entered(e);
            const gramspec::Fuel::Call call(e.fuel, {"compile_seconds", seconds, cancelled},
                                            gramspec::signals(nullptr));
            return load();
          },
          nb::arg("load"), nb::arg("seconds") = 0.0, nb::arg("cancelled").none() = nb::none(),
          "Call a function that nobody else's calls of this engine come between.")
      .def(
          "on_rule_needed",
          [](Engine& e, const nb::typed<nb::callable, void(Id)>& load) {
            e.expander = [load](Id rule) { load(rule); };
          },
          "Set what loads the body of a rule, by its number, when a call needs it.")
      // configurations
      .def("start",
           [](Engine& e, Id expr) {
             return guarded(e, [&] { return e.configs.start(expr, Configs::kBottom); });
           })
      .def("advance",
           [](Engine& e, Id config, Id token) {
             check_token(e, token);
             return guarded(e, [&] { return e.advance(config, token); });
           })
      .def("advance_bytes",
           [](Engine& e, Id config, const nb::bytes& data) {
             const std::string_view text(data.c_str(), data.size());
             return guarded(e, [&] { return e.advance_bytes(config, text); });
           })
      .def("advance_edge",
           [](Engine& e, Id config, Id token) {
             return guarded(e, [&] { return e.configs.step_token(config, token); });
           })
      .def("accepts",
           [](Engine& e, Id config) { return guarded(e, [&] { return e.configs.closed(config).accepts; }); })
      .def("live_bytes",
           [](Engine& e, Id config) {
             const std::string out = guarded_long(e, [&] {
               std::string bytes;
               const ByteSet live = e.configs.closed(config).live;
               for (unsigned b = 0; b < 256; ++b) {
                 if (live.test(b) && e.configs.step(config, static_cast<std::uint8_t>(b)) != Configs::kDead) {
                   bytes.push_back(static_cast<char>(b));
                 }
               }
               return bytes;
             });
             return to_bytes(out);
           })
      .def("has_token_edges",
           [](Engine& e, Id config) {
             return guarded(e, [&] { return !e.configs.closed(config).tokens.empty(); });
           })
      // masks
      .def("mask",
           [](Engine& e, Id config, bool complete, const MaskRow& row) {
             const std::span<std::uint32_t> out = words(e, row);
             guarded_long(e, [&] { e.search.mask(config, complete, out); });
           })
      .def("prepare", [](Engine& e, Id expr) { guarded_long(e, [&] { e.rows.prepare(expr); }); })
      .def("viable",
           [](Engine& e, Id config, bool complete, std::int64_t remaining, bool exact, const MaskRow& row) {
             const std::span<std::uint32_t> out = words(e, row);
             guarded_long(e, [&] { e.search.viable(config, complete, remaining, exact, out); });
           })
      .def("token_live",
           [](Engine& e, Id config) { return guarded_long(e, [&] { return e.search.token_live(config); }); })
      .def("fewest_tokens",
           [](Engine& e, Id config, bool complete, std::int64_t cap) {
             return guarded_long(e, [&] { return e.search.fewest_tokens(config, complete, cap); });
           })
      .def("within",
           [](Engine& e, Id config, bool complete, std::int64_t cap) {
             return guarded_long(e, [&] { return e.search.within(config, complete, cap); });
           })
      .def("fewest_tokens_bound",
           [](Engine& e, Id config) {
             return guarded_long(e, [&] { return e.search.fewest_tokens_bound(config); });
           })
      .def("shortest_completion",
           [](Engine& e, Id config, std::size_t cap) -> std::optional<nb::bytes> {
             std::string out;
             const bool found =
                 guarded_long(e, [&] { return e.search.shortest_completion(config, cap, out); });
             if (!found) return std::nullopt;
             return to_bytes(out);
           })
      // figures
      .def_prop_rw(
          "shortcuts", [](Engine& e) { return e.rows.shortcuts; },
          [](Engine& e, bool on) { e.rows.shortcuts = on; })
      .def_prop_ro("states", [](Engine& e) { return guarded(e, [&] { return e.exprs.size(); }); })
      .def_prop_ro("configurations", [](Engine& e) { return guarded(e, [&] { return e.configs.size(); }); })
      .def_prop_ro("configurations_used",
                   [](Engine& e) { return guarded(e, [&] { return e.configs.used(); }); })
      .def_prop_ro(
          "exhausted", [](Engine& e) { return e.exhausted.load(std::memory_order_relaxed); },
          "Whether half of what the engine may hold is used.")
      .def_prop_ro("serial", [](Engine& e) { return e.serial; })
      .def_prop_ro("masks_stored", [](Engine& e) { return guarded(e, [&] { return e.masks.stored(); }); })
      .def_prop_ro("masks_evicted", [](Engine& e) { return guarded(e, [&] { return e.masks.evicted(); }); })
      .def_prop_ro("mask_bytes", [](Engine& e) { return e.masks.bytes(); })
      .def_prop_ro("row_bytes", [](Engine& e) { return guarded(e, [&] { return e.rows.bytes(); }); })
      .def_prop_ro("bytes",
                   [](Engine& e) {
                     return guarded(e, [&] {
                       return e.rows.bytes() + 300 * e.configs.size() + 1024 * e.configs.tables() +
                              150 * e.exprs.size();
                     });
                   })
      .def_prop_ro("rows_cold", [](Engine& e) { return guarded(e, [&] { return e.rows.cold_rows(); }); })
      .def_prop_ro("rows_spliced",
                   [](Engine& e) { return guarded(e, [&] { return e.rows.spliced_rows(); }); })
      .def_prop_ro("rows_counted",
                   [](Engine& e) { return guarded(e, [&] { return e.rows.counted_rows(); }); })
      .def_prop_ro("trie_nodes", [](Engine& e) { return e.trie.nodes(); });
  gramspec::bind_partition(m);
  gramspec::bind_stored(m);
}
