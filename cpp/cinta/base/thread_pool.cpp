// The pool behind parallel_for. Blocks are claimed one by one from an atomic counter by whoever is free, the caller
// included, so a slow neighbour holds up at most the block it is in.
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <thread>

#include "cinta/base/check.h"
#include "cinta/base/cores.h"
#include "cinta/base/parallel.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define CINTA_HAS_FORK 1
#endif

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace cinta {
namespace {

constexpr double kFanOutNs = 20000; // below this, waking a thread costs more than it brings
constexpr auto kSpin = std::chrono::microseconds(20);
constexpr int kMaxThreads = 1024;
constexpr size_t kHugePage = 2 << 20;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Polls `done` for about kSpin; a clock is read only every 32 polls.
template <class Done> bool spin_until(Done done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done())
        return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

thread_local bool inside_body = false;

struct Job {
  int64_t blocks;
  void (*body)(void *, int64_t);
  void *context;
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;

  void work() {
    inside_body = true;
    for (int64_t block; (block = next.fetch_add(1, std::memory_order_relaxed)) < blocks;) {
      try {
        body(context, block);
      } catch (...) {
        if (!failed.exchange(true))
          error = std::current_exception();
        next.store(blocks, std::memory_order_relaxed);
      }
    }
    inside_body = false;
  }
};

// The threads of one pool size. Shared with them, so that it outlives a change of size until the last has left.
struct Crew {
  std::atomic<uint32_t> epoch{0}; // rises with every job, and once to dismiss
  std::atomic<Job *> job{nullptr};
  std::atomic<uint32_t> active{0}; // workers that may be looking at `job`
  std::atomic<bool> dismissed{false};

  // Counting itself in before reading `job`, against the caller clearing `job` before reading the count:
  // sequentially consistent on both sides, so no worker can hold a job whose caller has gone on.
  void join() {
    active.fetch_add(1);
    if (Job *current = job.load())
      current->work();
    if (active.fetch_sub(1) == 1)
      active.notify_one();
  }

  void stay() {
    for (uint32_t seen = 0;;) {
      if (!spin_until([&] { return epoch.load() != seen; }))
        epoch.wait(seen);
      seen = epoch.load();
      if (dismissed.load())
        return;
      join();
    }
  }

  void run(Job &work, int helpers) {
    job.store(&work);
    epoch.fetch_add(1);
    if (work.blocks - 1 < helpers)
      for (int64_t i = 1; i < work.blocks; ++i)
        epoch.notify_one();
    else
      epoch.notify_all();
    work.work();
    job.store(nullptr);
    const auto quiet = [&] { return active.load() == 0; };
    if (!spin_until(quiet))
      for (uint32_t left; (left = active.load()) != 0;)
        active.wait(left);
  }

  void dismiss() {
    dismissed.store(true);
    epoch.fetch_add(1);
    epoch.notify_all();
  }
};

// Never destroyed: threads may still sleep on it while the process exits.
struct Pool {
  std::atomic<bool> busy{false};
  std::atomic<int> threads{0}; // 0: not decided yet
  std::shared_ptr<Crew> *crew = new std::shared_ptr<Crew>();
  int crew_threads = 1; // the caller is one of them

  void resize(int wanted) {
    if (*crew)
      (*crew)->dismiss();
    *crew = std::make_shared<Crew>();
    crew_threads = wanted;
    try {
      for (int i = 1; i < wanted; ++i)
        std::thread([kept = *crew] { kept->stay(); }).detach();
    } catch (const std::system_error &) {
      // The system refuses more threads: results do not depend on how many there are, so go on with those that started.
    }
  }

  // A child of fork has only the thread that forked: forget the others (their crew is leaked) and start afresh.
  void forget() {
    crew = new std::shared_ptr<Crew>();
    crew_threads = 1;
    busy.store(false);
  }
};

Pool &pool() {
  static Pool *const the_pool = [] {
    Pool *made = new Pool();
#ifdef CINTA_HAS_FORK
    pthread_atfork(nullptr, nullptr, [] { pool().forget(); });
#endif
    return made;
  }();
  return *the_pool;
}

void run_serially(int64_t blocks, void (*body)(void *, int64_t), void *context) {
  for (int64_t block = 0; block < blocks; ++block)
    body(context, block);
}

int default_threads() {
  const char *text = std::getenv("CINTA_NUM_THREADS");
  if (!text || !*text)
    return usable_cores();
  int n = 0;
  const char *end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, n);
  if (error != std::errc() || stop != end || n < 1 || n > kMaxThreads)
    fail<ValueError>("[num_threads] got CINTA_NUM_THREADS=", text, ", expected a whole number from 1 to ", kMaxThreads,
                     " (unset it to use every core)");
  return n;
}

LongWorkHooks long_work_hooks;

struct LongWork { // for the time of a call
  void *token = nullptr;
  explicit LongWork(double cost_ns)
      : token(cost_ns >= 1e5 && long_work_hooks.begin ? long_work_hooks.begin() : nullptr) {}
  ~LongWork() {
    if (token)
      long_work_hooks.end(token);
  }
  LongWork(const LongWork &) = delete;
  LongWork &operator=(const LongWork &) = delete;
};

struct Free {
  std::align_val_t alignment;
  void operator()(void *memory) const { ::operator delete(memory, alignment); }
};

struct ScratchBuffer {
  std::unique_ptr<void, Free> memory;
  size_t bytes = 0;
};

} // namespace

