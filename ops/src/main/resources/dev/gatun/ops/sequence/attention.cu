// Softmax attention by tiles, forward and backward: no matrix of scores is ever stored. 16 x 16 threads hold a tile of scores
// and a tile of the result in registers; queries, keys and values lie in shared memory, padded to D features. A tile that no
// query sees is skipped. Sums have one order: no atomics.
#include "gatun.cuh"

constexpr int THREADS = 256;

// A tensor [B, H, T, width] with any steps but neighbours along its last axis.
struct Walk {
    i64 batch;
    i64 head;
    i64 time;
};

// Which keys a query sees: those up to its own position i + offset if causal, with a window the last of them and the first
// `prefix` ones. Scores are scaled, and bent to stay within the cap if it is not 0.
struct Sees {
    int offset;
    int causal;
    int window;
    int prefix;
};

struct Sizes {
    int heads;
    int keyHeads;
    int queries;
    int keys;
    int keyWidth;
    int width;
};

__device__ inline bool sees(const Sees &s, int query, int key) {
    int position = query + s.offset;
    return (!s.causal || key <= position) && (s.window == 0 || key > position - s.window || key < s.prefix);
}

// The key after the last that queries up to this one see.
__device__ inline int end_of_keys(const Sees &s, int lastQuery, int keys) {
    return s.causal ? max(0, min(keys, lastQuery + s.offset + 1)) : keys;
}

// Whether all keys of a tile lie behind the window of the first query.
__device__ inline bool passed(const Sees &s, int firstQuery, int key, int tile) {
    return s.window > 0 && key >= s.prefix && key + tile - 1 <= firstQuery + s.offset - s.window;
}

__device__ inline float bent(float score, float cap) {
    return cap == 0 ? score : cap * tanhf(score / cap);
}

// Rows [first, first + ROWS) of a matrix with `width` columns, zeros behind its ends.
template <int ROWS, int D> __device__ void load(float (*tile)[D + 4], const float *x, i64 step, int first, int rows, int width) {
    int d = threadIdx.x % D;
    int r = threadIdx.x / D;
    int left = rows - first;
    const float *at = x + (i64) (first + r) * step + d;
#pragma unroll 2
    for (; r < ROWS; r += THREADS / D) {
        tile[r][d] = r < left && d < width ? *at : 0;
        at += THREADS / D * step;
    }
}

// sum[r][c] = <a of row ty * R + r, b of row tx + 16 c>
template <int R, int C, int D> __device__ void products(float (&sum)[R][C], const float (*a)[D + 4], const float (*b)[D + 4]) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
        for (int c = 0; c < C; c++) {
            sum[r][c] = 0;
        }
    }
#pragma unroll 4
    for (int d = 0; d < D; d += 4) {
        float4 x[R];
        float4 y[C];
#pragma unroll
        for (int r = 0; r < R; r++) {
            x[r] = *(const float4 *) &a[ty * R + r][d];
        }
#pragma unroll
        for (int c = 0; c < C; c++) {
            y[c] = *(const float4 *) &b[tx + 16 * c][d];
        }
#pragma unroll
        for (int r = 0; r < R; r++) {
#pragma unroll
            for (int c = 0; c < C; c++) {
                sum[r][c] += x[r].x * y[c].x;
                sum[r][c] += x[r].y * y[c].y;
                sum[r][c] += x[r].z * y[c].z;
                sum[r][c] += x[r].w * y[c].w;
            }
        }
    }
}

// sum[r][c] += over j of p[ty * R + r][j] x[j][tx * C + c]
template <int R, int C, int INNER, int D> __device__ void along_rows(float (&sum)[R][C], const float (*p)[INNER + 4], const float (*x)[D + 4]) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll 4
    for (int j = 0; j < INNER; j++) {
#pragma unroll
        for (int r = 0; r < R; r++) {
            float factor = p[ty * R + r][j];
#pragma unroll
            for (int c = 0; c < C; c++) {
                sum[r][c] += factor * x[j][tx * C + c];
            }
        }
    }
}

// sum[r][c] += over i of p[i][ty * R + r] x[i][tx * C + c]
template <int R, int C, int OUTER, int INNER, int D> __device__ void along_columns(float (&sum)[R][C], const float (*p)[INNER + 4], const float (*x)[D + 4]) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll 4
    for (int i = 0; i < OUTER; i++) {
#pragma unroll
        for (int r = 0; r < R; r++) {
            float factor = p[i][ty * R + r];
#pragma unroll
            for (int c = 0; c < C; c++) {
                sum[r][c] += factor * x[i][tx * C + c];
            }
        }
    }
}

