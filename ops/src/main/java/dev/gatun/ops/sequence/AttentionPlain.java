package dev.gatun.ops.sequence;

import java.lang.foreign.MemorySegment;

/** The steps of tiled attention in plain loops, for where the Vector API is missing or not warm yet. */
final class AttentionPlain implements AttentionSteps {

    static final AttentionSteps STEPS = new AttentionPlain();

    private AttentionPlain() {}

    @Override
    public int strip() {
        return SIDE;
    }

    @Override
    public void rows(MemorySegment s, long a, long b, long c, int n) {
        for (int r = 0; r < 8; r += 4) {
            for (int i = 0; i < SIDE; i += 4) {
                long to = c + r * ROW + i * 4L;
                clear(s, to);
                for (int done = 0; done < n; done += SIDE) {
                    long block = done / SIDE * BLOCK;
                    product(s, a + r * ROW + block, ROW, 4, b + i * 4L + block, to, Math.min(n - done, SIDE));
                }
            }
        }
    }

    @Override
    public void columns(MemorySegment s, long a, long b, long c, int n) {
        for (int r = 0; r < 8; r += 4) {
            for (int i = 0; i < SIDE; i += 4) {
                product(s, a + r * 4L, 4, ROW, b + i * 4L, c + r * ROW + i * 4L, n);
            }
        }
    }

    @Override
    public void fade(MemorySegment s, long c, long keep, int rows, int width) {
        for (int i = 0; i < rows; i++) {
            float k = s.get(F, keep + i * 4L);
            for (int d = 0; d < width; d++) {
                long at = c + i * ROW + d / SIDE * BLOCK + d % SIDE * 4L;
                s.set(F, at, k * s.get(F, at));
            }
        }
    }

    private static void clear(MemorySegment s, long c) {
        for (int r = 0; r < 4; r++) {
            for (int i = 0; i < 4; i++) {
                s.set(F, c + r * ROW + i * 4L, 0);
            }
        }
    }

    /** {@code c[4, 4] += a b}, with the 16 sums in registers. */
    private static void product(MemorySegment s, long a, long aRow, long aStep, long b, long c, int n) {
        float c00 = s.get(F, c + 0 * ROW + 0), c01 = s.get(F, c + 0 * ROW + 4),
                c02 = s.get(F, c + 0 * ROW + 8), c03 = s.get(F, c + 0 * ROW + 12);
        float c10 = s.get(F, c + 1 * ROW + 0), c11 = s.get(F, c + 1 * ROW + 4),
                c12 = s.get(F, c + 1 * ROW + 8), c13 = s.get(F, c + 1 * ROW + 12);
        float c20 = s.get(F, c + 2 * ROW + 0), c21 = s.get(F, c + 2 * ROW + 4),
                c22 = s.get(F, c + 2 * ROW + 8), c23 = s.get(F, c + 2 * ROW + 12);
        float c30 = s.get(F, c + 3 * ROW + 0), c31 = s.get(F, c + 3 * ROW + 4),
                c32 = s.get(F, c + 3 * ROW + 8), c33 = s.get(F, c + 3 * ROW + 12);
        for (int k = 0; k < n; k++) {
            long at = b + k * ROW;
            float b0 = s.get(F, at + 0), b1 = s.get(F, at + 4), b2 = s.get(F, at + 8), b3 = s.get(F, at + 12);
            long by = a + k * aStep;
            float a0 = s.get(F, by + 0 * aRow);
            c00 += a0 * b0;
            c01 += a0 * b1;
            c02 += a0 * b2;
            c03 += a0 * b3;
            float a1 = s.get(F, by + 1 * aRow);
            c10 += a1 * b0;
            c11 += a1 * b1;
            c12 += a1 * b2;
            c13 += a1 * b3;
            float a2 = s.get(F, by + 2 * aRow);
            c20 += a2 * b0;
            c21 += a2 * b1;
            c22 += a2 * b2;
            c23 += a2 * b3;
            float a3 = s.get(F, by + 3 * aRow);
            c30 += a3 * b0;
            c31 += a3 * b1;
            c32 += a3 * b2;
            c33 += a3 * b3;
        }
        s.set(F, c + 0 * ROW + 0, c00);
        s.set(F, c + 0 * ROW + 4, c01);
        s.set(F, c + 0 * ROW + 8, c02);
        s.set(F, c + 0 * ROW + 12, c03);
        s.set(F, c + 1 * ROW + 0, c10);
        s.set(F, c + 1 * ROW + 4, c11);
        s.set(F, c + 1 * ROW + 8, c12);
        s.set(F, c + 1 * ROW + 12, c13);
        s.set(F, c + 2 * ROW + 0, c20);
        s.set(F, c + 2 * ROW + 4, c21);
        s.set(F, c + 2 * ROW + 8, c22);
        s.set(F, c + 2 * ROW + 12, c23);
        s.set(F, c + 3 * ROW + 0, c30);
        s.set(F, c + 3 * ROW + 4, c31);
        s.set(F, c + 3 * ROW + 8, c32);
        s.set(F, c + 3 * ROW + 12, c33);
    }

