// Matrix products of a batch, c[b] = a[b] b[b], by tiles of threads that hold squares of the result in registers. Matrices
// have any strides of which one is 1; sums of a long inner axis may be cut into splits that are added up in order later.
#include "gatun.cuh"

constexpr int AXES = 6;
constexpr int THREADS = 256;

// Where the matrices of a batch lie: sizes of its axes, the outermost first, and the steps of a and b along them.
struct Batch {
    i64 axes;
    i64 size[AXES];
    i64 a[AXES];
    i64 b[AXES];
};

template <class T> struct Quad;
template <> struct Quad<float> { typedef float4 type; };
template <> struct Quad<double> { typedef double4 type; };

// One operand's share of a thread: LOADS numbers of each tile of SIDE lines by STEP, fetched to registers while the tile before
// is multiplied, then kept in shared memory. ALONG: neighbours in memory lie along the step, else along the lines.
template <class T, int SIDE, int STEP, bool ALONG> struct Loads {
    static constexpr int LOADS = SIDE * STEP / THREADS;

    const T *at;
    i64 hop;
    int line;
    int step;
    unsigned there;
    T next[LOADS];

    __device__ Loads(const T *x, i64 first, i64 lines, i64 lead, i64 from) {
        line = ALONG ? threadIdx.x / STEP : threadIdx.x % SIDE;
        step = ALONG ? threadIdx.x % STEP : threadIdx.x / SIDE;
        at = x + (ALONG ? (first + line) * lead + from + step : (from + step) * lead + first + line);
        hop = ALONG ? THREADS / STEP * lead : THREADS / SIDE * lead;
        there = 0;
#pragma unroll
        for (int l = 0; l < LOADS; l++) {
            there |= (unsigned) (first + line + (ALONG ? l * (THREADS / STEP) : 0) < lines) << l;
        }
    }

    // Steps from `left` on are behind the end.
    __device__ void fetch(int left) {
        const T *p = at;
#pragma unroll
        for (int l = 0; l < LOADS; l++) {
            bool valid = there >> l & 1 && step + (ALONG ? 0 : l * (THREADS / SIDE)) < left;
            next[l] = valid ? *p : (T) 0;
            p += hop;
        }
        at = ALONG ? at + STEP : p; // hops across all lines of a tile, or down all its steps
    }

    __device__ void keep(T (*tile)[SIDE + 4]) {
#pragma unroll
        for (int l = 0; l < LOADS; l++) {
            tile[step + (ALONG ? 0 : l * (THREADS / SIDE))][line + (ALONG ? l * (THREADS / STEP) : 0)] = next[l];
        }
    }
};