template <int R, int C> __device__ void clear(float (&sum)[R][C]) {
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
        for (int c = 0; c < C; c++) {
            sum[r][c] = 0;
        }
    }
}

// Writes rows ty * R + r, columns tx * C + c.
template <int R, int C> __device__ void store(const float (&sum)[R][C], float *y, int first, int rows, int width, float factor) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll
    for (int r = 0; r < R; r++) {
        int row = first + ty * R + r;
#pragma unroll
        for (int c = 0; c < C; c++) {
            int column = tx * C + c;
            if (row < rows && column < width) {
                y[(i64) row * width + column] = sum[r][c] * factor;
            }
        }
    }
}

// One block: a tile of queries of one head. o [B, H, Tq, V] and lse [B, H, Tq] lie row by row.
template <int D, int QUERIES, int KEYS>
__device__ void forward(const float *q, const float *k, const float *v, const unsigned char *mask, float *o, float *lse, Sizes n,
        Walk qWalk, Walk kWalk, Walk vWalk, Sees s, float scale, float cap) {
    constexpr int R = QUERIES / 16;
    constexpr int C = KEYS / 16;
    constexpr int W = D / 16;
    extern __shared__ __align__(16) float shared[];
    auto qs = (float (*)[D + 4]) shared;
    auto ks = qs + QUERIES;
    auto vs = ks + KEYS;
    auto ps = (float (*)[KEYS + 4]) (vs + KEYS);
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
    int first = blockIdx.x * QUERIES;
    int head = blockIdx.y;
    int batch = blockIdx.z;
    int keyHead = head / (n.heads / n.keyHeads);
    q += batch * qWalk.batch + head * qWalk.head;
    k += batch * kWalk.batch + keyHead * kWalk.head;
    v += batch * vWalk.batch + keyHead * vWalk.head;
    mask = mask ? mask + (i64) batch * n.keys : mask;
    load<QUERIES, D>(qs, q, qWalk.time, first, n.queries, n.keyWidth);

    float largest[R];
    float sum[R];
    float result[R][W];
    clear(result);
#pragma unroll
    for (int r = 0; r < R; r++) {
        largest[r] = -INFINITY;
        sum[r] = 0;
    }
    int end = end_of_keys(s, min(first + QUERIES, n.queries) - 1, n.keys);
    for (int key = 0; key < end; key += KEYS) {
        if (passed(s, first, key, KEYS)) {
            continue;
        }
        __syncthreads();
        load<KEYS, D>(ks, k, kWalk.time, key, n.keys, n.keyWidth);
        load<KEYS, D>(vs, v, vWalk.time, key, n.keys, n.width);
        __syncthreads();
        float score[R][C];
        products<R, C, D>(score, qs, ks);
#pragma unroll
        for (int r = 0; r < R; r++) {
            int query = first + ty * R + r;
            float most = -INFINITY;
#pragma unroll
            for (int c = 0; c < C; c++) {
                int at = key + tx + 16 * c;
                bool seen = at < n.keys && sees(s, query, at) && (!mask || mask[at]);
                score[r][c] = seen ? bent(score[r][c] * scale, cap) : -INFINITY;
                most = fmaxf(most, score[r][c]);
            }
            most = fmaxf(largest[r], over_lanes<16>(most, [](float a, float b) { return fmaxf(a, b); }));
            float base = most == -INFINITY ? 0 : most;
            float shrink = expf(largest[r] - base);
            float added = 0;
#pragma unroll
            for (int c = 0; c < C; c++) {
                float share = expf(score[r][c] - base);
                ps[ty * R + r][tx + 16 * c] = share;
                added += share;
            }
            sum[r] = sum[r] * shrink + over_lanes<16>(added, Add());
            largest[r] = most;
#pragma unroll
            for (int c = 0; c < W; c++) {
                result[r][c] *= shrink;
            }
        }
        __syncwarp(); // a warp reads the rows that it wrote
        along_rows<R, W, KEYS, D>(result, ps, vs);
    }
    i64 row = (i64) (batch * n.heads + head) * n.queries;
#pragma unroll
    for (int r = 0; r < R; r++) {
        int query = first + ty * R + r;
        float factor = sum[r] == 0 ? 0 : 1 / sum[r];
#pragma unroll
        for (int c = 0; c < W; c++) {
            result[r][c] *= factor;
        }
        if (tx == 0 && query < n.queries) {
            lse[row + query] = sum[r] == 0 ? -INFINITY : largest[r] + logf(sum[r]);
        }
    }
    store(result, o + row * n.width, first, n.queries, n.width, 1);
}