    @Override
    public void scores(MemorySegment s, long q, MemorySegment k, long at, long rowBytes, int n, int width, long scores) {
        for (int j = 0; j < n; j++) {
            long row = at + j * rowBytes;
            float even = 0;
            float odd = 0;
            int d = 0;
            for (; d + 1 < width; d += 2) {
                even += s.get(F, q + d * 4L) * k.get(F, row + d * 4L);
                odd += s.get(F, q + d * 4L + 4) * k.get(F, row + d * 4L + 4);
            }
            if (d < width) {
                even += s.get(F, q + d * 4L) * k.get(F, row + d * 4L);
            }
            s.set(F, scores + j * ROW, even + odd);
        }
    }

    @Override
    public void mix(MemorySegment s, long weights, MemorySegment v, long at, long rowBytes, int n, int width, long sum) {
        for (int j = 0; j < n; j++) {
            float p = s.get(F, weights + j * ROW);
            for (int d = 0; d < width; d++) {
                long to = sum + d / SIDE * BLOCK + d % SIDE * 4L;
                s.set(F, to, s.get(F, to) + p * v.get(F, at + j * rowBytes + d * 4L));
            }
        }
    }

    @Override
    public void fill(MemorySegment s, long at, int n, float x) {
        for (int i = 0; i < n; i++) {
            s.set(F, at + i * 4L, x);
        }
    }

    @Override
    public void pack(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long to) {
        for (int r = 0; r < rows; r++) {
            for (int d = 0; d < width; d += SIDE) {
                int n = Math.min(SIDE, width - d);
                long into = to + d / SIDE * BLOCK + r * ROW;
                MemorySegment.copy(x, at + r * rowBytes + d * 4L, s, into, n * 4L);
                fill(s, into + n * 4L, SIDE - n, 0);
            }
        }
    }

    @Override
    public void unpack(MemorySegment s, long from, float scale, int width, MemorySegment x, long at) {
        for (int d = 0; d < width; d++) {
            x.set(F, at + d * 4L, scale * s.get(F, from + d / SIDE * BLOCK + d % SIDE * 4L));
        }
    }

    @Override
    public void addTo(MemorySegment s, long from, float scale, int rows, int width, MemorySegment x, long at, long rowBytes) {
        for (int r = 0; r < rows; r++) {
            for (int d = 0; d < width; d++) {
                long to = at + r * rowBytes + d * 4L;
                x.set(F, to, x.get(F, to) + scale * s.get(F, from + r * ROW + d * 4L));
            }
        }
    }

    @Override
    public void cap(MemorySegment s, long at, int n, float cap) {
        for (int i = 0; i < n; i++) {
            s.set(F, at + i * 4L, cap * (float) Math.tanh(s.get(F, at + i * 4L)));
        }
    }

    @Override
    public void rise(MemorySegment s, long scores, int keys, int queries, long max, long keep) {
        for (int i = 0; i < queries; i++) {
            float old = s.get(F, max + i * 4L);
            float m = old;
            for (int j = 0; j < keys; j++) {
                float x = s.get(F, scores + j * ROW + i * 4L);
                m = m > x ? m : x;
            }
            s.set(F, max + i * 4L, m);
            s.set(F, keep + i * 4L, exp(old - Math.max(m, -Float.MAX_VALUE)));
        }
    }

    @Override
    public void weigh(MemorySegment s, long scores, int keys, int queries, long max, long sum, long keep) {
        for (int i = 0; i < queries; i++) {
            float base = Math.max(s.get(F, max + i * 4L), -Float.MAX_VALUE);
            float total = s.get(F, keep + i * 4L) * s.get(F, sum + i * 4L);
            for (int j = 0; j < keys; j++) {
                long at = scores + j * ROW + i * 4L;
                float p = exp(s.get(F, at) - base);
                s.set(F, at, p);
                total += p;
            }
            s.set(F, sum + i * 4L, total);
        }
    }

    @Override
    public void slopes(MemorySegment s, long scores, long slopes, int keys, long top, long delta, float uncap) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < SIDE; i++) {
                long at = j * ROW + i * 4L;
                float x = s.get(F, scores + at);
                float p = exp(x - s.get(F, top + i * 4L));
                s.set(F, scores + at, p);
                float bend = x * uncap;
                float slope = (p - bend * bend * p) * (s.get(F, slopes + at) - s.get(F, delta + i * 4L));
                s.set(F, slopes + at, x == Float.NEGATIVE_INFINITY ? 0 : slope);
            }
        }
    }

    @Override
    public void dots(MemorySegment s, long a, long b, int n, long to) {
        fill(s, to, SIDE, 0);
        for (int d = 0; d < n; d++) {
            for (int i = 0; i < SIDE; i++) {
                long at = d * ROW + i * 4L;
                s.set(F, to + i * 4L, s.get(F, to + i * 4L) + s.get(F, a + at) * s.get(F, b + at));
            }
        }
    }

    /** As the vectors do it: the power of 2 that t log2(e) is, for t of at most 80. */
    static float exp(float t) {
        float bounded = Math.max(t * LOG2E, -127f);
        float z = bounded + MAGIC;
        float f = bounded - (z - MAGIC);
        float e = 1f + f * (E1 + f * (E2 + f * (E3 + f * (E4 + f * (E5 + f * E6)))));
        return e * Float.intBitsToFloat(Float.floatToRawIntBits(z) << 23);
    }
}
