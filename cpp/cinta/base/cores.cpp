#include "cinta/base/cores.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace cinta {
namespace {

#ifdef __linux__
// Allowed CPUs, counted once per core: hyper-threads share their siblings' list.
int allowed_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return int(std::thread::hardware_concurrency());
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed))
      continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings))
      siblings = "cpu" + std::to_string(cpu);
    cores.insert(siblings);
  }
  return int(cores.size());
}

// cgroup v2: "quota period" or "max period" in one file
double quota_v2(const std::string &folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota, period;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

// cgroup v1: two files, quota -1 for none
double quota_v1(const std::string &folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota, period;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : HUGE_VAL;
}

// A limit set on any ancestor binds too, so every folder from the process's own group up to the root is asked.
double tightest(const std::string &root, std::string group, double (*quota)(const std::string &)) {
  double least = HUGE_VAL;
  for (;;) {
    least = std::min(least, quota(root + group));
    const size_t slash = group.find_last_of('/');
    if (group.empty() || slash == std::string::npos)
      return least;
    group.resize(slash);
  }
}

double cgroup_quota() {
  double least = HUGE_VAL;
  std::ifstream groups("/proc/self/cgroup"); // lines "id:controllers:path"
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty())
      least = std::min(least, tightest("/sys/fs/cgroup", group, quota_v2));
    std::istringstream names(controllers);
    for (std::string name; std::getline(names, name, ',');)
      if (name == "cpu")
        for (const std::string &mount : {std::string("cpu"), controllers})
          least = std::min(least, tightest("/sys/fs/cgroup/" + mount, group, quota_v1));
  }
  return least;
}
#else
int allowed_cores() { return int(std::thread::hardware_concurrency()); }
double cgroup_quota() { return HUGE_VAL; }
#endif

} // namespace

int usable_cores() {
  const double cores = std::min(double(allowed_cores()), std::ceil(cgroup_quota()));
  return int(std::clamp(cores, 1.0, 1024.0));
}

} // namespace cinta