// delta_i = <g_i, o_i> - glse_i, a warp for each row
KERNEL attention_delta(const float *o, const float *g, const float *glse, float *delta, Sizes n, Walk oWalk, Walk gWalk, i64 rows) {
    i64 row = thread_index() / 32;
    if (row >= rows) {
        return;
    }
    i64 query = row % n.queries;
    i64 head = row / n.queries % n.heads;
    i64 batch = row / n.queries / n.heads;
    o += batch * oWalk.batch + head * oWalk.head + query * oWalk.time;
    g += batch * gWalk.batch + head * gWalk.head + query * gWalk.time;
    float sum = 0;
    for (i64 i = threadIdx.x % 32; i < n.width; i += 32) {
        sum += o[i] * g[i];
    }
    sum = over_lanes<32>(sum, Add());
    if (threadIdx.x % 32 == 0) {
        delta[row] = sum - glse[row];
    }
}

// P and dS / scale of a tile, from the scores' and the gradients' products.
template <int R, int C>
__device__ void slopes(float (&p)[R][C], float (&ds)[R][C], const float *lse, const float *delta, const unsigned char *mask, Sizes n,
        Sees s, float scale, float cap, int firstQuery, int firstKey) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll
    for (int r = 0; r < R; r++) {
        int query = firstQuery + ty * R + r;
        bool there = query < n.queries;
        float log = there ? lse[query] : 0;
        float less = there ? delta[query] : 0;
#pragma unroll
        for (int c = 0; c < C; c++) {
            int key = firstKey + tx + 16 * c;
            bool seen = there && key < n.keys && sees(s, query, key) && (!mask || mask[key]);
            float score = bent(p[r][c] * scale, cap);
            float share = seen ? expf(score - log) : 0;
            float bend = cap == 0 ? 0 : score / cap;
            p[r][c] = share;
            ds[r][c] = seen ? share * (ds[r][c] - less) * (1 - bend * bend) : 0;
        }
    }
}

template <int R, int C, int INNER> __device__ void spread(float (*to)[INNER + 4], const float (&x)[R][C]) {
    int tx = threadIdx.x % 16;
    int ty = threadIdx.x / 16;
#pragma unroll
    for (int r = 0; r < R; r++) {
#pragma unroll
        for (int c = 0; c < C; c++) {
            to[ty * R + r][tx + 16 * c] = x[r][c];
        }
    }
}

// One block: a tile of queries of one head. dq_i = scale * sum over j of dS_ij k_j
template <int D, int TILE>
__device__ void backward_queries(const float *q, const float *k, const float *v, const float *g, const float *lse, const float *delta,
        const unsigned char *mask, float *dq, Sizes n, Walk qWalk, Walk kWalk, Walk vWalk, Walk gWalk, Sees s, float scale, float cap) {
    constexpr int R = TILE / 16;
    constexpr int W = D / 16;
    extern __shared__ __align__(16) float shared[];
    auto qs = (float (*)[D + 4]) shared;
    auto gs = qs + TILE;
    auto ks = gs + TILE;
    auto vs = ks + TILE;
    auto ps = (float (*)[TILE + 4]) (vs + TILE);
    int first = blockIdx.x * TILE;
    int head = blockIdx.y;
    int batch = blockIdx.z;
    int keyHead = head / (n.heads / n.keyHeads);
    i64 row = (i64) (batch * n.heads + head) * n.queries;
    k += batch * kWalk.batch + keyHead * kWalk.head;
    v += batch * vWalk.batch + keyHead * vWalk.head;
    mask = mask ? mask + (i64) batch * n.keys : mask;
    load<TILE, D>(qs, q + batch * qWalk.batch + head * qWalk.head, qWalk.time, first, n.queries, n.keyWidth);
    load<TILE, D>(gs, g + batch * gWalk.batch + head * gWalk.head, gWalk.time, first, n.queries, n.width);
    float result[R][W];
    clear(result);
    int end = end_of_keys(s, min(first + TILE, n.queries) - 1, n.keys);
    for (int key = 0; key < end; key += TILE) {
        if (passed(s, first, key, TILE)) {
            continue;
        }
        __syncthreads();
        load<TILE, D>(ks, k, kWalk.time, key, n.keys, n.keyWidth);
        load<TILE, D>(vs, v, vWalk.time, key, n.keys, n.width);
        __syncthreads();
        float p[R][R];
        float ds[R][R];
        products<R, R, D>(p, qs, ks);
        products<R, R, D>(ds, gs, vs);
        slopes(p, ds, lse + row, delta + row, mask, n, s, scale, cap, first, key);
        spread<R, R, TILE>(ps, ds);
        __syncwarp();
        along_rows<R, W, TILE, D>(result, ps, ks);
    }
    store(result, dq + row * n.keyWidth, first, n.queries, n.keyWidth, scale);
}

