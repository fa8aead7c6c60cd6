// tanh and erf of floats: odd functions that climb to 1, as polynomials of degree 6 on intervals of |x| that end at
// 0.21875, 0.3125, 0.4375, 0.625, ... , two per octave.
namespace cinta::kernels::CINTA_ISA {

// Column: the interval, as the low bits of ((bits of |x|) + 2^21) >> 22. Rows: the point the polynomial is about,
// chosen so that the value there, the next row, is almost exactly a float; then the coefficients.
using SaturatingTable = float[8][16];

constexpr SaturatingTable kTanhTable = {
    {2.13047981f, 3.00412178f, 4.26042938f, 5.99556732f, 8.08051777f, 0, 0, 0, 0, 0, 0.264680147f, 0.375086069f,
     0.5327425f, 0.750583172f, 1.06414413f, 1.49898148f},
    {0.972175062f, 0.995095253f, 0.999601543f, 0.999987602f, 0.999999821f, 0, 0, 0, 0, 0, 0.258667797f, 0.358432412f,
     0.48747468f, 0.635496736f, 0.787244797f, 0.90496403f},
    {0.0548755638f, 0.00978557765f, 0.000796937966f, 2.48305714e-05f, 3.83173017e-07f, 0, 0, 0, 0, 0, 0.933090985f,
     0.871526182f, 0.762368441f, 0.596143901f, 0.380245626f, 0.181040004f},
    {-0.0533484183f, -0.00973754842f, -0.000796648208f, -2.48185188e-05f, -5.77607807e-07f, 0, 0, 0, 0, -5.8621373e-07f,
     -0.241360545f, -0.312383294f, -0.371635318f, -0.378847539f, -0.299346417f, -0.163834706f},
    {0.0335777141f, 0.00642323215f, 0.000527785567f, 1.62369088e-05f, 2.62980393e-07f, 0, 0, 0, 0, -0.333294928f,
     -0.248623356f, -0.178515777f, -0.0729631409f, 0.0420385338f, 0.10891103f, 0.0879311636f},
    {-0.0148658017f, -0.00314866635f, -0.000263157213f, -8.14853593e-06f, 3.27018427e-07f, 0, 0, 0, 0, -0.000819181732f,
     0.144701734f, 0.168180391f, 0.159446225f, 0.0995747298f, 0.0140485289f, -0.0249564573f},
    {0.00439423975f, 0.00124758587f, 0.000115517818f, 3.88972103e-06f, 4.63211052e-08f, 0, 0, 0, 0, 0.140998468f,
     0.0752867386f, 0.0136259003f, -0.035888195f, -0.0635162145f, -0.0389426202f, -0.0031334199f},
    {-0.000482532283f, -0.000379309233f, -3.87789696e-05f, -1.27494911e-06f, -2.85244795e-07f, 0, 0, 0, 0,
     -0.032909885f, -0.057752382f, -0.0818386376f, -0.0436594002f, -0.0015528464f, 0.0189844742f, 0.00725095347f},
};
constexpr SaturatingTable kErfTable = {
    {2.12267494f, 3.00726891f, 3.74392128f, 0, 0, 0, 0, 0, 0, 0, 0.265502691f, 0.375938177f, 0.53047657f, 0.748865604f,
     1.06432533f, 1.50179768f},
    {0.997317135f, 0.9999789f, 0.999999881f, 0, 0, 0, 0, 0, 0, 0, 0.292694628f, 0.40503633f, 0.546870053f, 0.710425675f,
     0.867723048f, 0.966318369f},
    {0.0124627575f, 0.000133902155f, 9.22973925e-07f, 0, 0, 0, 0, 0, 0, 0.128379166f, 1.05157661f, 0.979662359f,
     0.851612926f, 0.644025207f, 0.363489091f, 0.118290119f},
    {-0.0264545623f, -0.000401840865f, -3.45383182e-06f, 0, 0, 0, 0, 0, 0, -1.99485939e-07f, -0.279196352f,
     -0.36829254f, -0.451760739f, -0.482288271f, -0.386870563f, -0.177648082f},
    {0.0333159268f, 0.000738922099f, 8.25409916e-06f, 0, 0, 0, 0, 0, 0, -0.376109213f, -0.301139563f, -0.23422724f,
     -0.124100119f, 0.0260949023f, 0.153327256f, 0.13844642f},
    {-0.0265414529f, -0.000990622444f, -1.43946991e-05f, 0, 0, 0, 0, 0, 0, -0.00039601716f, 0.132925645f, 0.166862592f,
     0.183514193f, 0.15098083f, 0.04736083f, -0.0447235964f},
    {0.0120486775f, 0.00115133007f, 2.09660939e-05f, 0, 0, 0, 0, 0, 0, 0.116664521f, 0.0879030079f, 0.0403491743f,
     -0.00210451661f, -0.0522619225f, -0.0653944016f, -0.0151642226f},
    {-0.00140063325f, -0.000807377393f, -2.08674137e-05f, 0, 0, 0, 0, 0, 0, -0.0165884309f, -0.00278905174f,
     -0.0663378239f, -0.0492714494f, -0.0266350545f, 0.0104345577f, 0.0190192759f},
};

CINTA_FN Vec<float> saturating(const SaturatingTable &table, float saturated_at, Vec<float> x) {
  Vec<float> size = min(Vec<float>(saturated_at), abs(x)); // NaN passes, being the second operand
  Vec<float> lowest(0.1875f);                              // in the first interval
  IntVec<int32_t> i = shift_right<22>(as_int(max(size, lowest)) + IntVec<int32_t>(1 << 21));
  Vec<float> d = size - lookup16(table[0], i), q = lookup16(table[7], i);
  for (int k = 6; k > 1; --k)
    q = fma(q, d, lookup16(table[k], i));
  // In the first interval y = x + x q(x), which keeps tiny x exact.
  Vec<float> base = select(size < Vec<float>(0.21875f), size, lookup16(table[1], i));
  return copysign(fma(q, d, base), x);
}
CINTA_FN Vec<float> tanh(Vec<float> x) { return saturating(kTanhTable, 9.1f, x); }
CINTA_FN Vec<float> erf(Vec<float> x) { return saturating(kErfTable, 4.f, x); }

// Large x as 1 minus what is missing, the others as a quotient that keeps tiny x.
CINTA_FN Vec<double> tanh(Vec<double> x) {
  Vec<double> one(1.), two(2.), twice = abs(x) * two;
  Mask<double> large = twice > Vec<double>(0.6);
  Vec<double> t = expm1(select(large, twice, -twice)), y = select(large, two, -t) / (t + two);
  return copysign(select(large, one - y, y), x);
}

} // namespace cinta::kernels::CINTA_ISA
