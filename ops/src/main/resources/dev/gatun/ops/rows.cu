// Ops over rows x [rows, n]: softmax and its relatives, cross-entropy, norms. A row belongs to a warp, or to a block of 256
// threads when it is long; a block of warps holds eight rows.
#include "gatun.cuh"

constexpr int BLOCK = 256;

template <int GROUP> __device__ i64 own_row() {
    return (i64) blockIdx.x * (BLOCK / GROUP) + threadIdx.x / GROUP;
}

// A kernel for short rows and one for long ones. No row is left by a part of a block, so all may wait for each other.
#define ROWS(NAME, PARAMETERS, ARGUMENTS) \
    KERNEL NAME##_short PARAMETERS { NAME<32> ARGUMENTS; } \
    KERNEL NAME##_long PARAMETERS { NAME<BLOCK> ARGUMENTS; }

template <int GROUP, class F> __device__ float sum_of(i64 n, F value) {
    __shared__ float shared[8];
    float sum = 0;
    for (i64 i = threadIdx.x % GROUP; i < n; i += GROUP) {
        sum += value(i);
    }
    return over_group<GROUP>(sum, Add(), shared);
}

// The largest of a row, taken off before an exponential so that none overflows; 0 for a row of -inf, which it leaves -inf.
template <int GROUP> __device__ float largest_of(const float *x, i64 n) {
    __shared__ float shared[8];
    float largest = -INFINITY;
    for (i64 i = threadIdx.x % GROUP; i < n; i += GROUP) {
        largest = Largest()(largest, x[i]);
    }
    largest = over_group<GROUP>(largest, Largest(), shared);
    return largest == -INFINITY ? 0 : largest;
}

// Rows behind the last are computed as that one and not written.
#define ROW(n) \
    i64 row = own_row<GROUP>(); \
    bool own = row < rows; \
    row = own ? row : rows - 1; \
    i64 start = row * (n); \
    int lane = threadIdx.x % GROUP;

#define EACH(i, n) for (i64 i = lane; own && i < (n); i += GROUP)

template <int GROUP> __device__ void softmax(const float *x, float *y, i64 rows, i64 n) {
    ROW(n)
    float largest = largest_of<GROUP>(x + start, n);
    float sum = sum_of<GROUP>(n, [&](i64 i) { return expf(x[start + i] - largest); });
    float scale = sum == 0 ? 0 : 1 / sum;
    EACH(i, n) {
        y[start + i] = expf(x[start + i] - largest) * scale;
    }
}

template <int GROUP> __device__ void softmax_gradient(const float *y, const float *g, float *dx, i64 rows, i64 n) {
    ROW(n)
    float mean = sum_of<GROUP>(n, [&](i64 i) { return y[start + i] * g[start + i]; });
    EACH(i, n) {
        dx[start + i] = y[start + i] * (g[start + i] - mean);
    }
}

template <int GROUP> __device__ void log_softmax(const float *x, float *y, i64 rows, i64 n) {
    ROW(n)
    float largest = largest_of<GROUP>(x + start, n);
    float sum = sum_of<GROUP>(n, [&](i64 i) { return expf(x[start + i] - largest); });
    float log = sum == 0 ? 0 : logf(sum);
    EACH(i, n) {
        y[start + i] = x[start + i] - largest - log;
    }
}

template <int GROUP> __device__ void log_softmax_gradient(const float *y, const float *g, float *dx, i64 rows, i64 n) {
    ROW(n)
    float sum = sum_of<GROUP>(n, [&](i64 i) { return g[start + i]; });
    EACH(i, n) {
        dx[start + i] = g[start + i] - expf(y[start + i]) * sum;
    }
}

template <int GROUP> __device__ void log_sum_exp(const float *x, float *y, i64 rows, i64 n) {
    ROW(n)
    float largest = largest_of<GROUP>(x + start, n);
    float sum = sum_of<GROUP>(n, [&](i64 i) { return expf(x[start + i] - largest); });
    if (own && lane == 0) {
        y[row] = largest + logf(sum);
    }
}

ROWS(softmax, (const float *x, float *y, i64 rows, i64 n), (x, y, rows, n))
ROWS(softmax_gradient, (const float *y, const float *g, float *dx, i64 rows, i64 n), (y, g, dx, rows, n))
ROWS(log_softmax, (const float *x, float *y, i64 rows, i64 n), (x, y, rows, n))
ROWS(log_softmax_gradient, (const float *y, const float *g, float *dx, i64 rows, i64 n), (y, g, dx, rows, n))
ROWS(log_sum_exp, (const float *x, float *y, i64 rows, i64 n), (x, y, rows, n))

// ---- cross-entropy: logits [rows, n], whole-number targets of 4 or 8 bytes ----

__device__ inline i64 whole(const void *x, int bytes, i64 i) {
    return bytes == 8 ? ((const i64 *) x)[i] : (i64) ((const int *) x)[i];
}

template <int GROUP>
__device__ void cross_entropy(const float *x, const void *targets, int targetBytes, float *loss, float *lse, i64 rows, i64 n,
        i64 ignored, double smoothing, Faults *faults, int code) {
    ROW(n)
    float largest = largest_of<GROUP>(x + start, n);
    float sum = sum_of<GROUP>(n, [&](i64 i) { return expf(x[start + i] - largest); });
    float total = smoothing == 0 ? 0 : sum_of<GROUP>(n, [&](i64 i) { return x[start + i]; });
    if (own && lane == 0) {
        double log = (double) largest + (double) logf(sum);
        i64 target = whole(targets, targetBytes, row);
        double value = 0;
        if (target != ignored) {
            if (target < 0 || target >= n) {
                fault(faults, code, target, n);
                value = NAN;
            } else {
                double logit = x[start + target];
                value = smoothing == 0 ? log - logit : (1 - smoothing) * (log - logit) + smoothing * (log - total / (double) n);
            }
        }
        loss[row] = (float) value;
        lse[row] = (float) log;
    }
}

