// Activation functions, the second half of unary.inl; derivatives at kinks are PyTorch's.

struct Tanh {
  static constexpr auto doc = "y = (e^x - e^-x) / (e^x + e^-x)";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return tanh(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * (T(1) - y * y); }
};

struct Sigmoid {
  static constexpr auto doc = "y = 1 / (1 + e^-x)";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return sigmoid(x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return dy * (y * (T(1) - y)); }
};

struct Softplus {
  static constexpr auto doc = "y = ln(1 + e^(beta x)) / beta, and x itself where beta x > threshold";
  static constexpr unsigned computes = kFloats;
  static constexpr Param params[] = {{"beta", 1}, {"threshold", 20}};
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x, const double *p) {
    T z = x * T(p[0]);
    return select(z > T(p[1]), x, log1p(exp(z)) / T(p[0]));
  }
  template <class T> CINTA_FN static T vjp(T x, T, T dy, const double *p) {
    T z = x * T(p[0]);
    return select(z > T(p[1]), dy, dy * sigmoid(z));
  }
};

struct Relu {
  static constexpr auto doc = "y = max(x, 0); the derivative at 0 is 0";
  static constexpr unsigned computes = kNumbers;
  static constexpr unsigned saves = kSavesY;
  template <class T> CINTA_FN static T forward(T x) { return select(x <= T(0), T(0), x); }
  template <class T> CINTA_FN static T vjp(T, T y, T dy) { return select(y <= T(0), T(0), dy); }
};

struct LeakyRelu {
  static constexpr auto doc = "y = x where x > 0, else negative_slope x";
  static constexpr unsigned computes = kFloats;
  static constexpr Param params[] = {{"negative_slope", 0.01}};
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x, const double *p) { return select(x > T(0), x, x * T(p[0])); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy, const double *p) { return select(x > T(0), dy, dy * T(p[0])); }
};

struct Elu {
  static constexpr auto doc = "y = x where x > 0, else alpha (e^x - 1)";
  static constexpr unsigned computes = kFloats;
  static constexpr Param params[] = {{"alpha", 1}};
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x, const double *p) { return select(x > T(0), x, T(p[0]) * expm1(x)); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy, const double *p) {
    T below = select(x > T(0), T(0), x); // so that no branch not taken overflows
    return select(x > T(0), dy, dy * T(p[0]) * exp(below));
  }
};

struct Gelu {
  static constexpr auto doc = "y = x Phi(x), with Phi(x) = (1 + erf(x / 2^(1/2))) / 2";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return T(0.5) * x * (T(1) + erf(x * T(kRsqrt2))); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) {
    T phi = T(0.5) * (T(1) + erf(x * T(kRsqrt2)));
    return dy * (phi + x * T(kRsqrtPi * kRsqrt2) * exp(x * x * T(-0.5)));
  }
};

// Where s is near 1, 1 - s has few digits left. Vectors have an overload with one exponential for both (vmath/exp.inl).
template <class T> CINTA_FN WithRest<T> sigmoid_and_rest(T x) { return {sigmoid(x), sigmoid(-x)}; }

struct GeluTanh {
  static constexpr auto doc = "y = x (1 + tanh((2 / pi)^(1/2) (x + 0.044715 x^3))) / 2";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  static constexpr double twice = 4 * kRsqrtPi * kRsqrt2; // (1 + tanh u) / 2 = sigmoid(2 u), without cancellation
  template <class T> CINTA_FN static T forward(T x) { return x * sigmoid(T(twice) * x * (T(1) + T(0.044715) * x * x)); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) {
    auto [s, rest] = sigmoid_and_rest(T(twice) * x * (T(1) + T(0.044715) * x * x));
    T slope = T(twice) * (T(1) + T(3 * 0.044715) * x * x);
    return dy * (s + x * s * rest * slope);
  }
};

struct Silu {
  static constexpr auto doc = "y = x / (1 + e^-x)";
  static constexpr unsigned computes = kFloats;
  static constexpr unsigned saves = kSavesX;
  template <class T> CINTA_FN static T forward(T x) { return x * sigmoid(x); }
  template <class T> CINTA_FN static T vjp(T x, T, T dy) {
    auto [s, rest] = sigmoid_and_rest(x);
    return dy * s * (T(1) + x * rest);
  }
};
