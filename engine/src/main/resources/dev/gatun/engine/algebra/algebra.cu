// The algebra without products: constants, sums and maxima, indexing, and copies that no strides can say.
#include "gatun.cuh"

// ---- constants ----

template <class T> __device__ void fill(T *y, i64 n, T value) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = value;
    }
}

KERNEL fill_b8(unsigned char *y, i64 n, i64 bits) { fill(y, n, (unsigned char) bits); }
KERNEL fill_b16(unsigned short *y, i64 n, i64 bits) { fill(y, n, (unsigned short) bits); }
KERNEL fill_b32(unsigned *y, i64 n, i64 bits) { fill(y, n, (unsigned) bits); }
KERNEL fill_b64(i64 *y, i64 n, i64 bits) { fill(y, n, bits); }

template <class T> __device__ void range(T *y, i64 n, double start, double step) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = (T) __dadd_rn(start, __dmul_rn((double) i, step));
    }
}

KERNEL range_f32(float *y, i64 n, double start, double step) { range(y, n, start, step); }
KERNEL range_f64(double *y, i64 n, double start, double step) { range(y, n, start, step); }
KERNEL range_i32(int *y, i64 n, double start, double step) { range(y, n, start, step); }
KERNEL range_i64(i64 *y, i64 n, double start, double step) { range(y, n, start, step); }

// ---- sums: x [outer, size, inner], cut into chunks of the size, y [outer, chunks, inner] ----

// Neighbours (inner 1): a group of threads for each chunk.
template <int GROUP, class In, class Sum, class Out>
__device__ void sum_rows(const In *x, Out *y, i64 lines, i64 size, i64 chunk, i64 chunks) {
    __shared__ Sum shared[8];
    i64 line = (i64) blockIdx.x * (blockDim.x / GROUP) + threadIdx.x / GROUP;
    Sum sum = 0;
    if (line < lines) {
        const In *row = x + line / chunks * size;
        i64 from = line % chunks * chunk;
        i64 to = min(from + chunk, size);
        for (i64 i = from + threadIdx.x % GROUP; i < to; i += GROUP) {
            sum += (Sum) row[i];
        }
    }
    sum = over_group<GROUP>(sum, Add(), shared);
    if (line < lines && threadIdx.x % GROUP == 0) {
        y[line] = (Out) sum;
    }
}

// Side by side: a thread for each chunk of a column.
template <class In, class Sum, class Out>
__device__ void sum_columns(const In *x, Out *y, i64 n, i64 size, i64 inner, i64 chunk, i64 chunks) {
    i64 i = thread_index();
    if (i >= n) {
        return;
    }
    i64 column = i % inner;
    i64 line = i / inner;
    i64 from = line % chunks * chunk;
    i64 to = min(from + chunk, size);
    const In *at = x + line / chunks * size * inner + column;
    Sum sum = 0;
    for (i64 j = from; j < to; j++) {
        sum += (Sum) at[j * inner];
    }
    y[i] = (Out) sum;
}

#define SUMS(NAME, IN, SUM, OUT) \
    KERNEL sum_short_rows_##NAME(const IN *x, OUT *y, i64 lines, i64 size, i64 chunk, i64 chunks) { \
        sum_rows<32, IN, SUM, OUT>(x, y, lines, size, chunk, chunks); \
    } \
    KERNEL sum_rows_##NAME(const IN *x, OUT *y, i64 lines, i64 size, i64 chunk, i64 chunks) { \
        sum_rows<256, IN, SUM, OUT>(x, y, lines, size, chunk, chunks); \
    } \
    KERNEL sum_columns_##NAME(const IN *x, OUT *y, i64 n, i64 size, i64 inner, i64 chunk, i64 chunks) { \
        sum_columns<IN, SUM, OUT>(x, y, n, size, inner, chunk, chunks); \
    }

