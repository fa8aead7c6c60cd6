// The thread pool's promises: every block once, errors carried home, nested and competing calls, fork.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cinta/base/check.h"
#include "cinta/base/cores.h"
#include "cinta/base/parallel.h"
#include "cinta/kernels/dispatch.h"

#ifdef __unix__
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace {

constexpr double kWorthIt = 1e6; // ns: enough for the pool to be used

// Counts visits of each block, and of each block of a nested loop.
bool visits_each_once(int64_t blocks) {
  struct Counts {
    std::vector<std::atomic<int>> outer;
    std::atomic<int64_t> inner{0};
  } counts{std::vector<std::atomic<int>>(static_cast<size_t>(blocks)), {}};
  const auto body = [](void *context, int64_t block) {
    Counts &c = *static_cast<Counts *>(context);
    ++c.outer[static_cast<size_t>(block)];
    const auto nested = [](void *inner, int64_t) { ++*static_cast<std::atomic<int64_t> *>(inner); };
    cinta::parallel_for(3, kWorthIt, nested, &c.inner);
  };
  cinta::parallel_for(blocks, kWorthIt, body, &counts);
  for (const auto &count : counts.outer)
    if (count != 1)
      return false;
  return counts.inner == 3 * blocks;
}

} // namespace

TEST_CASE("parallel_for visits every block once, on any number of threads") {
  for (int threads : {1, 2, 3, 8, 2}) {
    cinta::set_num_threads(threads);
    CHECK(cinta::num_threads() == threads);
    for (int64_t blocks : {0, 1, 2, 7, 1000})
      CHECK(visits_each_once(blocks));
  }
}

TEST_CASE("small work stays on the caller's thread") {
  cinta::set_num_threads(4);
  std::vector<std::thread::id> seen(50);
  const auto body = [](void *context, int64_t block) {
    static_cast<std::thread::id *>(context)[block] = std::this_thread::get_id();
  };
  cinta::parallel_for(50, 100, body, seen.data());
  CHECK(seen == std::vector<std::thread::id>(50, std::this_thread::get_id()));
}

TEST_CASE("what a body throws reaches the caller, and the pool works on") {
  cinta::set_num_threads(3);
  const auto body = [](void *, int64_t block) {
    if (block == 5)
      cinta::fail<cinta::ValueError>("block ", block);
  };
  CHECK_THROWS_WITH_AS(cinta::parallel_for(20, kWorthIt, body, nullptr), "block 5", cinta::ValueError);
  CHECK(visits_each_once(100));
}

TEST_CASE("several callers at once") {
  cinta::set_num_threads(3);
  std::atomic<int> right{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round)
        right += visits_each_once(9);
    });
  for (std::thread &caller : callers)
    caller.join();
  CHECK(right == 800);
}

#ifdef __unix__
TEST_CASE("a child of fork starts its own threads") {
  cinta::set_num_threads(3);
  REQUIRE(visits_each_once(50));
  const pid_t child = fork();
  if (child == 0)
    _exit(visits_each_once(50) ? 0 : 1);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  CHECK(visits_each_once(50));
}
#endif

TEST_CASE("thread counts and ISA levels out of range are errors") {
  CHECK(cinta::usable_cores() >= 1);
  CHECK_THROWS_AS(cinta::set_num_threads(0), cinta::ValueError);
  CHECK_THROWS_AS(cinta::set_num_threads(1025), cinta::ValueError);
  CHECK_THROWS_WITH_AS(cinta::kernels::table_of("avx3"), doctest::Contains("scalar"), cinta::RuntimeError);
  for (const std::string &isa : cinta::kernels::available_isas())
    CHECK(cinta::kernels::table_of(isa.c_str()).isa == isa);
}

TEST_CASE("scratch is aligned, kept, and one buffer per slot") {
  void *first = cinta::scratch(cinta::Scratch::tile, 1000);
  CHECK(reinterpret_cast<uintptr_t>(first) % 64 == 0);
  CHECK(cinta::scratch(cinta::Scratch::tile, 500) == first);
  CHECK(cinta::scratch(cinta::Scratch::conv, 1000) != first);
  auto *large = static_cast<char *>(cinta::scratch(cinta::Scratch::tile, 3000000));
  large[0] = large[2999999] = 1;
  CHECK(reinterpret_cast<uintptr_t>(large) % 64 == 0);
}
