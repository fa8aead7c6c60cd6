// The walk of recurrent layers over time: a small product and the gates at every step, forward, and the same backward.
// The batch is cut into blocks of sequences, which never meet: a thread walks through all steps with its own.
#include "cinta/base/parallel.h"
#include "cinta/kernels/cpu/recurrent/gates.inl"
#include "cinta/kernels/cpu/recurrent/weights.inl"
#include "cinta/kernels/kernels.h"

namespace cinta::kernels::CINTA_ISA {

template <class T> struct Walk {
  const Recurrence &r;
  const RecurrenceGradients *d;                 // backward
  const int64_t G, gated;                       // columns of gates; of those that the product adds to
  const int64_t blocks, rows;                   // of the batch; in the largest
  StepWeights<T> hidden, candidate, projection; // candidate: gru's W_hn

  static const T *at(const void *p, int64_t row, int64_t columns) {
    return p ? static_cast<const T *>(p) + row * columns : nullptr;
  }
  static T *at(void *p, int64_t row, int64_t columns) { return p ? static_cast<T *>(p) + row * columns : nullptr; }

  // A block must be worth walking through time by itself.
  static int64_t blocks_of(const Recurrence &r) {
    const double macs = double(r.batch * gates_of(r.cell)) * double(r.hidden * r.out) * double(r.steps);
    const int64_t most = macs > 1e6 ? (r.batch + 3) / 4 : 1;
    return num_threads() < most ? num_threads() : most;
  }
  Walk(const Recurrence &r, const RecurrenceGradients *d)
      : r(r), d(d), G(gates_of(r.cell) * r.hidden), gated(r.cell == Cell::gru ? 2 * r.hidden : G), blocks(blocks_of(r)),
        rows((r.batch + blocks - 1) / blocks), hidden(weights(r.out, r.steps > 1 ? gated : 0)),
        candidate(weights(r.out, r.steps > 1 ? G - gated : 0)), projection(weights(r.hidden, r.w_hr ? r.out : 0)) {
    T *memory = static_cast<T *>(scratch(
        Scratch::recurrent, size_t(hidden.elements() + candidate.elements() + projection.elements()) * sizeof(T)));
    const T *const w_hh = static_cast<const T *>(r.w_hh);
    pack(hidden, w_hh, r.out, memory);
    pack(candidate, w_hh + gated * r.out, r.out, memory);
    pack(projection, static_cast<const T *>(r.w_hr), r.hidden, memory);
  }
  // Of a matrix [out, in], which backward multiplies by as it is and forward by its transpose.
  StepWeights<T> weights(int64_t in, int64_t out) const {
    return d ? StepWeights<T>(out, in, rows) : StepWeights<T>(in, out, rows);
  }
  void pack(StepWeights<T> &w, const T *from, int64_t in, T *&memory) const {
    w.panels = memory;
    memory += w.elements();
    if (w.elements())
      d ? w.pack(from, in, 1) : w.pack(from, 1, in);
  }

  void run() {
    const auto body = [](void *context, int64_t block) {
      const Walk &w = *static_cast<const Walk *>(context);
      const int64_t first = w.r.batch * block / w.blocks, end = w.r.batch * (block + 1) / w.blocks;
      if (!w.d)
        for (int64_t s = 0; s < w.r.steps && w.r.count[s] > first; ++s)
          w.forward(s, first, w.alive(s, end) - first);
      else
        for (int64_t s = w.r.steps - 1; s >= 0; --s)
          if (w.r.count[s] > first)
            w.backward(s, first, w.alive(s, end) - first);
    };
    const double macs = double(r.batch) * double(r.out) * double(G) * double(r.steps);
    parallel_for(blocks, macs / (2 * Vec<T>::width), body, this);
  }
  int64_t alive(int64_t s, int64_t end) const { return r.count[s] < end ? r.count[s] : end; }

  // The states before step s of sequences from `first` on.
  const T *h_before(int64_t s, int64_t first) const {
    return s ? at(r.h, r.begin[s - 1] + first, r.out) : at(r.h0, first, r.out);
  }
  const T *c_before(int64_t s, int64_t first) const {
    return s ? at(r.cells, r.begin[s - 1] + first, r.hidden) : at(r.c0, first, r.hidden);
  }

  void forward(int64_t s, int64_t first, int64_t rows) const {
    const int64_t H = r.hidden, row = r.begin[s] + first;
    T *const z = at(r.gates, row, G), *const h = at(r.h, row, r.out), *const cells = at(r.cells, row, H);
    const T *const before = h_before(s, first);
    if (before && r.steps > 1)
      hidden.multiply(rows, before, r.out, z, G, true, nullptr);
    if (r.cell == Cell::gru) {
      if (before && r.steps > 1)
        candidate.multiply(rows, before, r.out, cells, H, false, static_cast<const T *>(r.b_hn));
      for (int64_t i = 0; i < rows; ++i) {
        if (!before)
          for (int64_t j = 0; j < H; ++j)
            cells[i * H + j] = r.b_hn ? static_cast<const T *>(r.b_hn)[j] : T(0);
        gru_row(H, z + i * G, cells + i * H, at(before, i, H), h + i * H);
      }
    } else if (r.cell == Cell::lstm) {
      T *const y = r.w_hr ? at(r.inner, row, H) : h;
      const T *const c = c_before(s, first);
      for (int64_t i = 0; i < rows; ++i)
        lstm_row(H, z + i * G, at(c, i, H), cells + i * H, y + i * H);
      if (r.w_hr)
        projection.multiply(rows, y, H, h, r.out, false, nullptr);
    } else {
      for (int64_t i = 0; i < rows; ++i)
        simple_row(r.cell, H, h + i * H);
    }
  }

  void backward(int64_t s, int64_t first, int64_t rows) const {
    const int64_t H = r.hidden, P = r.out, row = r.begin[s] + first;
    const T *const z = at(r.gates, row, G), *const cells = at(r.cells, row, H), *const dh = at(d->dh, row, P);
    T *const dz = at(d->dgates, row, G), *const dcells = at(d->dcells, row, H);
    T *const dbefore = s ? at(d->dh, r.begin[s - 1] + first, P) : at(d->dh0, first, P);
    if (r.cell == Cell::gru) {
      const T *const before = h_before(s, first);
      for (int64_t i = 0; i < rows; ++i)
        gru_row_vjp(H, z + i * G, cells + i * H, at(before, i, H), dh + i * H, dz + i * G, dcells + i * H,
                    at(dbefore, i, H));
      if (dbefore && r.steps > 1)
        candidate.multiply(rows, dcells, H, dbefore, P, true, nullptr);
    } else if (r.cell == Cell::lstm) {
      T *const dy = r.w_hr ? at(d->dinner, row, H) : dh_rows(row);
      if (r.w_hr)
        projection.multiply(rows, dh, P, dy, H, false, nullptr);
      const T *const c = c_before(s, first);
      for (int64_t i = 0; i < rows; ++i)
        lstm_row_vjp(H, z + i * G, at(c, i, H), cells + i * H, dy + i * H, at(d->dc, first + i, H), dz + i * G);
    } else {
      for (int64_t i = 0; i < rows; ++i)
        simple_row_vjp(r.cell, H, at(r.h, row + i, H), dh + i * H, dz + i * H);
    }
    if (dbefore && r.steps > 1)
      hidden.multiply(rows, dz, G, dbefore, P, true, nullptr);
  }
  T *dh_rows(int64_t row) const { return at(d->dh, row, r.out); }
};

template <class T> void recurrence(const Recurrence &r) {
  if (r.batch > 0 && r.hidden > 0 && r.out > 0)
    Walk<T>(r, nullptr).run();
}
template <class T> void recurrence_vjp(const Recurrence &r, const RecurrenceGradients &d) {
  if (r.batch > 0 && r.hidden > 0 && r.out > 0)
    Walk<T>(r, &d).run();
}

void fill_recurrent(Table &table) {
  table.recurrence[0] = recurrence<float>;
  table.recurrence[1] = recurrence<double>;
  table.recurrence_vjp[0] = recurrence_vjp<float>;
  table.recurrence_vjp[1] = recurrence_vjp<double>;
}

} // namespace cinta::kernels::CINTA_ISA
