// What Gatun's kernels share. Lengths are 64-bit; a grid covers its work and every thread guards its own element.
#pragma once

typedef long long i64;

#define KERNEL extern "C" __global__ void

constexpr unsigned ALL = 0xFFFFFFFFu;

__device__ inline i64 thread_index() {
    return (i64) blockIdx.x * blockDim.x + threadIdx.x;
}

// The first index out of range is noted; the host throws when it next waits.
struct Faults {
    unsigned long long code;
    i64 index;
    i64 size;
};

__device__ inline void fault(Faults *faults, int code, i64 index, i64 size) {
    if (atomicCAS(&faults->code, 0ull, (unsigned long long) code) == 0) {
        faults->index = index;
        faults->size = size;
    }
}

struct Add {
    template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};

// The larger one, and NaN where one is NaN.
struct Largest {
    template <class T> __device__ T operator()(T a, T b) const { return a != a ? a : b != b ? b : a > b ? a : b; }
};

// Combines a value over the first SIZE lanes' neighbours; all lanes of a group get the result.
template <int SIZE, class T, class F> __device__ inline T over_lanes(T value, F combine) {
#pragma unroll
    for (int distance = SIZE / 2; distance > 0; distance /= 2) {
        value = combine(value, __shfl_xor_sync(ALL, value, distance));
    }
    return value;
}

// Combines a value over a group of GROUP threads, a warp or a whole block of GROUP threads; all of them get the result.
template <int GROUP, class T, class F> __device__ inline T over_group(T value, F combine, T *shared) {
    value = over_lanes<32>(value, combine);
    if (GROUP == 32) {
        return value;
    }
    constexpr int WARPS = GROUP / 32;
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        shared[threadIdx.x / 32] = value;
    }
    __syncthreads();
    value = shared[0];
#pragma unroll
    for (int warp = 1; warp < WARPS; warp++) {
        value = combine(value, shared[warp]);
    }
    return value;
}
