// Where in the user's program something happened, for errors. The bindings supply Python's file and line.
#pragma once
#include <memory>
#include <string>
#include <utility>

namespace cinta {

struct Site {
  void *code = nullptr; // null: unknown
  int instruction = 0;
};
struct SiteHooks {
  Site (*here)() = nullptr;
  Site (*outside)() = nullptr; // of the library: the line of the user's that led here
  void (*drop)(Site) = nullptr;
  std::string (*describe)(Site) = nullptr;
};
inline SiteHooks site_hooks;

inline Site site_here() { return site_hooks.here ? site_hooks.here() : Site{}; }
inline Site site_outside() { return site_hooks.outside ? site_hooks.outside() : Site{}; }
inline void drop_site(Site &site) {
  if (site.code)
    site_hooks.drop(std::exchange(site, Site{}));
}
inline std::string describe(const Site &site) {
  return site.code ? site_hooks.describe(site) : std::string("an unknown line");
}

using SharedSite = std::shared_ptr<Site>; // null: none
inline SharedSite share(Site site) {      // takes it over
  return {new Site(site), [](Site *s) {
            drop_site(*s);
            delete s;
          }};
}
inline std::string describe(const SharedSite &site) { return site ? describe(*site) : std::string(); }

} // namespace cinta
