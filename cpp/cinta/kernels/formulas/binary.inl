// Functions of two numbers, each with its derivatives: see unary.inl. saves_a and saves_b: what vjp_a and vjp_b read.

struct Add {
  static constexpr auto doc = "y = a + b";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesNothing, saves_b = kSavesNothing;
  template <class T> CINTA_FN static T forward(T a, T b) { return a + b; }
  template <class T> CINTA_FN static T vjp_a(T, T, T, T dy) { return dy; }
  template <class T> CINTA_FN static T vjp_b(T, T, T, T dy) { return dy; }
};

struct Sub {
  static constexpr auto doc = "y = a - b";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesNothing, saves_b = kSavesNothing;
  template <class T> CINTA_FN static T forward(T a, T b) { return a - b; }
  template <class T> CINTA_FN static T vjp_a(T, T, T, T dy) { return dy; }
  template <class T> CINTA_FN static T vjp_b(T, T, T, T dy) { return -dy; }
};

struct Mul {
  static constexpr auto doc = "y = a b";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesB, saves_b = kSavesA;
  template <class T> CINTA_FN static T forward(T a, T b) { return a * b; }
  template <class T> CINTA_FN static T vjp_a(T, T b, T, T dy) { return dy * b; }
  template <class T> CINTA_FN static T vjp_b(T a, T, T, T dy) { return dy * a; }
};

struct Div {
  static constexpr auto doc = "y = a / b";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves_a = kSavesB, saves_b = kSavesB | kSavesY;
  template <class T> CINTA_FN static T forward(T a, T b) { return a / b; }
  template <class T> CINTA_FN static T vjp_a(T, T b, T, T dy) { return dy / b; }
  template <class T> CINTA_FN static T vjp_b(T, T b, T y, T dy) { return -dy * y / b; }
};

struct Pow {
  static constexpr auto doc = "y = a^b; for integers b < 0 rounds toward zero";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesA | kSavesB, saves_b = kSavesA | kSavesB | kSavesY;
  template <class T> CINTA_FN static T forward(T a, T b) { return pow(a, b); }
  template <class T> CINTA_FN static T vjp_a(T a, T b, T, T dy) {
    T exponent = select(b == T(0), T(1), b - T(1)); // of a^0 the derivative is 0, also at a = 0
    return select(b == T(0), T(0), dy * b * pow(a, exponent));
  }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T y, T dy) {
    auto flat = (a == T(0)) & (b >= T(0)); // 0^b does not move with b
    return select(flat, T(0), dy * y * log(select(flat, T(1), a)));
  }
};

struct Minimum {
  static constexpr auto doc =
      "y = the smaller of a and b, NaN if one is; where they are equal each gets half of the gradient";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesA | kSavesB, saves_b = kSavesA | kSavesB;
  template <class T> CINTA_FN static T forward(T a, T b) { return minimum(a, b); }
  template <class T> CINTA_FN static T vjp_a(T a, T b, T, T dy) {
    return select(a > b, T(0), select(a == b, dy * T(0.5), dy));
  }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T, T dy) {
    return select(b > a, T(0), select(a == b, dy * T(0.5), dy));
  }
};

struct Maximum {
  static constexpr auto doc =
      "y = the larger of a and b, NaN if one is; where they are equal each gets half of the gradient";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesA | kSavesB, saves_b = kSavesA | kSavesB;
  template <class T> CINTA_FN static T forward(T a, T b) { return maximum(a, b); }
  template <class T> CINTA_FN static T vjp_a(T a, T b, T, T dy) {
    return select(a < b, T(0), select(a == b, dy * T(0.5), dy));
  }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T, T dy) {
    return select(b < a, T(0), select(a == b, dy * T(0.5), dy));
  }
};

struct Atan2 {
  static constexpr auto doc = "y = the angle of the point (b, a), in (-pi, pi]";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves_a = kSavesA | kSavesB, saves_b = kSavesA | kSavesB;
  template <class T> CINTA_FN static T forward(T a, T b) { return atan2(a, b); }
  template <class T> CINTA_FN static T vjp_a(T a, T b, T, T dy) { return dy * b / (a * a + b * b); }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T, T dy) { return -dy * a / (a * a + b * b); }
};

struct Hypot {
  static constexpr auto doc = "y = (a^2 + b^2)^(1/2); the derivative at the origin is 0";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves_a = kSavesA | kSavesY, saves_b = kSavesB | kSavesY;
  template <class T> CINTA_FN static T forward(T a, T b) { return hypot(a, b); }
  template <class T> CINTA_FN static T vjp_a(T a, T, T y, T dy) {
    return select(y == T(0), T(0), dy * a / select(y == T(0), T(1), y));
  }
  template <class T> CINTA_FN static T vjp_b(T, T b, T y, T dy) {
    return select(y == T(0), T(0), dy * b / select(y == T(0), T(1), y));
  }
};

struct FloorDivide {
  static constexpr auto doc = "y = floor(a / b); integers divided by zero give 0; its derivative is 0";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesNothing, saves_b = kSavesNothing;
  template <class T> CINTA_FN static T forward(T a, T b) { return floor_divide(a, b); }
  template <class T> CINTA_FN static T vjp_a(T, T, T, T) { return T(0); }
  template <class T> CINTA_FN static T vjp_b(T, T, T, T) { return T(0); }
};

struct Remainder {
  static constexpr auto doc = "y = a - b floor(a / b), with the sign of b; for integers 0 where b = 0";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesNothing, saves_b = kSavesA | kSavesB;
  template <class T> CINTA_FN static T forward(T a, T b) { return remainder(a, b); }
  template <class T> CINTA_FN static T vjp_a(T, T, T, T dy) { return dy; }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T, T dy) { return -dy * floor_divide(a, b); }
};

struct Fmod {
  static constexpr auto doc = "y = a - b trunc(a / b), with the sign of a; for integers 0 where b = 0";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves_a = kSavesNothing, saves_b = kSavesA | kSavesB;
  template <class T> CINTA_FN static T forward(T a, T b) { return fmod(a, b); }
  template <class T> CINTA_FN static T vjp_a(T, T, T, T dy) { return dy; }
  template <class T> CINTA_FN static T vjp_b(T a, T b, T, T dy) { return -dy * trunc(a / b); }
};

struct BitwiseAnd {
  static constexpr auto doc = "y = a & b";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T a, T b) { return a & b; }
};

struct BitwiseOr {
  static constexpr auto doc = "y = a | b";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T a, T b) { return a | b; }
};

struct BitwiseXor {
  static constexpr auto doc = "y = a ^ b";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T a, T b) { return a ^ b; }
};

struct LeftShift {
  static constexpr auto doc = "y = a 2^b, without the bits shifted out; 0 where b is negative or beyond 63";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T a, T b) { return a << b; }
};

struct RightShift {
  static constexpr auto doc = "y = floor(a / 2^b); -1 or 0, the sign of a, where b is negative or beyond 63";
  static constexpr unsigned computes = kIntegers;
  template <class T> CINTA_FN static T forward(T a, T b) { return a >> b; }
};
