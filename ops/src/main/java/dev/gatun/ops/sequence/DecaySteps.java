package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import dev.gatun.engine.lanes.Transposer;
import dev.gatun.engine.lanes.Transposers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * What kernels of sums that fade do beside products, on a thread's scratch memory {@code s} that lies as {@link AttentionSteps}
 * has it: rows of 64 floats, wider matrices in blocks of 64 columns. A tile has a row for each step i that writes, and a lane for
 * each step t that reads; what is of use in it has {@code i <= t}. Written twice: {@link Fast} and {@link DecayPlain}.
 */
interface DecaySteps {

    int SIDE = AttentionSteps.SIDE;
    long ROW = AttentionSteps.ROW;
    long BLOCK = AttentionSteps.BLOCK;

    /** {@code to[d, r] = from[r, d]} for up to 64 rows and columns; more than asked for may be written. */
    void turn(MemorySegment s, long from, int rows, int columns, long to);

    /**
     * A tile of weights: {@code exp(g[i+1] + … + g[t] + input[i] - level[t])}, 0 for {@code t < i}. Behind the last of n numbers g has a 0.
     */
    void weights(MemorySegment s, long g, long input, long level, int n, long tile);

    /** {@code level[t]} becomes at least {@code g[i+1] + … + g[t] + input[i]} for each {@code i <= t}. */
    void rise(MemorySegment s, long g, long input, int n, long level);

    /** {@code tile = (tile + lift[t]) * weight}. */
    void weigh(MemorySegment s, long tile, long lift, long weight, int n);

    /** {@code to[t] = sum over i of tile[i, t]}. */
    void sums(MemorySegment s, long tile, int n, long to);

    /** {@code to[j] = sum over i < j <= t of tile[i, t] (slope[i, t] + lift[t])}: what every decay lies between. */
    void crossing(MemorySegment s, long tile, long slope, long lift, int n, long to);

    /** {@code x = exp(x)} for n numbers, and perhaps some behind them. */
    void exp(MemorySegment s, long x, int n);

    /** {@code to[r] = <a[r], b[r]>}, rows in blocks; rows of b are {@code bRow} bytes apart. */
    void dots(MemorySegment s, long a, long b, long bRow, int rows, int width, long to);

    /** {@code c[r] = keep[r] c[r] + weight[r] x[r]}, rows in blocks; rows of x are {@code xRow} bytes apart. */
    void blend(MemorySegment s, long c, long keep, long weight, long x, long xRow, int rows, int width);

    /** {@code to += sum over r of weight[r] x[r]}, rows in blocks. */
    void gather(MemorySegment s, long x, long weight, int rows, int width, long to);

    /**
     * One step of a state {@code [rows, width]} that lies without gaps: {@code out[r] = keep[r] in[r] + write[r] v} and
     * {@code y = sum over r of read[r] out[r]}; all but the state in scratch.
     */
    void advance(MemorySegment s, MemorySegment in, long inAt, MemorySegment out, long outAt, long keep, long write, long read, long v, long y,
            int rows, int width);

    /** Vector API; the same rules as in {@link AttentionSteps.Fast}. */
    final class Fast implements DecaySteps {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final Transposer TURN = Transposers.transposer(true);
        /** The number of each lane. */
        private static final MemorySegment LANES = lanes();

        private static final float LOG2E = AttentionSteps.LOG2E;
        private static final float MAGIC = AttentionSteps.MAGIC;
        private static final float E1 = AttentionSteps.E1;
        private static final float E2 = AttentionSteps.E2;
        private static final float E3 = AttentionSteps.E3;
        private static final float E4 = AttentionSteps.E4;
        private static final float E5 = AttentionSteps.E5;
        private static final float E6 = AttentionSteps.E6;

        private static MemorySegment lanes() {
            MemorySegment lanes = Arena.global().allocate(S.vectorByteSize(), 64);
            FloatVector.zero(S).addIndex(1).intoMemorySegment(lanes, 0, NATIVE);
            return lanes;
        }

        /**
         * Rows of a tile that are written beside columns l to l + L. Products take eight columns at once and the rows up to the last of
         * them, so with shorter vectors the zeros must reach as far.
         */
        private static int rowsBeside(int l, int n) {
            return Math.min(n, Math.max(l + L, l / 8 * 8 + 8));
        }

        @Override
        public void turn(MemorySegment s, long from, int rows, int columns, long to) {
            int blocks = (rows + L - 1) / L;
            for (int d = 0; d < columns; d += L) {
                TURN.run(s, from + d * 4L, ROW, L * ROW, s, to + d * ROW, ROW, L * 4L, blocks);
            }
        }