// SIDE x SIDE numbers of the result by a block of 16 x 16 threads, STEP of the inner axis at a time, in two buffers. A_ALONG:
// neighbours of a lie along the inner axis (else along rows); B_ALONG: those of b do (else along columns).
template <class T, int SIDE, int STEP, bool A_ALONG, bool B_ALONG>
__device__ void product(const T *a, const T *b, T *c, Batch batch, i64 rows, i64 columns, i64 inner, i64 aLead, i64 bLead,
        i64 chunk, i64 splits, i64 first) {
    constexpr int OWN = SIDE / 16;
    __shared__ __align__(16) T as[2][STEP][SIDE + 4];
    __shared__ __align__(16) T bs[2][STEP][SIDE + 4];
    i64 matrix = first + blockIdx.z / splits;
    i64 split = blockIdx.z % splits;
    i64 rest = matrix;
    for (int axis = (int) batch.axes - 1; axis >= 0; axis--) {
        i64 at = rest % batch.size[axis];
        rest /= batch.size[axis];
        a += at * batch.a[axis];
        b += at * batch.b[axis];
    }
    c += (matrix * splits + split) * rows * columns;
    i64 row = (i64) blockIdx.x * SIDE;
    i64 column = (i64) blockIdx.y * SIDE;
    i64 from = split * chunk;
    int left = (int) min(chunk, inner - from);
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;

    Loads<T, SIDE, STEP, A_ALONG> loadA(a, row, rows, aLead, from);
    Loads<T, SIDE, STEP, B_ALONG> loadB(b, column, columns, bLead, from);
    T sum[OWN][OWN] = {};
    loadA.fetch(left);
    loadB.fetch(left);
    loadA.keep(as[0]);
    loadB.keep(bs[0]);
    __syncthreads();
    int buffer = 0;
    while (left > 0) {
        left -= STEP;
        if (left > 0) {
            loadA.fetch(left);
            loadB.fetch(left);
        }
#pragma unroll 2
        for (int s = 0; s < STEP; s++) {
            T x[OWN];
            T y[OWN];
            // squares of four, so that a quad is one load and neighbouring threads read neighbouring quads
#pragma unroll
            for (int q = 0; q < OWN / 4; q++) {
                typedef typename Quad<T>::type Four;
                Four f = *(const Four *) &as[buffer][s][q * 64 + ty * 4];
                x[4 * q] = f.x, x[4 * q + 1] = f.y, x[4 * q + 2] = f.z, x[4 * q + 3] = f.w;
                Four g = *(const Four *) &bs[buffer][s][q * 64 + tx * 4];
                y[4 * q] = g.x, y[4 * q + 1] = g.y, y[4 * q + 2] = g.z, y[4 * q + 3] = g.w;
            }
#pragma unroll
            for (int i = 0; i < OWN; i++) {
#pragma unroll
                for (int j = 0; j < OWN; j++) {
                    sum[i][j] += x[i] * y[j];
                }
            }
        }
        if (left > 0) {
            loadA.keep(as[1 - buffer]);
            loadB.keep(bs[1 - buffer]);
        }
        __syncthreads();
        buffer = 1 - buffer;
    }
#pragma unroll
    for (int i = 0; i < OWN; i++) {
        i64 r = row + i / 4 * 64 + ty * 4 + i % 4;
#pragma unroll
        for (int j = 0; j < OWN; j++) {
            i64 n = column + j / 4 * 64 + tx * 4 + j % 4;
            if (r < rows && n < columns) {
                c[r * columns + n] = sum[i][j];
            }
        }
    }
}

#define PRODUCT(NAME, T, SIDE, STEP, A_ALONG, B_ALONG) \
    extern "C" __global__ void __launch_bounds__(THREADS, 2) NAME(const T *a, const T *b, T *c, Batch batch, i64 rows, \
            i64 columns, i64 inner, i64 aLead, i64 bLead, i64 chunk, i64 splits, i64 first) { \
        product<T, SIDE, STEP, A_ALONG, B_ALONG>(a, b, c, batch, rows, columns, inner, aLead, bLead, chunk, splits, first); \
    }

#define PRODUCTS(NAME, T, SIDE, STEP) \
    PRODUCT(NAME##_nn, T, SIDE, STEP, true, false) \
    PRODUCT(NAME##_nt, T, SIDE, STEP, true, true) \
    PRODUCT(NAME##_tn, T, SIDE, STEP, false, false) \
    PRODUCT(NAME##_tt, T, SIDE, STEP, false, true)

PRODUCTS(product_f32_128, float, 128, 8)
PRODUCTS(product_f32_64, float, 64, 16)
PRODUCTS(product_f64_64, double, 64, 8)

// c [matrices, n] from splits [matrices, splits, n], in order.
template <class T> __device__ void join(const T *splits, T *c, i64 matrices, i64 count, i64 n) {
    i64 i = thread_index();
    if (i < matrices * n) {
        const T *at = splits + i / n * count * n + i % n;
        T sum = at[0];
        for (i64 s = 1; s < count; s++) {
            sum += at[s * n];
        }
        c[i] = sum;
    }
}

KERNEL join_f32(const float *splits, float *c, i64 matrices, i64 count, i64 n) { join(splits, c, matrices, count, n); }
KERNEL join_f64(const double *splits, double *c, i64 matrices, i64 count, i64 n) { join(splits, c, matrices, count, n); }