SUMS(f32, float, double, float)
SUMS(f32_f64, float, double, double)
SUMS(f64_f32, double, double, float)
SUMS(f64, double, double, double)
SUMS(i32, int, i64, int)
SUMS(i64, i64, i64, i64)

// ---- maxima: x [outer, size, inner], y [outer, inner] ----

template <class T> __device__ void max_rows(const T *x, T *y, i64 lines, i64 size) {
    i64 line = thread_index() / 32;
    if (line >= lines) {
        return;
    }
    const T *row = x + line * size;
    T largest = row[0];
    for (i64 i = threadIdx.x % 32; i < size; i += 32) {
        largest = Largest()(largest, row[i]);
    }
    largest = over_lanes<32>(largest, Largest());
    if (threadIdx.x % 32 == 0) {
        y[line] = largest;
    }
}

template <class T> __device__ void max_lines(const T *x, T *y, i64 n, i64 size, i64 inner) {
    i64 i = thread_index();
    if (i >= n) {
        return;
    }
    const T *at = x + i / inner * size * inner + i % inner;
    T largest = at[0];
    for (i64 j = 1; j < size; j++) {
        largest = Largest()(largest, at[j * inner]);
    }
    y[i] = largest;
}

template <class T> __device__ void argmax(const T *x, i64 *y, i64 n, i64 size, i64 inner) {
    i64 i = thread_index();
    if (i >= n) {
        return;
    }
    const T *at = x + i / inner * size * inner + i % inner;
    T largest = at[0];
    i64 where = 0;
    for (i64 j = 1; j < size && largest == largest; j++) {
        T value = at[j * inner];
        if (value > largest || value != value) {
            largest = value;
            where = j;
        }
    }
    y[i] = where;
}

#define MAXIMA(NAME, T) \
    KERNEL max_rows_##NAME(const T *x, T *y, i64 lines, i64 size) { max_rows(x, y, lines, size); } \
    KERNEL max_lines_##NAME(const T *x, T *y, i64 n, i64 size, i64 inner) { max_lines(x, y, n, size, inner); } \
    KERNEL argmax_##NAME(const T *x, i64 *y, i64 n, i64 size, i64 inner) { argmax(x, y, n, size, inner); }

MAXIMA(f32, float)
MAXIMA(f64, double)
MAXIMA(i32, int)
MAXIMA(i64, i64)

// ---- sums along a line, in double, in order ----

template <class T> __device__ void cumsum(const T *x, T *y, i64 lines, i64 size, i64 inner, int reverse) {
    i64 line = thread_index();
    if (line >= lines) {
        return;
    }
    i64 first = line / inner * inner * size + line % inner;
    double sum = 0;
    for (i64 t = 0; t < size; t++) {
        i64 at = first + (reverse ? size - 1 - t : t) * inner;
        sum += x[at];
        y[at] = (T) sum;
    }
}

KERNEL cumsum_f32(const float *x, float *y, i64 lines, i64 size, i64 inner, int reverse) { cumsum(x, y, lines, size, inner, reverse); }
KERNEL cumsum_f64(const double *x, double *y, i64 lines, i64 size, i64 inner, int reverse) { cumsum(x, y, lines, size, inner, reverse); }

// ---- indexing: x [outer, size, inner], index [outer, count, inner] ----

template <class T, class Index>
__device__ void gather(const T *x, const Index *index, T *y, i64 n, i64 size, i64 count, i64 inner, Faults *faults, int code) {
    i64 i = thread_index();
    if (i >= n) {
        return;
    }
    i64 at = index[i];
    if (at < 0 || at >= size) {
        fault(faults, code, at, size);
        at = 0;
    }
    y[i] = x[(i / (count * inner) * size + at) * inner + i % inner];
}

