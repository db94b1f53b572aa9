// Random numbers: the bits of Threefry-2x32-20 of a key and a counter, and what the engine makes of them, operation by
// operation as on the host, so that the numbers are the same. Elements go in blocks of 32, which take 16 words of the key.
#include "gatun.cuh"

__device__ inline unsigned turned(unsigned x, int by) {
    return __funnelshift_l(x, x, by);
}

__device__ uint2 threefry(unsigned long long key, unsigned long long counter) {
    unsigned k[3] = {(unsigned) key, (unsigned) (key >> 32), 0};
    k[2] = 0x1BD11BDA ^ k[0] ^ k[1];
    unsigned x = (unsigned) counter + k[0];
    unsigned y = (unsigned) (counter >> 32) + k[1];
    const int even[4] = {13, 15, 26, 6};
    const int odd[4] = {17, 29, 16, 24};
#pragma unroll
    for (int four = 0; four < 5; four++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            x += y;
            y = turned(y, four % 2 == 0 ? even[i] : odd[i]) ^ x;
        }
        x += k[(four + 1) % 3];
        y += k[(four + 2) % 3] + four + 1;
    }
    return make_uint2(x, y);
}

__device__ inline uint2 word_of(i64 key, i64 element) {
    return threefry(key, (element >> 5) * 16 + (element & 15));
}

__device__ inline unsigned draw(i64 key, i64 element) {
    uint2 word = word_of(key, element);
    return (element & 16) == 0 ? word.x : word.y;
}

KERNEL uniform_f32(float *y, i64 n, i64 key, float low, float width) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = __fmaf_rn((float) (draw(key, i) >> 8) * 0x1p-24f, width, low);
    }
}

KERNEL uniform_f64(double *y, i64 n, i64 key, double low, double width) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = __dadd_rn(low, __dmul_rn(width, (double) draw(key, i) * 0x1p-32));
    }
}

KERNEL normal_f32(float *y, i64 n, i64 key) {
    i64 i = thread_index();
    if (i >= n) {
        return;
    }
    uint2 word = word_of(key, i);
    bool cosine = (i & 16) == 0;
    const float log[9] = {0.3333331048488617f, -0.24999986588954926f, 0.20002226531505585f, -0.16669246554374695f,
        0.14218665659427643f, -0.12384416908025742f, 0.11872994154691696f, -0.1178942620754242f, 0.06914873421192169f};
    int bits = __float_as_int(__fadd_rn((float) (int) (word.x >> 1), 0.5f));
    int exponent = (bits - 0x3F3504F3) >> 23;
    float f = __fadd_rn(__int_as_float(bits - (int) ((unsigned) exponent << 23)), -1);
    float e = (float) (exponent - 31);
    float p = log[8];
#pragma unroll
    for (int k = 7; k >= 0; k--) {
        p = __fmaf_rn(f, p, log[k]);
    }
    float rest = __fmaf_rn(__fmul_rn(f, f), __fmaf_rn(f, p, -0.5f), __fmul_rn(e, 1.428606765330187e-06f));
    float radius = __fsqrt_rn(__fmul_rn(-2, __fmaf_rn(e, 0.693145751953125f, __fadd_rn(f, rest))));

    int high = (int) word.y;
    int quarter = (int) (word.y + (1u << 29)) >> 30;
    float r = __fmul_rn((float) (high - (int) ((unsigned) quarter << 30)), (float) (3.141592653589793 / 2 * 0x1p-30));
    float z = __fmul_rn(r, r);
    float sin = __fmaf_rn(__fmul_rn(r, z), __fmaf_rn(z, __fmaf_rn(z, -0.00019516977772582322f, 0.008332176133990288f), -0.16666655242443085f), r);
    float cos = __fmaf_rn(z, __fmaf_rn(z, __fmaf_rn(z, __fmaf_rn(z, 2.4438089894829318e-05f, -0.0013887364184483886f), 0.04166664555668831f), -0.5f), 1);
    bool swapped = (quarter & 1) != 0;
    float value = __fmul_rn(radius, swapped == cosine ? sin : cos);
    y[i] = ((quarter + (cosine ? 1 : 0)) & 2) == 0 ? value : -value;
}

KERNEL bernoulli(unsigned char *y, i64 n, i64 key, int limit) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = (int) (draw(key, i) >> 8) < limit;
    }
}

KERNEL dropout_f32(const float *x, float *y, i64 n, i64 key, int limit, float scale) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = (int) (draw(key, i) >> 8) < limit ? __fmul_rn(x[i], scale) : 0;
    }
}

__device__ inline unsigned long long whole_word(i64 key, i64 i) {
    uint2 word = threefry(key, i);
    return (unsigned long long) word.y << 32 | word.x;
}

KERNEL integers(i64 *y, i64 n, i64 key, i64 from, i64 count) {
    i64 i = thread_index();
    if (i < n) {
        y[i] = from + (i64) __umul64hi(whole_word(key, i), (unsigned long long) count);
    }
}

// One thread: each place depends on those before (Fisher and Yates).
KERNEL permutation(i64 *order, i64 n, i64 key) {
    if (thread_index() == 0) {
        for (i64 i = 0; i < n; i++) {
            i64 place = (int) __umul64hi(whole_word(key, i), (unsigned long long) (i + 1));
            order[i] = order[place];
            order[place] = i;
        }
    }
}