template <int GROUP>
__device__ void cross_entropy_gradient(const float *x, const void *targets, int targetBytes, const float *lse, const float *dloss,
        const float *dlse, float *dx, i64 rows, i64 n, i64 ignored, double smoothing) {
    ROW(n)
    i64 target = whole(targets, targetBytes, row);
    float slope = target == ignored ? 0 : dloss[row];
    float scale = slope + dlse[row];
    float log = lse[row];
    float everywhere = (float) (smoothing / (double) n) * slope;
    float there = (float) (1 - smoothing) * slope;
    EACH(i, n) {
        float share = scale == 0 ? 0 : expf(x[start + i] - log) * scale;
        dx[start + i] = share - everywhere - (i == target ? there : 0);
    }
}

ROWS(cross_entropy,
    (const float *x, const void *targets, int targetBytes, float *loss, float *lse, i64 rows, i64 n, i64 ignored, double smoothing, Faults *faults, int code),
    (x, targets, targetBytes, loss, lse, rows, n, ignored, smoothing, faults, code))
ROWS(cross_entropy_gradient,
    (const float *x, const void *targets, int targetBytes, const float *lse, const float *dloss, const float *dlse, float *dx, i64 rows, i64 n, i64 ignored, double smoothing),
    (x, targets, targetBytes, lse, dloss, dlse, dx, rows, n, ignored, smoothing))

// ---- norms: y = (x - mean) scale w (+ b); without `centred` the mean stays. w and b are [weightRows, n], row by row again ----

struct Moments {
    float mean;
    float scale;
};

template <int GROUP> __device__ Moments moments(const float *x, i64 n, int centred, double eps) {
    float mean = 0;
    if (centred) {
        mean = sum_of<GROUP>(n, [&](i64 i) { return x[i]; }) / n;
    }
    float squares = sum_of<GROUP>(n, [&](i64 i) { return (x[i] - mean) * (x[i] - mean); });
    return {mean, (float) (1 / sqrt((double) squares / n + eps))};
}

template <int GROUP>
__device__ void norm(const float *x, const float *w, const float *b, float *y, i64 rows, i64 n, i64 weightRows, int centred, double eps) {
    ROW(n)
    Moments m = moments<GROUP>(x + start, n, centred, eps);
    i64 weight = row % weightRows * n;
    EACH(i, n) {
        y[start + i] = (x[start + i] - m.mean) * m.scale * w[weight + i] + (b ? b[weight + i] : 0);
    }
}

// dx = scale (h - mean(h) - x^ mean(h x^)) with h = g w and x^ the normed x; the moments of each row are kept for dw.
template <int GROUP>
__device__ void norm_gradient(const float *x, const float *w, const float *g, float *dx, float *kept, i64 rows, i64 n,
        i64 weightRows, int centred, double eps) {
    ROW(n)
    Moments m = moments<GROUP>(x + start, n, centred, eps);
    i64 weight = row % weightRows * n;
    auto h = [&](i64 i) { return g[start + i] * w[weight + i]; };
    auto unit = [&](i64 i) { return (x[start + i] - m.mean) * m.scale; };
    float mean = centred ? sum_of<GROUP>(n, h) / n : 0;
    float along = sum_of<GROUP>(n, [&](i64 i) { return h(i) * unit(i); }) / n;
    EACH(i, n) {
        dx[start + i] = m.scale * (h(i) - mean - unit(i) * along);
    }
    if (own && lane == 0) {
        kept[2 * row] = m.mean;
        kept[2 * row + 1] = m.scale;
    }
}

ROWS(norm,
    (const float *x, const float *w, const float *b, float *y, i64 rows, i64 n, i64 weightRows, int centred, double eps),
    (x, w, b, y, rows, n, weightRows, centred, eps))
ROWS(norm_gradient,
    (const float *x, const float *w, const float *g, float *dx, float *kept, i64 rows, i64 n, i64 weightRows, int centred, double eps),
    (x, w, g, dx, kept, rows, n, weightRows, centred, eps))

// Sums of g x^ (and of g) over the rows of a chunk that share a weight: parts [chunks, outputs, width], width = weightRows n.
KERNEL norm_weights(const float *x, const float *g, const float *kept, float *parts, i64 rows, i64 n, i64 weightRows, i64 chunk,
        i64 chunks, int outputs) {
    i64 i = thread_index();
    i64 width = weightRows * n;
    if (i >= chunks * width) {
        return;
    }
    i64 column = i % width;
    i64 at = i / width;
    i64 groups = rows / weightRows;
    i64 end = min((at + 1) * chunk, groups);
    float dw = 0;
    float db = 0;
    for (i64 group = at * chunk; group < end; group++) {
        i64 row = group * weightRows + column / n;
        float slope = g[group * width + column];
        dw += slope * (x[group * width + column] - kept[2 * row]) * kept[2 * row + 1];
        db += slope;
    }
    parts[(at * outputs) * width + column] = dw;
    if (outputs > 1) {
        parts[(at * outputs + 1) * width + column] = db;
    }
}

// The parts of one output, in order.
KERNEL norm_join(const float *parts, float *y, i64 width, i64 chunks, int outputs, int output) {
    i64 i = thread_index();
    if (i < width) {
        float sum = 0;
        for (i64 at = 0; at < chunks; at++) {
            sum += parts[(at * outputs + output) * width + i];
        }
        y[i] = sum;
    }
}