// A thread owns a line of the target, so sums have one order.
template <class T, class Index>
__device__ void scatter_add(const T *x, const Index *index, T *y, i64 lines, i64 size, i64 count, i64 inner, Faults *faults, int code) {
    i64 line = thread_index();
    if (line >= lines) {
        return;
    }
    i64 outer = line / inner;
    i64 column = line % inner;
    T *to = y + outer * size * inner + column;
    for (i64 i = 0; i < size; i++) {
        to[i * inner] = 0;
    }
    for (i64 i = 0; i < count; i++) {
        i64 from = (outer * count + i) * inner + column;
        i64 at = index[from];
        if (at < 0 || at >= size) {
            fault(faults, code, at, size);
        } else {
            to[at * inner] += x[from];
        }
    }
}

#define INDEXED(NAME, INDEX) \
    KERNEL gather_b8_##NAME(const unsigned char *x, const INDEX *index, unsigned char *y, i64 n, i64 size, i64 count, i64 inner, Faults *f, int code) { gather(x, index, y, n, size, count, inner, f, code); } \
    KERNEL gather_b16_##NAME(const unsigned short *x, const INDEX *index, unsigned short *y, i64 n, i64 size, i64 count, i64 inner, Faults *f, int code) { gather(x, index, y, n, size, count, inner, f, code); } \
    KERNEL gather_b32_##NAME(const unsigned *x, const INDEX *index, unsigned *y, i64 n, i64 size, i64 count, i64 inner, Faults *f, int code) { gather(x, index, y, n, size, count, inner, f, code); } \
    KERNEL gather_b64_##NAME(const i64 *x, const INDEX *index, i64 *y, i64 n, i64 size, i64 count, i64 inner, Faults *f, int code) { gather(x, index, y, n, size, count, inner, f, code); } \
    KERNEL scatter_add_f32_##NAME(const float *x, const INDEX *index, float *y, i64 lines, i64 size, i64 count, i64 inner, Faults *f, int code) { scatter_add(x, index, y, lines, size, count, inner, f, code); } \
    KERNEL scatter_add_f64_##NAME(const double *x, const INDEX *index, double *y, i64 lines, i64 size, i64 count, i64 inner, Faults *f, int code) { scatter_add(x, index, y, lines, size, count, inner, f, code); }

INDEXED(i32, int)
INDEXED(i64, i64)

// ---- copies; elements are so many bits ----

// x [outer, part, inner] to y [outer, whole, inner], at from, from + step, ...; the kernel writes what it copies only.
template <class T> __device__ void place(const T *x, T *y, i64 n, i64 part, i64 whole, i64 inner, i64 from, i64 step) {
    i64 i = thread_index();
    if (i < n) {
        i64 at = i / inner % part;
        y[(i / (part * inner) * whole + from + at * step) * inner + i % inner] = x[i];
    }
}

template <class T> __device__ void flip(const T *x, T *y, i64 n, i64 size, i64 inner) {
    i64 i = thread_index();
    if (i < n) {
        i64 at = i / inner % size;
        y[i] = x[i + (size - 1 - 2 * at) * inner];
    }
}

template <class T> __device__ void lower_triangle(const T *x, T *y, i64 n, i64 height, i64 columns, i64 diagonal) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = i % columns <= i / columns % height + diagonal ? x[i] : (T) 0;
    }
}

#define COPIES(NAME, T) \
    KERNEL place_##NAME(const T *x, T *y, i64 n, i64 part, i64 whole, i64 inner, i64 from, i64 step) { place(x, y, n, part, whole, inner, from, step); } \
    KERNEL flip_##NAME(const T *x, T *y, i64 n, i64 size, i64 inner) { flip(x, y, n, size, inner); } \
    KERNEL lower_triangle_##NAME(const T *x, T *y, i64 n, i64 height, i64 columns, i64 diagonal) { lower_triangle(x, y, n, height, columns, diagonal); }

COPIES(b8, unsigned char)
COPIES(b16, unsigned short)
COPIES(b32, unsigned)
COPIES(b64, i64)
