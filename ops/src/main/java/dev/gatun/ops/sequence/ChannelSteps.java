package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.F;

import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What sums that fade do when each channel fades by itself, on scratch memory as in {@link DecaySteps}: matrices of n steps with
 * channels side by side, a the decays (not their logarithms), and 0 behind the last channel of a block. Decays over several steps are products of
 * theirs, never quotients. Written twice: {@link Fast} and {@link ChannelPlain}.
 */
interface ChannelSteps {

    int SIDE = DecaySteps.SIDE;
    long ROW = DecaySteps.ROW;
    long BLOCK = DecaySteps.BLOCK;

    /** Decays from before the first step to each, {@code a_0 … a_t}, and from each step to the last, {@code a_{t+1} … a_{n-1}}. */
    void running(MemorySegment s, long a, int n, int width, long since, long until);

    /** {@code to = x y}. */
    void multiply(MemorySegment s, long x, long y, int n, int width, long to);

    /** {@code tile[i, t] = sum over channels of q_t k_i a_{i+1} … a_t} where {@code i <= t}, else 0. */
    void pairs(MemorySegment s, long q, long k, long a, int n, int width, long tile);

    /** {@code dq_t += slope[i, t] k_i a_{i+1} … a_t} and {@code dk_i += slope[i, t] q_t a_{i+1} … a_t} for all {@code i < t}. */
    void pairSlopes(MemorySegment s, long q, long k, long a, long slope, int n, int width, long dq, long dk);

    /**
     * {@code dg_t = before + sum over i < t of k_i left_i + sum over s >= t of (q_s dq_s - k_s dk_s)}, for each channel. Only what fades is summed: what
     * does not would drown it.
     */
    void decaySlopes(MemorySegment s, long q, long dq, long k, long dk, long left, long before, int n, int width, long dg);

    /** Vector API; the same rules as in {@link AttentionSteps.Fast}. */
    final class Fast implements ChannelSteps {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long W = S.vectorByteSize();

        @Override
        public void running(MemorySegment s, long a, int n, int width, long since, long until) {
            for (int d = 0; d < width; d += L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                FloatVector product = FloatVector.broadcast(S, 1f);
                for (int t = 0; t < n; t++) {
                    product = FloatVector.fromMemorySegment(S, s, a + t * ROW + column, NATIVE).mul(product);
                    product.intoMemorySegment(s, since + t * ROW + column, NATIVE);
                }
                product = FloatVector.broadcast(S, 1f);
                for (int t = n - 1; t >= 0; t--) {
                    product.intoMemorySegment(s, until + t * ROW + column, NATIVE);
                    product = FloatVector.fromMemorySegment(S, s, a + t * ROW + column, NATIVE).mul(product);
                }
            }
        }

        @Override
        public void multiply(MemorySegment s, long x, long y, int n, int width, long to) {
            for (int d = 0; d < width; d += L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                for (int t = 0; t < n; t++) {
                    long at = column + t * ROW;
                    FloatVector.fromMemorySegment(S, s, x + at, NATIVE).mul(FloatVector.fromMemorySegment(S, s, y + at, NATIVE))
                            .intoMemorySegment(s, to + at, NATIVE);
                }
            }
        }

        @Override
        public void pairs(MemorySegment s, long q, long k, long a, int n, int width, long tile) {
            for (int d = 0; d < width; d += 4 * L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                for (int i = 0; i < n; i++) {
                    for (int t = 0; t < i && d == 0; t++) {
                        s.set(F, tile + i * ROW + t * 4L, 0);
                    }
                    long key = k + i * ROW + column;
                    FloatVector k0 = FloatVector.fromMemorySegment(S, s, key, NATIVE);
                    FloatVector k1 = FloatVector.fromMemorySegment(S, s, key + W, NATIVE);
                    FloatVector k2 = FloatVector.fromMemorySegment(S, s, key + 2 * W, NATIVE);
                    FloatVector k3 = FloatVector.fromMemorySegment(S, s, key + 3 * W, NATIVE);
                    for (int t = i; t < n; t++) {
                        long query = q + t * ROW + column;
                        FloatVector p = FloatVector.fromMemorySegment(S, s, query, NATIVE).mul(k0);
                        p = FloatVector.fromMemorySegment(S, s, query + W, NATIVE).fma(k1, p);
                        p = FloatVector.fromMemorySegment(S, s, query + 2 * W, NATIVE).fma(k2, p);
                        FloatVector sum = FloatVector.fromMemorySegment(S, s, query + 3 * W, NATIVE).fma(k3, p);
                        // every lane becomes the sum of all: halves, quarters and so on are added, always in this order
                        if (L == 16) {
                            FloatVector half = sum.rearrange(Turns.TURN_8);
                            sum = half.add(sum);
                        }
                        if (L >= 8) {
                            FloatVector half = sum.rearrange(Turns.TURN_4);
                            sum = half.add(sum);
                        }
                        FloatVector half = sum.rearrange(Turns.TURN_2);
                        FloatVector two = half.add(sum);
                        long to = tile + i * ROW + t * 4L;
                        s.set(F, to, (d == 0 ? 0 : s.get(F, to)) + (two.lane(0) + two.lane(1)));
                        long decay = a + (t + 1) * ROW + column;
                        k0 = FloatVector.fromMemorySegment(S, s, decay, NATIVE).mul(k0);
                        k1 = FloatVector.fromMemorySegment(S, s, decay + W, NATIVE).mul(k1);
                        k2 = FloatVector.fromMemorySegment(S, s, decay + 2 * W, NATIVE).mul(k2);
                        k3 = FloatVector.fromMemorySegment(S, s, decay + 3 * W, NATIVE).mul(k3);
                    }
                }
            }
        }

