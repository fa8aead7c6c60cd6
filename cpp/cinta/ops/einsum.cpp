// Einstein summation: operands are joined from left to right, each pair as one batched matrix product.
#include <algorithm>

#include "cinta/ops/elementwise.h"
#include "cinta/ops/matmul.h"
#include "cinta/ops/reduce.h"
#include "cinta/ops/shape.h"

namespace cinta::ops {
namespace {

struct Term {
  Tensor x;
  std::string labels; // one letter per axis
};

bool has(const std::string &s, char c) { return s.find(c) != std::string::npos; }

std::string without_spaces(const std::string &s) {
  std::string out;
  std::copy_if(s.begin(), s.end(), std::back_inserter(out), [](char c) { return c != ' '; });
  return out;
}

// "..." becomes capital-free control letters \1, \2, ... counted from the right, so that broadcasting lines up.
std::string expand_ellipsis(const std::string &labels, int axes, const std::string &equation) {
  size_t at = labels.find("...");
  if (at == std::string::npos)
    return labels;
  int rest = axes - int(labels.size() - 3);
  if (rest < 0)
    fail<ValueError>("[einsum] '", labels, "' in '", equation, "' names ", labels.size() - 3, " axes, the operand has ",
                     axes);
  std::string dots;
  for (int i = rest; i > 0; --i)
    dots += char(i);
  return labels.substr(0, at) + dots + labels.substr(at + 3);
}

// A repeated letter takes the diagonal.
Term single(Term t) {
  for (size_t i = 0; i < t.labels.size(); ++i)
    for (size_t j = i + 1; j < t.labels.size(); ++j)
      if (t.labels[i] == t.labels[j]) {
        char c = t.labels[i];
        t.x = diagonal(t.x, 0, int64_t(i), int64_t(j));
        t.labels.erase(j, 1);
        t.labels.erase(i, 1);
        t.labels += c;
        return single(t);
      }
  return t;
}

// Sums over letters that nobody else needs.
Term drop(Term t, const std::string &needed) {
  Axes axes;
  std::string left;
  for (size_t i = 0; i < t.labels.size(); ++i)
    if (has(needed, t.labels[i]))
      left += t.labels[i];
    else
      axes.push_back(int64_t(i));
  if (!axes.empty())
    t = {sum(t.x, axes, false), left};
  return t;
}

Tensor arrange(const Term &t, const std::string &order) { // transposed, with axes of size 1 for letters it lacks
  Axes axes;
  Shape shape;
  for (char c : order) {
    size_t at = t.labels.find(c);
    shape.push_back(at == std::string::npos ? 1 : t.x.shape()[int(at)]);
    if (at != std::string::npos)
      axes.push_back(int64_t(at));
  }
  return reshape(axes.size() ? transpose(t.x, axes) : t.x, shape);
}

Term join(const Term &a, const Term &b, const std::string &needed) {
  std::string batch, left, right, inside;
  auto size = [](const Term &t, char c) { return t.x.shape()[int(t.labels.find(c))]; };
  for (char c : a.labels)
    (!has(b.labels, c) ? left : has(needed, c) || size(a, c) == 1 || size(b, c) == 1 ? batch : inside) += c;
  for (char c : b.labels)
    if (!has(a.labels, c))
      right += c;
  if (inside.empty()) { // nothing to sum: a broadcast product
    std::string all = batch + left + right;
    return drop({multiply(arrange(a, all), arrange(b, all)), all}, needed);
  }
  auto sizes = [](const Tensor &x, size_t from, size_t n) {
    Shape s;
    for (size_t i = from; i < from + n; ++i)
      s.push_back(x.shape()[int(i)]);
    return s;
  };
  Tensor x = arrange(a, batch + left + inside), y = arrange(b, batch + inside + right);
  Shape xb = sizes(x, 0, batch.size()), yb = sizes(y, 0, batch.size()), both = broadcast(xb, yb, "einsum");
  Shape m = sizes(x, batch.size(), left.size()), k = sizes(x, batch.size() + left.size(), inside.size());
  Shape n = sizes(y, batch.size() + inside.size(), right.size());
  Shape xs = xb, ys = yb, out = both;
  xs.push_back(count(m));
  xs.push_back(count(k));
  ys.push_back(count(k));
  ys.push_back(count(n));
  for (int64_t s : m)
    out.push_back(s);
  for (int64_t s : n)
    out.push_back(s);
  return drop({reshape(matmul(reshape(x, xs), reshape(y, ys)), out), batch + left + right}, needed);
}

} // namespace

Tensor einsum(const std::string &given, const Tensors &operands) {
  std::string equation = without_spaces(given);
  size_t arrow = equation.find("->");
  std::string left = equation.substr(0, arrow);
  std::vector<Term> terms;
  for (size_t start = 0; start <= left.size();) {
    size_t end = std::min(left.find(',', start), left.size());
    size_t k = terms.size();
    if (k == operands.size())
      fail<ValueError>("[einsum] '", given, "' names more operands than the ", operands.size(), " that were given");
    terms.push_back({operands[k], expand_ellipsis(left.substr(start, end - start), operands[k].ndim(), given)});
    start = end + 1;
  }
  if (terms.size() != operands.size())
    fail<ValueError>("[einsum] '", given, "' names ", terms.size(), " operands, got ", operands.size());
  std::string dots, letters;
  int64_t size[128] = {};
  for (size_t k = 0; k < terms.size(); ++k) {
    const Term &t = terms[k];
    if (int(t.labels.size()) != t.x.ndim())
      fail<ValueError>("[einsum] operand ", k, " has shape ", t.x.shape(), ", expected ", t.labels.size(),
                       " axes as in '", given, "'");
    for (size_t i = 0; i < t.labels.size(); ++i) {
      char c = t.labels[i];
      if (c >= 16 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'))
        fail<ValueError>("[einsum] '", given, "' has the character '", c,
                         "', expected letters, commas, '...' and '->'");
      int64_t s = t.x.shape()[int(i)], &known = size[int(c)];
      if (known > 1 && s != known && s != 1)
        fail<ValueError>("[einsum] '", c, "' has size ", known, " and, in operand ", k, ", ", s, " ('", given, "')");
      known = std::max(known, s);
      std::string &where = c < 16 ? dots : letters;
      if (!has(where, c))
        where += c;
    }
  }
  std::sort(dots.rbegin(), dots.rend());
  std::string output;
  if (arrow == std::string::npos) { // implicit: letters that occur once, in order
    std::sort(letters.begin(), letters.end());
    std::string all;
    for (const Term &t : terms)
      all += t.labels;
    output = dots;
    for (char c : letters)
      if (std::count(all.begin(), all.end(), c) == 1)
        output += c;
  } else {
    output =
        expand_ellipsis(equation.substr(arrow + 2), int(equation.size() - arrow - 2) - 3 + int(dots.size()), given);
    for (char c : output)
      if ((!has(dots, c) && !has(letters, c)) || std::count(output.begin(), output.end(), c) > 1)
        fail<ValueError>("[einsum] the output '", equation.substr(arrow + 2), "' of '", given,
                         "' must name each of its letters once, and only letters of the operands");
  }
  auto needed_after = [&](size_t k) {
    std::string needed = output;
    for (size_t j = k; j < terms.size(); ++j)
      needed += terms[j].labels;
    return needed;
  };
  Term result = drop(single(terms[0]), needed_after(1));
  for (size_t k = 1; k < terms.size(); ++k)
    result = join(result, drop(single(terms[k]), needed_after(k + 1) + result.labels), needed_after(k + 1));
  Dtype dtype = operands[0].dtype();
  for (const Tensor &x : operands)
    dtype = promote(dtype, x.dtype());
  return astype(arrange(result, output), dtype); // sums of small integers come in 64 bits
}

} // namespace cinta::ops
