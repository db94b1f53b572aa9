package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.F;

import java.lang.foreign.MemorySegment;

/** The steps of channels that fade by themselves in plain loops, for where the Vector API is missing or not warm yet. */
final class ChannelPlain implements ChannelSteps {

    static final ChannelSteps STEPS = new ChannelPlain();

    private ChannelPlain() {}

    private static long at(int t, int d) {
        return t * ROW + d / SIDE * BLOCK + d % SIDE * 4L;
    }

    @Override
    public void running(MemorySegment s, long a, int n, int width, long since, long until) {
        for (int d = 0; d < width; d++) {
            float product = 1;
            for (int t = 0; t < n; t++) {
                product *= s.get(F, a + at(t, d));
                s.set(F, since + at(t, d), product);
            }
            product = 1;
            for (int t = n - 1; t >= 0; t--) {
                s.set(F, until + at(t, d), product);
                product *= s.get(F, a + at(t, d));
            }
        }
    }

    @Override
    public void multiply(MemorySegment s, long x, long y, int n, int width, long to) {
        for (int t = 0; t < n; t++) {
            for (int d = 0; d < width; d++) {
                s.set(F, to + at(t, d), s.get(F, x + at(t, d)) * s.get(F, y + at(t, d)));
            }
        }
    }

    @Override
    public void pairs(MemorySegment s, long q, long k, long a, int n, int width, long tile) {
        for (int i = 0; i < n; i++) {
            for (int t = 0; t < n; t++) {
                s.set(F, tile + i * ROW + t * 4L, 0);
            }
            for (int d = 0; d < width; d++) {
                float left = s.get(F, k + at(i, d));
                for (int t = i; t < n; t++) {
                    long to = tile + i * ROW + t * 4L;
                    left *= t == i ? 1 : s.get(F, a + at(t, d));
                    s.set(F, to, s.get(F, to) + s.get(F, q + at(t, d)) * left);
                }
            }
        }
    }

    @Override
    public void pairSlopes(MemorySegment s, long q, long k, long a, long slope, int n, int width, long dq, long dk) {
        for (int i = 0; i < n; i++) {
            for (int d = 0; d < width; d++) {
                float left = 1;
                float key = s.get(F, k + at(i, d));
                float sum = s.get(F, dk + at(i, d));
                for (int t = i + 1; t < n; t++) {
                    left *= s.get(F, a + at(t, d));
                    float weight = s.get(F, slope + i * ROW + t * 4L) * left;
                    s.set(F, dq + at(t, d), s.get(F, dq + at(t, d)) + weight * key);
                    sum += weight * s.get(F, q + at(t, d));
                }
                s.set(F, dk + at(i, d), sum);
            }
        }
    }

    @Override
    public void decaySlopes(MemorySegment s, long q, long dq, long k, long dk, long left, long before, int n, int width, long dg) {
        for (int d = 0; d < width; d++) {
            float sum = s.get(F, before + at(0, d));
            for (int t = 0; t < n; t++) {
                s.set(F, dg + at(t, d), sum);
                sum += s.get(F, k + at(t, d)) * s.get(F, left + at(t, d));
            }
            sum = 0;
            for (int t = n - 1; t >= 0; t--) {
                sum += s.get(F, q + at(t, d)) * s.get(F, dq + at(t, d)) - s.get(F, k + at(t, d)) * s.get(F, dk + at(t, d));
                s.set(F, dg + at(t, d), s.get(F, dg + at(t, d)) + sum);
            }
        }
    }
}