        @Override
        public void weights(MemorySegment s, long g, long input, long level, int n, long tile) {
            for (int l = 0; l < n; l += L) {
                FloatVector top = FloatVector.fromMemorySegment(S, s, level + l * 4L, NATIVE);
                FloatVector sum = FloatVector.zero(S);
                for (int i = rowsBeside(l, n) - 1; i >= 0; i--) {
                    FloatVector lane = FloatVector.fromMemorySegment(S, LANES, 0, NATIVE);
                    FloatVector g1 = FloatVector.broadcast(S, s.get(AttentionSteps.F, g + i * 4L + 4))
                            .blend(0f, lane.compare(VectorOperators.LE, (float) (i - l)));
                    sum = g1.add(sum);
                    FloatVector x = FloatVector.broadcast(S, s.get(AttentionSteps.F, input + i * 4L)).add(sum).sub(top).mul(LOG2E);
                    FloatVector t = x.blend(-127f, x.compare(VectorOperators.LT, -127f));
                    FloatVector z = t.add(MAGIC);
                    FloatVector f = t.sub(z.sub(MAGIC));
                    FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                            .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                            .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                            .fma(f, FloatVector.broadcast(S, 1f));
                    FloatVector p = e.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                    p.blend(0f, lane.compare(VectorOperators.LT, (float) (i - l))).intoMemorySegment(s, tile + i * ROW + l * 4L, NATIVE);
                }
            }
        }

        @Override
        public void rise(MemorySegment s, long g, long input, int n, long level) {
            for (int l = 0; l < n; l += L) {
                FloatVector top = FloatVector.fromMemorySegment(S, s, level + l * 4L, NATIVE);
                FloatVector sum = FloatVector.zero(S);
                for (int i = Math.min(n, l + L) - 1; i >= 0; i--) {
                    FloatVector lane = FloatVector.fromMemorySegment(S, LANES, 0, NATIVE);
                    FloatVector g1 = FloatVector.broadcast(S, s.get(AttentionSteps.F, g + i * 4L + 4))
                            .blend(0f, lane.compare(VectorOperators.LE, (float) (i - l)));
                    sum = g1.add(sum);
                    FloatVector x = FloatVector.broadcast(S, s.get(AttentionSteps.F, input + i * 4L)).add(sum)
                            .blend(Float.NEGATIVE_INFINITY, lane.compare(VectorOperators.LT, (float) (i - l)));
                    top = x.blend(top, x.compare(VectorOperators.LT, top));
                }
                top.intoMemorySegment(s, level + l * 4L, NATIVE);
            }
        }

        @Override
        public void weigh(MemorySegment s, long tile, long lift, long weight, int n) {
            for (int l = 0; l < n; l += L) {
                FloatVector more = FloatVector.fromMemorySegment(S, s, lift + l * 4L, NATIVE);
                int rows = rowsBeside(l, n);
                for (int i = 0; i < rows; i++) {
                    long at = i * ROW + l * 4L;
                    FloatVector.fromMemorySegment(S, s, tile + at, NATIVE).add(more)
                            .mul(FloatVector.fromMemorySegment(S, s, weight + at, NATIVE)).intoMemorySegment(s, tile + at, NATIVE);
                }
            }
        }

        @Override
        public void sums(MemorySegment s, long tile, int n, long to) {
            for (int l = 0; l < n; l += L) {
                FloatVector sum = FloatVector.zero(S);
                int rows = Math.min(n, l + L);
                for (int i = 0; i < rows; i++) {
                    sum = FloatVector.fromMemorySegment(S, s, tile + i * ROW + l * 4L, NATIVE).add(sum);
                }
                sum.intoMemorySegment(s, to + l * 4L, NATIVE);
            }
        }

        @Override
        public void crossing(MemorySegment s, long tile, long slope, long lift, int n, long to) {
            for (int l = 0; l < n; l += L) {
                FloatVector more = FloatVector.fromMemorySegment(S, s, lift + l * 4L, NATIVE);
                FloatVector sum = FloatVector.zero(S);
                int last = Math.min(n, l + L);
                for (int j = 0; j < last; j++) {
                    FloatVector lane = FloatVector.fromMemorySegment(S, LANES, 0, NATIVE);
                    FloatVector later = FloatVector.zero(S).blend(sum, lane.compare(VectorOperators.GE, (float) (j - l))
                            .and(lane.compare(VectorOperators.LT, (float) (n - l))));
                    if (L == 16) {
                        FloatVector half = later.rearrange(Turns.TURN_8);
                        later = half.add(later);
                    }
                    if (L >= 8) {
                        FloatVector half = later.rearrange(Turns.TURN_4);
                        later = half.add(later);
                    }
                    FloatVector half = later.rearrange(Turns.TURN_2);
                    FloatVector two = half.add(later);
                    float before = j >= l ? 0 : s.get(AttentionSteps.F, to + j * 4L);
                    s.set(AttentionSteps.F, to + j * 4L, before + (two.lane(0) + two.lane(1)));
                    long at = j * ROW + l * 4L;
                    sum = FloatVector.fromMemorySegment(S, s, slope + at, NATIVE).add(more)
                            .fma(FloatVector.fromMemorySegment(S, s, tile + at, NATIVE), sum);
                }
            }
        }

