// Rotary positions: pairs of features turned by angles that grow with the position.
#include "gatun.cuh"

constexpr int AXES = 8;

// Where rows of x [..., T, K] start: sizes of the axes in front of the last, the outermost first, and their strides.
struct Lines {
    i64 axes;
    i64 size[AXES];
    i64 stride[AXES];
};

// Sine and cosine of an angle below 2^30: quarter turns are taken off in three parts, and polynomials do the rest.
__device__ void turn(double angle, double *sine, double *cosine) {
    double k = rint(angle * 0.6366197723675814);
    double r = fma(k, -1.5707963267948966, angle);
    r = fma(k, -6.123233995736766e-17, r);
    r = fma(k, 1.4973849048591698e-33, r);
    double z = r * r;
    double s = 1.5896666767038679e-10;
    s = fma(s, z, -2.505075596665037e-08);
    s = fma(s, z, 2.755731367870642e-06);
    s = fma(s, z, -0.0001984126982977132);
    s = fma(s, z, 0.00833333333332237);
    s = fma(s, z, -0.16666666666666632);
    s = fma(r * z, s, r);
    double c = -1.1359559113917042e-11;
    c = fma(c, z, 2.0875721620846798e-09);
    c = fma(c, z, -2.7557314340650693e-07);
    c = fma(c, z, 2.4801587289443505e-05);
    c = fma(c, z, -0.0013888888888874064);
    c = fma(c, z, 0.0416666666666666);
    c = fma(c, z, -0.5);
    c = fma(c, z, 1.0);
    i64 quarter = (i64) k;
    *sine = quarter & 1 ? c : s;
    *cosine = quarter & 1 ? s : c;
    if (quarter & 2) {
        *sine = -*sine;
    }
    if ((quarter + 1) & 2) {
        *cosine = -*cosine;
    }
}

// Cosines and sines [time, half, 2] of all positions, computed in double.
KERNEL rope_table(float *table, i64 time, i64 half, double position, double log2Base, int back) {
    i64 i = thread_index();
    if (i < time * half) {
        double angle = (position + (double) (i / half)) * exp2(-(double) (i % half) / (double) half * log2Base);
        double sine, cosine;
        turn(angle, &sine, &cosine);
        table[2 * i] = (float) cosine;
        table[2 * i + 1] = (float) (back ? -sine : sine);
    }
}

// A thread for each pair, and for each feature behind the rotated ones.
KERNEL rope(const float *x, float *y, const float *table, Lines lines, i64 rows, i64 time, i64 width, i64 half, int interleaved) {
    i64 i = thread_index();
    i64 items = width - half;
    if (i >= rows * items) {
        return;
    }
    i64 row = i / items;
    i64 item = i % items;
    i64 rest = row;
    for (int axis = (int) lines.axes - 1; axis >= 0; axis--) {
        x += rest % lines.size[axis] * lines.stride[axis];
        rest /= lines.size[axis];
    }
    y += row * width;
    if (item >= half) {
        y[item + half] = x[item + half];
        return;
    }
    i64 first = interleaved ? 2 * item : item;
    i64 second = interleaved ? first + 1 : item + half;
    const float *turn = table + (row % time * half + item) * 2;
    float a = x[first];
    float b = x[second];
    y[first] = __fsub_rn(__fmul_rn(a, turn[0]), __fmul_rn(b, turn[1]));
    y[second] = __fadd_rn(__fmul_rn(b, turn[0]), __fmul_rn(a, turn[1]));
}
