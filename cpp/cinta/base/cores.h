// How many threads are worth starting in this process.
#pragma once

namespace cinta {

// min(CPU affinity, cgroup CPU quota v1 or v2, physical cores), at least 1
int usable_cores();

} // namespace cinta
