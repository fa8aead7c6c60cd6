// Comparisons: the result is a mask, stored as one byte per element, 0 or 1. NaN is unequal to everything.

struct Equal {
  static constexpr auto doc = "y = a == b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a == b; }
};

struct NotEqual {
  static constexpr auto doc = "y = a != b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a != b; }
};

struct Less {
  static constexpr auto doc = "y = a < b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a < b; }
};

struct LessEqual {
  static constexpr auto doc = "y = a <= b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a <= b; }
};

struct Greater {
  static constexpr auto doc = "y = a > b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a > b; }
};

struct GreaterEqual {
  static constexpr auto doc = "y = a >= b";
  template <class T> CINTA_FN static auto forward(T a, T b) { return a >= b; }
};
