// cinta._core: the Tensor type, the operations, and what the library says about itself.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/function.h"
#include "bindings/replay.h"
#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"
#include "cinta/kernels/precision.h"
#include "cinta/tensor/allocator.h"

namespace py = pybind11;

namespace cinta::python {

void define_counters(PyObject *module);
void define_interchange(PyObject *module);

namespace {

constexpr const char *kPrecisions[] = {"strict", "highest", "high", "medium"};

py::dict float32_matmul() {
  const kernels::MatmulPaths &paths = kernels::matmul_paths();
  py::dict d;
  d["precision"] = kPrecisions[int(kernels::matmul_precision())];
  d["fma"] = paths.fma;
  d["split"] = paths.split;
  d["winograd"] = paths.winograd;
  d["out_of_range"] = paths.out_of_range;
  d["packed"] = paths.packed;
  return d;
}

void set_precision(const std::string &precision, bool shared) {
  for (int i = 0; i < int(std::size(kPrecisions)); ++i)
    if (precision == kPrecisions[i])
      return kernels::set_matmul_precision(kernels::Precision(i), shared);
  fail<ValueError>("[set_float32_matmul_precision] got \"", precision,
                   "\", expected \"strict\", \"highest\" (the default), \"high\" or \"medium\"");
}

py::dict config() {
  py::dict d;
  d["version"] = CINTA_VERSION;
  d["isa"] = kernels::table().isa;
  d["isa_reason"] = kernels::isa_reason();
  d["isa_available"] = kernels::available_isas();
  d["threads"] = num_threads();
  d["cuda"] = false;
  d["float32_matmul"] = float32_matmul();
  return d;
}

py::dict stats() {
  MemoryStats s = memory_stats();
  py::dict d;
  d["live"] = s.live;
  d["cached"] = s.cached;
  d["peak"] = s.peak;
  d["allocations"] = s.allocations;
  d["fresh"] = s.fresh;
  return d;
}

// Which levels have a kernel of their own for every elementwise op: name -> level -> whether the entry is filled.
py::dict kernel_coverage() {
  py::dict all;
  auto row = [&](const char *name, auto filled) {
    py::dict levels;
    for (const std::string &isa : kernels::available_isas())
      levels[py::str(isa)] = filled(kernels::table_of(isa.c_str()));
    all[name] = levels;
  };
  using kernels::Table, kernels::UnaryOp, kernels::BinaryOp, kernels::CompareOp;
  auto any = [](const auto &entries) { return entries[0] || entries[2]; };
#define CINTA_ROW(Struct, name) row(#name, [&](const Table &t) { return any(t.unary[int(UnaryOp::Struct)]); });
  CINTA_UNARY_OPS(CINTA_ROW)
#undef CINTA_ROW
#define CINTA_ROW(Struct, name) row(#name, [&](const Table &t) { return any(t.binary[int(BinaryOp::Struct)]); });
  CINTA_BINARY_OPS(CINTA_ROW)
#undef CINTA_ROW
#define CINTA_ROW(Struct, name) row(#name, [&](const Table &t) { return any(t.compare[int(CompareOp::Struct)]); });
  CINTA_COMPARE_OPS(CINTA_ROW)
#undef CINTA_ROW
  return all;
}

} // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of cinta; use it through `import cinta as ct`.";
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error)
        std::rethrow_exception(error);
    } catch (const Error &) {
      raise_current();
    }
  });
  kernels::table(); // a wrong CINTA_ISA is an error at import
  set_long_work_hooks({[]() -> void * { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; },
                       [](void *state) { PyEval_RestoreThread(static_cast<PyThreadState *>(state)); }});
  init_dtypes(m.ptr());
  init_tensor_type(m.ptr());
  define_creation();
  define_elementwise();
  define_reductions();
  define_shape();
  define_indexing();
  define_linear_algebra();
  define_nn();
  define_losses();
  define_conv();
  define_pool();
  define_resample();
  define_recurrent();
  define_attention();
  define_augment();
  m.def(
      "op_names", [names = std::vector<std::string>(function_names())] { return names; },
      "The names of all operations.");
  define_interchange(m.ptr());
  define_autodiff();
  define_optim();
  define_row_sparse();
  define_statistics();
  install_functions(m.ptr());
  define_random();
  py::module_ random =
      m.def_submodule("random", "Random numbers: counter-based (Philox), the same for any number of threads.");
  install_functions(random.ptr());
  define_replay(m.ptr());
  define_counters(m.ptr());
  define_watch(m.ptr());
  define_captured(m.ptr());
  m.attr("__version__") = CINTA_VERSION;
  m.def("config", config,
        "What was built and what runs here: version, ISA level and why, threads, CUDA; and how float32 products\n"
        "and convolutions were computed so far: the precision asked for, and how many went by float32 FMA, in\n"
        "bfloat16 parts (`split`), as 3x3 convolutions with fewer products (`winograd`), or in either way and then\n"
        "again by FMA (`out_of_range`); and how often a weight was packed ahead for products to share (`packed`).");
  m.def("memory_stats", stats,
        "What the allocator holds, in bytes, with blocks rounded up to their size class:\n\n"
        "live         in tensors that are alive (those of up to 64 bytes lie in their headers and do not count)\n"
        "cached       in freed blocks kept for the next tensor; empty_cache() gives them back\n"
        "peak         the most that was live since the start or reset_peak_memory()\n"
        "allocations  how many blocks were handed out so far\n"
        "fresh        how many of them came from the system and not from the cache: a steady loop takes none\n\n"
        ">>> import cinta as ct\n"
        ">>> before = ct.memory_stats()['live']\n"
        ">>> x = ct.zeros(1000)\n"
        ">>> ct.memory_stats()['live'] - before\n"
        "4096");
  m.def("reset_peak_memory", reset_peak_memory, "Lets the peak start again from what is live now.");
  m.def(
      "empty_cache",
      [] {
        replay::release_arena();
        empty_cache();
      },
      "Gives the allocator's cached blocks back to the system, and what compiled functions compute in.");
  m.def(
      "set_num_threads", [](int n) { set_num_threads(n); }, py::arg("n"), "How many threads operations may use.");
  m.def(
      "get_num_threads", [] { return num_threads(); }, "How many threads operations may use.");
  m.def("_set_float32_matmul_precision", set_precision, py::arg("precision"), py::arg("shared"));
  m.def(
      "get_float32_matmul_precision", [] { return kPrecisions[int(kernels::matmul_precision())]; },
      "How float32 products are computed: \"strict\", \"highest\", \"high\" or \"medium\".");
  m.def("kernel_coverage", kernel_coverage, "For every elementwise op and ISA level, whether it has a kernel.");
}

} // namespace cinta::python
