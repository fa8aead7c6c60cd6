// CINTA_WITH_AVX2 and CINTA_WITH_AVX512 are defined by the build where those levels were compiled.
#include "cinta/kernels/dispatch.h"

#include <cstdlib>
#include <cstring>

#include "cinta/base/check.h"
#include "cinta/kernels/cpu/families.h"
#include "cinta/kernels/gemm_activation.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define CINTA_DECLARE(family) void fill_##family(Table &);
namespace cinta::kernels::scalar {
CINTA_SCALAR_FAMILIES(CINTA_DECLARE)
}
namespace cinta::kernels::avx2 {
CINTA_AVX2_FAMILIES(CINTA_DECLARE)
}
namespace cinta::kernels::avx512 {
CINTA_AVX512_FAMILIES(CINTA_DECLARE)
}
namespace cinta::kernels::amx {
CINTA_AMX_FAMILIES(CINTA_DECLARE)
}
#undef CINTA_DECLARE

namespace cinta::kernels {
namespace {

struct Features {
  bool avx2 = false, avx512 = false, amx = false;
  bool amx_refused = false; // the CPU has tiles, the system does not let us use them
};

#if defined(__x86_64__)
// Tiles are 8 KB of registers, which Linux saves only for a process that asked.
bool permit_tiles() {
#ifdef SYS_arch_prctl
  const long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}
#endif

// A level needs the CPU's instructions and an operating system that saves their registers (XCR0).
Features detect() {
  Features found;
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d))
    return found;
  const unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29;
  if ((c & (osxsave | avx | fma | f16c)) != (osxsave | avx | fma | f16c))
    return found;
  unsigned saved, high;
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
    return found;
  const unsigned ymm = 0x06, zmm = 0xe6, avx2 = 1u << 5;
  const unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; // F, DQ, BW, VL
  found.avx2 = (b & avx2) && (saved & ymm) == ymm;
  found.avx512 = found.avx2 && (b & avx512) == avx512 && (saved & zmm) == zmm;
  const unsigned tiles = 0x60000, amx = 1u << 22 | 1u << 24; // bf16, tile
  if (found.avx512 && (d & amx) == amx && (saved & tiles) == tiles) {
    found.amx = permit_tiles();
    found.amx_refused = !found.amx;
  }
#endif
  return found;
}

#define CINTA_FILL(family) fill_##family(table);
void fill_scalar(Table &table) {
  using namespace scalar;
  CINTA_SCALAR_FAMILIES(CINTA_FILL)
}
#ifdef CINTA_WITH_AVX2
void fill_avx2(Table &table) {
  using namespace avx2;
  CINTA_AVX2_FAMILIES(CINTA_FILL)
}
#endif
#ifdef CINTA_WITH_AVX512
void fill_avx512(Table &table) {
  using namespace avx512;
  CINTA_AVX512_FAMILIES(CINTA_FILL)
}
#endif
#ifdef CINTA_WITH_AMX
void fill_amx(Table &table) {
  using namespace amx;
  CINTA_AMX_FAMILIES(CINTA_FILL)
  activate_after_gemm(table);
}
#endif
#undef CINTA_FILL

struct Levels {
  const Features cpu = detect();
  std::vector<Table> tables; // from the slowest to the best

  Levels() {
    tables.reserve(4);
    add("scalar", true, fill_scalar);
#ifdef CINTA_WITH_AVX2
    add("avx2", cpu.avx2, fill_avx2);
#endif
#ifdef CINTA_WITH_AVX512
    add("avx512", cpu.avx512, fill_avx512);
#endif
#ifdef CINTA_WITH_AMX
    add("amx", cpu.amx, fill_amx);
#endif
  }

  // A level starts as the one below and overrides entries, so a partial port is complete.
  void add(const char *isa, bool runs_here, void (*fill)(Table &)) {
    if (!runs_here)
      return;
    tables.push_back(tables.empty() ? Table() : tables.back());
    tables.back().isa = isa;
    fill(tables.back());
  }
};

const Levels &levels() {
  static const Levels the_levels;
  return the_levels;
}

const char *forced_isa() {
  const char *isa = std::getenv("CINTA_ISA");
  return isa && *isa ? isa : nullptr;
}

const Table *find(const char *isa) {
  for (const Table &table : levels().tables)
    if (std::strcmp(table.isa, isa) == 0)
      return &table;
  return nullptr;
}

[[noreturn]] void fail_unavailable(const char *origin, const char *isa) {
  std::string names;
  for (const std::string &name : available_isas())
    names += (names.empty() ? "" : ", ") + name;
  fail<RuntimeError>("[isa] got ", origin, isa,
                     ", expected a level that is built in and runs on this machine: ", names);
}

} // namespace

const Table &table_of(const char *isa) {
  const Table *found = find(isa);
  if (!found)
    fail_unavailable("", isa);
  return *found;
}

const Table &table() {
  static const Table &chosen = []() -> const Table & {
    const char *forced = forced_isa();
    const Table *found = forced ? find(forced) : &levels().tables.back();
    if (!found)
      fail_unavailable("CINTA_ISA=", forced);
    return *found;
  }();
  return chosen;
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Table &table : levels().tables)
    names.push_back(table.isa);
  return names;
}

const char *isa_reason() {
  static const std::string reason = forced_isa() ? std::string("forced by CINTA_ISA=") + table().isa
                                    : levels().cpu.amx_refused
                                        ? std::string("the system refused AMX; best of what is left")
                                        : std::string("best of this CPU");
  return reason.c_str();
}

} // namespace cinta::kernels