// One block: a tile of keys of one key head, and all query heads that share it.
// dv_j = sum over i of P_ij g_i, dk_j = scale * sum over i of dS_ij q_i
template <int D, int TILE>
__device__ void backward_keys(const float *q, const float *k, const float *v, const float *g, const float *lse, const float *delta,
        const unsigned char *mask, float *dk, float *dv, Sizes n, Walk qWalk, Walk kWalk, Walk vWalk, Walk gWalk, Sees s, float scale, float cap) {
    constexpr int R = TILE / 16;
    constexpr int W = D / 16;
    extern __shared__ __align__(16) float shared[];
    auto qs = (float (*)[D + 4]) shared;
    auto gs = qs + TILE;
    auto ks = gs + TILE;
    auto vs = ks + TILE;
    auto ps = (float (*)[TILE + 4]) (vs + TILE);
    int key = blockIdx.x * TILE;
    int keyHead = blockIdx.y;
    int batch = blockIdx.z;
    int group = n.heads / n.keyHeads;
    mask = mask ? mask + (i64) batch * n.keys : mask;
    load<TILE, D>(ks, k + batch * kWalk.batch + keyHead * kWalk.head, kWalk.time, key, n.keys, n.keyWidth);
    load<TILE, D>(vs, v + batch * vWalk.batch + keyHead * vWalk.head, vWalk.time, key, n.keys, n.width);
    float keySum[R][W];
    float valueSum[R][W];
    clear(keySum);
    clear(valueSum);
    int from = s.causal ? max(0, key - s.offset) / TILE * TILE : 0;
    int to = s.window > 0 && key >= s.prefix ? min(n.queries, key + TILE - 1 - s.offset + s.window) : n.queries;
    for (int head = keyHead * group; head < (keyHead + 1) * group; head++) {
        i64 row = (i64) (batch * n.heads + head) * n.queries;
        for (int first = from; first < to; first += TILE) {
            __syncthreads();
            load<TILE, D>(qs, q + batch * qWalk.batch + head * qWalk.head, qWalk.time, first, n.queries, n.keyWidth);
            load<TILE, D>(gs, g + batch * gWalk.batch + head * gWalk.head, gWalk.time, first, n.queries, n.width);
            __syncthreads();
            float p[R][R];
            float ds[R][R];
            products<R, R, D>(p, qs, ks);
            products<R, R, D>(ds, gs, vs);
            slopes(p, ds, lse + row, delta + row, mask, n, s, scale, cap, first, key);
            spread<R, R, TILE>(ps, p);
            __syncthreads();
            along_columns<R, W, TILE, TILE, D>(valueSum, ps, gs);
            __syncthreads();
            spread<R, R, TILE>(ps, ds);
            __syncthreads();
            along_columns<R, W, TILE, TILE, D>(keySum, ps, qs);
        }
    }
    i64 rows = (i64) (batch * n.keyHeads + keyHead) * n.keys;
    store(keySum, dk + rows * n.keyWidth, key, n.keys, n.keyWidth, scale);
    store(valueSum, dv + rows * n.width, key, n.keys, n.width, 1);
}

#define ATTENTION(D, QUERIES, KEYS, TILE) \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_##D(const float *q, const float *k, const float *v, \
            const unsigned char *mask, float *o, float *lse, Sizes n, Walk qWalk, Walk kWalk, Walk vWalk, Sees s, float scale, float cap) { \
        forward<D, QUERIES, KEYS>(q, k, v, mask, o, lse, n, qWalk, kWalk, vWalk, s, scale, cap); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_queries_##D(const float *q, const float *k, const float *v, \
            const float *g, const float *lse, const float *delta, const unsigned char *mask, float *dq, Sizes n, Walk qWalk, \
            Walk kWalk, Walk vWalk, Walk gWalk, Sees s, float scale, float cap) { \
        backward_queries<D, TILE>(q, k, v, g, lse, delta, mask, dq, n, qWalk, kWalk, vWalk, gWalk, s, scale, cap); \
    } \
    extern "C" __global__ void __launch_bounds__(THREADS, 1) attention_keys_##D(const float *q, const float *k, const float *v, \
            const float *g, const float *lse, const float *delta, const unsigned char *mask, float *dk, float *dv, Sizes n, Walk qWalk, \
            Walk kWalk, Walk vWalk, Walk gWalk, Sees s, float scale, float cap) { \
        backward_keys<D, TILE>(q, k, v, g, lse, delta, mask, dk, dv, n, qWalk, kWalk, vWalk, gWalk, s, scale, cap); \
    }

ATTENTION(32, 64, 64, 64)
ATTENTION(64, 64, 32, 32)
ATTENTION(128, 32, 32, 32)
