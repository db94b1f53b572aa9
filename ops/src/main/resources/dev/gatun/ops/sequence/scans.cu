// Recurrences along the time axis, one thread a line, in order; and what decays leave of what was written earlier.
#include "gatun.cuh"

// h[t] = a[t] h[t-1] + b[t], or from the last step backwards: a, b, h [outer, time, width], state [outer, width]
template <class T> __device__ void linear_scan(const T *a, const T *b, const T *state, T *h, i64 lines, i64 time, i64 width, int reverse) {
    i64 line = thread_index();
    if (line >= lines) {
        return;
    }
    i64 first = line / width * time * width + line % width;
    i64 step = reverse ? -width : width;
    i64 at = reverse ? first + (time - 1) * width : first;
    T before = state[line];
    for (i64 t = 0; t < time; t++) {
        before = a[at] * before + b[at];
        h[at] = before;
        at += step;
    }
}

KERNEL linear_scan_f32(const float *a, const float *b, const float *state, float *h, i64 lines, i64 time, i64 width, int reverse) {
    linear_scan(a, b, state, h, lines, time, width, reverse);
}
KERNEL linear_scan_f64(const double *a, const double *b, const double *state, double *h, i64 lines, i64 time, i64 width, int reverse) {
    linear_scan(a, b, state, h, lines, time, width, reverse);
}

// y[t, i] = exp(x[i+1] + ... + x[t]) for i <= t, else 0: a thread looks back from one time
KERNEL decay_matrix_f32(const float *x, float *y, i64 rows, i64 time) {
    i64 row = thread_index();
    if (row >= rows) {
        return;
    }
    i64 t = row % time;
    x += row / time * time;
    y += row * time;
    float sum = 0;
    for (i64 i = time - 1; i >= 0; i--) {
        if (i > t) {
            y[i] = 0;
        } else {
            y[i] = expf(sum);
            sum += x[i];
        }
    }
}
