// Rows of a table picked by whole numbers, and gradients added back to them.
#include "gatun.cuh"

constexpr int BLOCK = 128;
constexpr int RUN = 64;

__device__ inline i64 whole(const void *x, int bytes, i64 i) {
    return bytes == 8 ? ((const i64 *) x)[i] : (i64) ((const int *) x)[i];
}

// weight [rows, width], ids [count], y [count, width]
KERNEL embedding(const float *weight, const void *ids, int idBytes, float *y, i64 count, i64 rows, i64 width, Faults *faults, int code) {
    i64 i = thread_index();
    if (i >= count * width) {
        return;
    }
    i64 id = whole(ids, idBytes, i / width);
    if (id < 0 || id >= rows) {
        fault(faults, code, id, rows);
        y[i] = NAN;
    } else {
        y[i] = weight[id * width + i % width];
    }
}

// A block owns BLOCK columns of one row of the table. It looks at BLOCK ids at a time, and adds the rows of g whose id is its
// own in the order of their places: runs of 64 first, so that no sum has a long chain.
KERNEL embedding_gradient(const float *g, const void *ids, int idBytes, float *y, i64 count, i64 rows, i64 width, Faults *faults, int code) {
    __shared__ int places[BLOCK];
    __shared__ int found[BLOCK / 32];
    i64 row = blockIdx.x;
    i64 column = (i64) blockIdx.y * BLOCK + threadIdx.x;
    int warp = threadIdx.x / 32;
    float sum = 0;
    float run = 0;
    int length = 0;
    for (i64 first = 0; first < count; first += BLOCK) {
        i64 place = first + threadIdx.x;
        i64 id = place < count ? whole(ids, idBytes, place) : row + 1;
        if (place < count && (id < 0 || id >= rows)) {
            fault(faults, code, id, rows);
        }
        bool mine = place < count && id == row;
        unsigned votes = __ballot_sync(ALL, mine);
        if (threadIdx.x % 32 == 0) {
            found[warp] = __popc(votes);
        }
        __syncthreads();
        int before = 0;
        int all = 0;
#pragma unroll
        for (int w = 0; w < BLOCK / 32; w++) {
            before += w < warp ? found[w] : 0;
            all += found[w];
        }
        if (mine) {
            places[before + __popc(votes & ((1u << threadIdx.x % 32) - 1))] = threadIdx.x;
        }
        __syncthreads();
        if (column < width) {
            for (int i = 0; i < all; i++) {
                run += g[(first + places[i]) * width + column];
                if (++length == RUN) {
                    sum += run;
                    run = 0;
                    length = 0;
                }
            }
        }
    }
    if (column < width) {
        y[row * width + column] = sum + run;
    }
}