void set_long_work_hooks(const LongWorkHooks &hooks) { long_work_hooks = hooks; }

void parallel_for(int64_t blocks, double cost_ns, void (*body)(void *, int64_t), void *context) {
  if (inside_body || cost_ns < kFanOutNs)
    return run_serially(blocks, body, context);
  const LongWork scope(cost_ns);
  if (blocks <= 1)
    return run_serially(blocks, body, context);
  const int threads = num_threads();
  Pool &the_pool = pool();
  if (threads == 1 || the_pool.busy.exchange(true))
    return run_serially(blocks, body, context);
  if (the_pool.crew_threads != threads)
    the_pool.resize(threads);
  Job job{blocks, body, context, {}, {}, {}};
  (*the_pool.crew)->run(job, the_pool.crew_threads - 1);
  the_pool.busy.store(false);
  if (job.error)
    std::rethrow_exception(job.error);
}

void *scratch(Scratch slot, size_t bytes) {
  static thread_local ScratchBuffer buffers[int(Scratch::count)];
  ScratchBuffer &buffer = buffers[int(slot)];
  if (bytes > buffer.bytes || !buffer.memory) {
    const size_t wanted = bytes + bytes / 4; // grows by a quarter, so slow growth stays cheap
    const size_t page = wanted >= kHugePage / 2 ? kHugePage : 4096, grown = (wanted + page - 1) / page * page;
    const Free free{std::align_val_t(page)};
    buffer.memory.reset();
    buffer.bytes = 0;
    buffer.memory = std::unique_ptr<void, Free>(::operator new(grown, free.alignment), free);
    buffer.bytes = grown;
#ifdef __linux__
    if (page == kHugePage)
      madvise(buffer.memory.get(), grown, MADV_HUGEPAGE); // a hint: packed panels of 4 MB are 1024 small pages
#endif
  }
  return buffer.memory.get();
}

int num_threads() {
  std::atomic<int> &threads = pool().threads;
  int n = threads.load(std::memory_order_relaxed);
  if (n == 0) {
    int undecided = 0;
    n = default_threads();
    if (!threads.compare_exchange_strong(undecided, n))
      n = undecided;
  }
  return n;
}

void set_num_threads(int n) {
  if (n < 1 || n > kMaxThreads)
    fail<ValueError>("[set_num_threads] got ", n, ", expected a number from 1 to ", kMaxThreads);
  pool().threads.store(n);
}

} // namespace cinta