        @Override
        public void pairSlopes(MemorySegment s, long q, long k, long a, long slope, int n, int width, long dq, long dk) {
            for (int d = 0; d < width; d += 2 * L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                for (int i = 0; i < n; i++) {
                    long key = i * ROW + column;
                    FloatVector k0 = FloatVector.fromMemorySegment(S, s, k + key, NATIVE);
                    FloatVector k1 = FloatVector.fromMemorySegment(S, s, k + key + W, NATIVE);
                    FloatVector sum0 = FloatVector.fromMemorySegment(S, s, dk + key, NATIVE);
                    FloatVector sum1 = FloatVector.fromMemorySegment(S, s, dk + key + W, NATIVE);
                    FloatVector left0 = FloatVector.broadcast(S, 1f);
                    FloatVector left1 = FloatVector.broadcast(S, 1f);
                    for (int t = i + 1; t < n; t++) {
                        long at = t * ROW + column;
                        left0 = FloatVector.fromMemorySegment(S, s, a + at, NATIVE).mul(left0);
                        left1 = FloatVector.fromMemorySegment(S, s, a + at + W, NATIVE).mul(left1);
                        FloatVector by = FloatVector.broadcast(S, s.get(F, slope + i * ROW + t * 4L));
                        FloatVector w0 = by.mul(left0);
                        FloatVector w1 = by.mul(left1);
                        w0.fma(k0, FloatVector.fromMemorySegment(S, s, dq + at, NATIVE)).intoMemorySegment(s, dq + at, NATIVE);
                        w1.fma(k1, FloatVector.fromMemorySegment(S, s, dq + at + W, NATIVE)).intoMemorySegment(s, dq + at + W, NATIVE);
                        sum0 = w0.fma(FloatVector.fromMemorySegment(S, s, q + at, NATIVE), sum0);
                        sum1 = w1.fma(FloatVector.fromMemorySegment(S, s, q + at + W, NATIVE), sum1);
                    }
                    sum0.intoMemorySegment(s, dk + key, NATIVE);
                    sum1.intoMemorySegment(s, dk + key + W, NATIVE);
                }
            }
        }

        @Override
        public void decaySlopes(MemorySegment s, long q, long dq, long k, long dk, long left, long before, int n, int width, long dg) {
            for (int d = 0; d < width; d += L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                FloatVector sum = FloatVector.fromMemorySegment(S, s, before + column, NATIVE);
                for (int t = 0; t < n; t++) {
                    long at = t * ROW + column;
                    sum.intoMemorySegment(s, dg + at, NATIVE);
                    sum = FloatVector.fromMemorySegment(S, s, k + at, NATIVE).fma(FloatVector.fromMemorySegment(S, s, left + at, NATIVE), sum);
                }
                sum = FloatVector.zero(S);
                for (int t = n - 1; t >= 0; t--) {
                    long at = t * ROW + column;
                    FloatVector read = FloatVector.fromMemorySegment(S, s, q + at, NATIVE).mul(FloatVector.fromMemorySegment(S, s, dq + at, NATIVE));
                    FloatVector change = read.sub(FloatVector.fromMemorySegment(S, s, k + at, NATIVE)
                            .mul(FloatVector.fromMemorySegment(S, s, dk + at, NATIVE)));
                    sum = change.add(sum);
                    FloatVector.fromMemorySegment(S, s, dg + at, NATIVE).add(sum).intoMemorySegment(s, dg + at, NATIVE);
                }
            }
        }
    }
}