        @Override
        public void exp(MemorySegment s, long at, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector x = FloatVector.fromMemorySegment(S, s, at + i * 4L, NATIVE).mul(LOG2E);
                FloatVector t = x.blend(-127f, x.compare(VectorOperators.LT, -127f)).min(127f);
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector p = e.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                p.intoMemorySegment(s, at + i * 4L, NATIVE);
            }
        }

        @Override
        public void dots(MemorySegment s, long a, long b, long bRow, int rows, int width, long to) {
            for (int r = 0; r < rows; r++) {
                FloatVector products = FloatVector.zero(S);
                for (int d = 0; d < width; d += L) {
                    long column = d / SIDE * BLOCK + d % SIDE * 4L;
                    products = FloatVector.fromMemorySegment(S, s, a + r * ROW + column, NATIVE)
                            .fma(FloatVector.fromMemorySegment(S, s, b + r * bRow + column, NATIVE), products);
                }
                FloatVector sum = FloatVector.zero(S).add(products);
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
                s.set(AttentionSteps.F, to + r * 4L, two.lane(0) + two.lane(1));
            }
        }

        @Override
        public void blend(MemorySegment s, long c, long keep, long weight, long x, long xRow, int rows, int width) {
            for (int d = 0; d < width; d += L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                for (int r = 0; r < rows; r++) {
                    long at = c + column + r * ROW;
                    FloatVector kept = FloatVector.broadcast(S, s.get(AttentionSteps.F, keep + r * 4L))
                            .mul(FloatVector.fromMemorySegment(S, s, at, NATIVE));
                    FloatVector.broadcast(S, s.get(AttentionSteps.F, weight + r * 4L))
                            .fma(FloatVector.fromMemorySegment(S, s, x + column + r * xRow, NATIVE), kept).intoMemorySegment(s, at, NATIVE);
                }
            }
        }

        @Override
        public void gather(MemorySegment s, long x, long weight, int rows, int width, long to) {
            for (int d = 0; d < width; d += L) {
                long column = d / SIDE * BLOCK + d % SIDE * 4L;
                FloatVector sum = FloatVector.fromMemorySegment(S, s, to + column, NATIVE);
                for (int r = 0; r < rows; r++) {
                    sum = FloatVector.broadcast(S, s.get(AttentionSteps.F, weight + r * 4L))
                            .fma(FloatVector.fromMemorySegment(S, s, x + column + r * ROW, NATIVE), sum);
                }
                sum.intoMemorySegment(s, to + column, NATIVE);
            }
        }

        @Override
        public void advance(MemorySegment s, MemorySegment in, long inAt, MemorySegment out, long outAt, long keep, long write, long read, long v,
                long y, int rows, int width) {
            long rowBytes = width * 4L;
            int full = S.loopBound(width);
            for (int d = 0; d < full; d += L) {
                FloatVector value = FloatVector.fromMemorySegment(S, s, v + d * 4L, NATIVE);
                FloatVector sum = FloatVector.zero(S);
                for (int r = 0; r < rows; r++) {
                    long at = r * rowBytes + d * 4L;
                    FloatVector kept = FloatVector.broadcast(S, s.get(AttentionSteps.F, keep + r * 4L))
                            .mul(FloatVector.fromMemorySegment(S, in, inAt + at, NATIVE));
                    FloatVector next = FloatVector.broadcast(S, s.get(AttentionSteps.F, write + r * 4L)).fma(value, kept);
                    next.intoMemorySegment(out, outAt + at, NATIVE);
                    sum = FloatVector.broadcast(S, s.get(AttentionSteps.F, read + r * 4L)).fma(next, sum);
                }
                sum.intoMemorySegment(s, y + d * 4L, NATIVE);
            }
            for (int d = full; d < width; d++) {
                float sum = 0;
                for (int r = 0; r < rows; r++) {
                    long at = r * rowBytes + d * 4L;
                    float next = s.get(AttentionSteps.F, keep + r * 4L) * in.get(AttentionSteps.F, inAt + at)
                            + s.get(AttentionSteps.F, write + r * 4L) * s.get(AttentionSteps.F, v + d * 4L);
                    out.set(AttentionSteps.F, outAt + at, next);
                    sum += s.get(AttentionSteps.F, read + r * 4L) * next;
                }
                s.set(AttentionSteps.F, y + d * 4L, sum);
            }
        }
    }
}
