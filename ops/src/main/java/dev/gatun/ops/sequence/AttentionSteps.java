package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The steps of {@link AttentionTiles} on a thread's scratch memory {@code s}, written twice: {@link Fast} for the
 * Vector API and {@link AttentionPlain} without it. A matrix in scratch has rows of 64 floats; a wider one lies in blocks of 64
 * columns, one block after the other. Positions are in bytes.
 */
interface AttentionSteps {

    ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;
    float LOG2E = (float) (1 / Math.log(2));
    int SIDE = 64;
    long ROW = SIDE * 4L;
    long BLOCK = SIDE * ROW;

    /** Adding it rounds to a whole number, which then lies in the lowest bits with the bias of an exponent on top. */
    float MAGIC = 12582912f + 127f;

    // 2 to the power of -1/2 to 1/2 as a polynomial: the powers of log 2 over factorials.
    float E1 = 6.9314718056e-1f;
    float E2 = 2.4022650696e-1f;
    float E3 = 5.5504108665e-2f;
    float E4 = 9.6181291076e-3f;
    float E5 = 1.3333558146e-3f;
    float E6 = 1.5403530394e-4f;

    /** Columns that {@link #rows} and {@link #columns} do at once. */
    int strip();

    /** {@code c[8, strip] = a[8, n] b[n, strip]}, n over the blocks of a. */
    void rows(MemorySegment s, long a, long b, long c, int n);

    /** {@code c[8, strip] = keep[8] c + a[n, 8]ᵀ b[n, strip]}. */
    void columns(MemorySegment s, long a, long b, long c, long keep, int n);

    /** n numbers, a multiple of 64, become x. */
    void fill(MemorySegment s, long at, int n, float x);

    /** Copies rows into blocks, with zeros behind the last column up to a whole strip. */
    void pack(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long to);

    /** {@code x[0 .. width] = scale * row}, out of its blocks. */
    void unpack(MemorySegment s, long from, float scale, int width, MemorySegment x, long at);

    /** {@code x += scale * block}, for up to 64 columns. */
    void addTo(MemorySegment s, long from, float scale, int rows, int width, MemorySegment x, long at, long rowBytes);

    /** {@code t = cap * tanh(t)}. */
    void cap(MemorySegment s, long at, int n, float cap);

    /** The running maxima over keys move on; keep is what sums over earlier keys are worth under the new ones. */
    void rise(MemorySegment s, long scores, int keys, long max, long keep);

    /** Scores become weights exp(score - max) and are added to the running sums, {@code sum = keep * sum + …}. */
    void weigh(MemorySegment s, long scores, int keys, long max, long sum, long keep);

    /** Scores become P = exp(score - top), slopes become dS = P (slopes - delta), times 1 - (uncap * score)². */
    void slopes(MemorySegment s, long scores, long slopes, int keys, long top, long delta, float uncap);

    /** {@code to[i] = sum over d of a[d, i] b[d, i]}, for n rows of 64. */
    void dots(MemorySegment s, long a, long b, int n, long to);

    /** {@code s[d, r] = scale * x[r, d]}, zeros for the rows that are missing to 64. */
    default void transpose(MemorySegment x, long at, long rowBytes, int rows, int width, float scale, MemorySegment s, long to) {
        for (int r = 0; r < rows; r++) {
            long from = at + r * rowBytes;
            for (int d = 0; d < width; d++) {
                s.set(F, to + d * ROW + r * 4L, x.get(F, from + d * 4L) * scale);
            }
        }
        for (int d = 0; d < width && rows < SIDE; d++) {
            for (int r = rows; r < SIDE; r++) {
                s.set(F, to + d * ROW + r * 4L, 0);
            }
        }
    }

    /** Scores of a key become -inf for queries outside {@code from .. to}. */
    default void outside(MemorySegment s, long at, int from, int to) {
        for (int i = 0; i < from; i++) {
            s.set(F, at + i * 4L, Float.NEGATIVE_INFINITY);
        }
        for (int i = to; i < SIDE; i++) {
            s.set(F, at + i * 4L, Float.NEGATIVE_INFINITY);
        }
    }

    /**
     * Vector API. Only steps that are exact or rounded once are used, none that the JVM does one way interpreted and another
     * way compiled (EXP, TANH, sums across lanes): bits do not depend on the compiler. Accumulators are operands of sums and not
     * receivers, whose class must be known where two values meet.
     */
    final class Fast implements AttentionSteps {
        static final AttentionSteps STEPS = new Fast();
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long W = S.vectorByteSize();

        @Override
        public int strip() {
            return 2 * L;
        }

        @Override
        public void rows(MemorySegment s, long a, long b, long c, int n) {
            FloatVector c00 = FloatVector.zero(S), c01 = FloatVector.zero(S);
            FloatVector c10 = FloatVector.zero(S), c11 = FloatVector.zero(S);
            FloatVector c20 = FloatVector.zero(S), c21 = FloatVector.zero(S);
            FloatVector c30 = FloatVector.zero(S), c31 = FloatVector.zero(S);
            FloatVector c40 = FloatVector.zero(S), c41 = FloatVector.zero(S);
            FloatVector c50 = FloatVector.zero(S), c51 = FloatVector.zero(S);
            FloatVector c60 = FloatVector.zero(S), c61 = FloatVector.zero(S);
            FloatVector c70 = FloatVector.zero(S), c71 = FloatVector.zero(S);
            for (int done = 0; done < n; done += SIDE) {
                int m = Math.min(n - done, SIDE);
                for (int k = 0; k < m; k++) {
                    long at = b + k * ROW;
                    FloatVector b0 = FloatVector.fromMemorySegment(S, s, at, NATIVE);
                    FloatVector b1 = FloatVector.fromMemorySegment(S, s, at + W, NATIVE);
                    long by = a + k * 4L;
                    FloatVector a0 = FloatVector.broadcast(S, s.get(F, by));
                    c00 = a0.fma(b0, c00);
                    c01 = a0.fma(b1, c01);
                    FloatVector a1 = FloatVector.broadcast(S, s.get(F, by + 1 * ROW));
                    c10 = a1.fma(b0, c10);
                    c11 = a1.fma(b1, c11);
                    FloatVector a2 = FloatVector.broadcast(S, s.get(F, by + 2 * ROW));
                    c20 = a2.fma(b0, c20);
                    c21 = a2.fma(b1, c21);
                    FloatVector a3 = FloatVector.broadcast(S, s.get(F, by + 3 * ROW));
                    c30 = a3.fma(b0, c30);
                    c31 = a3.fma(b1, c31);
                    FloatVector a4 = FloatVector.broadcast(S, s.get(F, by + 4 * ROW));
                    c40 = a4.fma(b0, c40);
                    c41 = a4.fma(b1, c41);
                    FloatVector a5 = FloatVector.broadcast(S, s.get(F, by + 5 * ROW));
                    c50 = a5.fma(b0, c50);
                    c51 = a5.fma(b1, c51);
                    FloatVector a6 = FloatVector.broadcast(S, s.get(F, by + 6 * ROW));
                    c60 = a6.fma(b0, c60);
                    c61 = a6.fma(b1, c61);
                    FloatVector a7 = FloatVector.broadcast(S, s.get(F, by + 7 * ROW));
                    c70 = a7.fma(b0, c70);
                    c71 = a7.fma(b1, c71);
                }
                a += BLOCK;
                b += BLOCK;
            }
            c00.intoMemorySegment(s, c, NATIVE);
            c01.intoMemorySegment(s, c + W, NATIVE);
            c10.intoMemorySegment(s, c + 1 * ROW, NATIVE);
            c11.intoMemorySegment(s, c + 1 * ROW + W, NATIVE);
            c20.intoMemorySegment(s, c + 2 * ROW, NATIVE);
            c21.intoMemorySegment(s, c + 2 * ROW + W, NATIVE);
            c30.intoMemorySegment(s, c + 3 * ROW, NATIVE);
            c31.intoMemorySegment(s, c + 3 * ROW + W, NATIVE);
            c40.intoMemorySegment(s, c + 4 * ROW, NATIVE);
            c41.intoMemorySegment(s, c + 4 * ROW + W, NATIVE);
            c50.intoMemorySegment(s, c + 5 * ROW, NATIVE);
            c51.intoMemorySegment(s, c + 5 * ROW + W, NATIVE);
            c60.intoMemorySegment(s, c + 6 * ROW, NATIVE);
            c61.intoMemorySegment(s, c + 6 * ROW + W, NATIVE);
            c70.intoMemorySegment(s, c + 7 * ROW, NATIVE);
            c71.intoMemorySegment(s, c + 7 * ROW + W, NATIVE);
        }

        @Override
        public void columns(MemorySegment s, long a, long b, long c, long keep, int n) {
            FloatVector k0 = FloatVector.broadcast(S, s.get(F, keep));
            FloatVector c00 = FloatVector.fromMemorySegment(S, s, c, NATIVE).mul(k0);
            FloatVector c01 = FloatVector.fromMemorySegment(S, s, c + W, NATIVE).mul(k0);
            FloatVector k1 = FloatVector.broadcast(S, s.get(F, keep + 4L));
            FloatVector c10 = FloatVector.fromMemorySegment(S, s, c + 1 * ROW, NATIVE).mul(k1);
            FloatVector c11 = FloatVector.fromMemorySegment(S, s, c + 1 * ROW + W, NATIVE).mul(k1);
            FloatVector k2 = FloatVector.broadcast(S, s.get(F, keep + 8L));
            FloatVector c20 = FloatVector.fromMemorySegment(S, s, c + 2 * ROW, NATIVE).mul(k2);
            FloatVector c21 = FloatVector.fromMemorySegment(S, s, c + 2 * ROW + W, NATIVE).mul(k2);
            FloatVector k3 = FloatVector.broadcast(S, s.get(F, keep + 12L));
            FloatVector c30 = FloatVector.fromMemorySegment(S, s, c + 3 * ROW, NATIVE).mul(k3);
            FloatVector c31 = FloatVector.fromMemorySegment(S, s, c + 3 * ROW + W, NATIVE).mul(k3);
            FloatVector k4 = FloatVector.broadcast(S, s.get(F, keep + 16L));
            FloatVector c40 = FloatVector.fromMemorySegment(S, s, c + 4 * ROW, NATIVE).mul(k4);
            FloatVector c41 = FloatVector.fromMemorySegment(S, s, c + 4 * ROW + W, NATIVE).mul(k4);
            FloatVector k5 = FloatVector.broadcast(S, s.get(F, keep + 20L));
            FloatVector c50 = FloatVector.fromMemorySegment(S, s, c + 5 * ROW, NATIVE).mul(k5);
            FloatVector c51 = FloatVector.fromMemorySegment(S, s, c + 5 * ROW + W, NATIVE).mul(k5);
            FloatVector k6 = FloatVector.broadcast(S, s.get(F, keep + 24L));
            FloatVector c60 = FloatVector.fromMemorySegment(S, s, c + 6 * ROW, NATIVE).mul(k6);
            FloatVector c61 = FloatVector.fromMemorySegment(S, s, c + 6 * ROW + W, NATIVE).mul(k6);
            FloatVector k7 = FloatVector.broadcast(S, s.get(F, keep + 28L));
            FloatVector c70 = FloatVector.fromMemorySegment(S, s, c + 7 * ROW, NATIVE).mul(k7);
            FloatVector c71 = FloatVector.fromMemorySegment(S, s, c + 7 * ROW + W, NATIVE).mul(k7);
            for (int k = 0; k < n; k++) {
                long at = b + k * ROW;
                FloatVector b0 = FloatVector.fromMemorySegment(S, s, at, NATIVE);
                FloatVector b1 = FloatVector.fromMemorySegment(S, s, at + W, NATIVE);
                long by = a + k * ROW;
                FloatVector a0 = FloatVector.broadcast(S, s.get(F, by));
                c00 = a0.fma(b0, c00);
                c01 = a0.fma(b1, c01);
                FloatVector a1 = FloatVector.broadcast(S, s.get(F, by + 4L));
                c10 = a1.fma(b0, c10);
                c11 = a1.fma(b1, c11);
                FloatVector a2 = FloatVector.broadcast(S, s.get(F, by + 8L));
                c20 = a2.fma(b0, c20);
                c21 = a2.fma(b1, c21);
                FloatVector a3 = FloatVector.broadcast(S, s.get(F, by + 12L));
                c30 = a3.fma(b0, c30);
                c31 = a3.fma(b1, c31);
                FloatVector a4 = FloatVector.broadcast(S, s.get(F, by + 16L));
                c40 = a4.fma(b0, c40);
                c41 = a4.fma(b1, c41);
                FloatVector a5 = FloatVector.broadcast(S, s.get(F, by + 20L));
                c50 = a5.fma(b0, c50);
                c51 = a5.fma(b1, c51);
                FloatVector a6 = FloatVector.broadcast(S, s.get(F, by + 24L));
                c60 = a6.fma(b0, c60);
                c61 = a6.fma(b1, c61);
                FloatVector a7 = FloatVector.broadcast(S, s.get(F, by + 28L));
                c70 = a7.fma(b0, c70);
                c71 = a7.fma(b1, c71);
            }
            c00.intoMemorySegment(s, c, NATIVE);
            c01.intoMemorySegment(s, c + W, NATIVE);
            c10.intoMemorySegment(s, c + 1 * ROW, NATIVE);
            c11.intoMemorySegment(s, c + 1 * ROW + W, NATIVE);
            c20.intoMemorySegment(s, c + 2 * ROW, NATIVE);
            c21.intoMemorySegment(s, c + 2 * ROW + W, NATIVE);
            c30.intoMemorySegment(s, c + 3 * ROW, NATIVE);
            c31.intoMemorySegment(s, c + 3 * ROW + W, NATIVE);
            c40.intoMemorySegment(s, c + 4 * ROW, NATIVE);
            c41.intoMemorySegment(s, c + 4 * ROW + W, NATIVE);
            c50.intoMemorySegment(s, c + 5 * ROW, NATIVE);
            c51.intoMemorySegment(s, c + 5 * ROW + W, NATIVE);
            c60.intoMemorySegment(s, c + 6 * ROW, NATIVE);
            c61.intoMemorySegment(s, c + 6 * ROW + W, NATIVE);
            c70.intoMemorySegment(s, c + 7 * ROW, NATIVE);
            c71.intoMemorySegment(s, c + 7 * ROW + W, NATIVE);
        }

        @Override
        public void fill(MemorySegment s, long at, int n, float x) {
            FloatVector v = FloatVector.broadcast(S, x);
            for (int i = 0; i < n; i += L) {
                v.intoMemorySegment(s, at + i * 4L, NATIVE);
            }
        }

        @Override
        public void pack(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long to) {
            int full = S.loopBound(width);
            VectorMask<Float> rest = S.indexInRange(full, width);
            int padded = (width + 2 * L - 1) / (2 * L) * (2 * L);
            for (int r = 0; r < rows; r++) {
                long from = at + r * rowBytes;
                long into = to + r * ROW;
                int d = 0;
                for (; d < full; d += L) {
                    FloatVector.fromMemorySegment(S, x, from + d * 4L, NATIVE)
                            .intoMemorySegment(s, into + d / SIDE * BLOCK + d % SIDE * 4L, NATIVE);
                }
                if (d < padded) {
                    FloatVector.fromMemorySegment(S, x, from + d * 4L, NATIVE, rest)
                            .intoMemorySegment(s, into + d / SIDE * BLOCK + d % SIDE * 4L, NATIVE);
                    d += L;
                }
                if (d < padded) {
                    FloatVector.zero(S).intoMemorySegment(s, into + d / SIDE * BLOCK + d % SIDE * 4L, NATIVE);
                }
            }
        }

        @Override
        public void cap(MemorySegment s, long at, int n, float cap) {
            for (int i = 0; i < n; i += L) {
                // tanh(x) = m / (m + 2) with m = exp(2 x) - 1 = 2^n (2^f - 1) + (2^n - 1), exact to the last bits near zero
                FloatVector t = FloatVector.fromMemorySegment(S, s, at + i * 4L, NATIVE).max(-10f).min(10f).mul(2 * LOG2E);
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1)).mul(f);
                FloatVector whole = z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
                FloatVector m = e.fma(whole, whole.sub(1f));
                m.mul(cap).div(m.add(2f)).intoMemorySegment(s, at + i * 4L, NATIVE);
            }
        }

        @Override
        public void rise(MemorySegment s, long st, int rows, long max, long keep) {
            for (int i = 0; i < SIDE; i += L) {
                FloatVector old = FloatVector.fromMemorySegment(S, s, max + i * 4L, NATIVE);
                FloatVector m = old;
                for (int j = 0; j < rows; j++) {
                    FloatVector x = FloatVector.fromMemorySegment(S, s, st + j * ROW + i * 4L, NATIVE);
                    m = x.blend(m, m.compare(VectorOperators.GT, x));
                }
                m.intoMemorySegment(s, max + i * 4L, NATIVE);
                FloatVector t = old.sub(m.max(-Float.MAX_VALUE)).mul(LOG2E).max(-127f);
                // 2 to the power of t: its whole part into the exponent, a polynomial for the rest
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector p = e.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                p.intoMemorySegment(s, keep + i * 4L, NATIVE);
            }
        }

        @Override
        public void weigh(MemorySegment s, long st, int rows, long max, long sum, long keep) {
            for (int i = 0; i < SIDE; i += L) {
                FloatVector base = FloatVector.fromMemorySegment(S, s, max + i * 4L, NATIVE).max(-Float.MAX_VALUE);
                FloatVector total = FloatVector.zero(S);
                for (int j = 0; j < rows; j++) {
                    FloatVector t = FloatVector.fromMemorySegment(S, s, st + j * ROW + i * 4L, NATIVE).sub(base).mul(LOG2E).max(-127f);
                    FloatVector z = t.add(MAGIC);
                    FloatVector f = t.sub(z.sub(MAGIC));
                    FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                            .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                            .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                            .fma(f, FloatVector.broadcast(S, 1f));
                    FloatVector p = e.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                    p.intoMemorySegment(s, st + j * ROW + i * 4L, NATIVE);
                    total = p.add(total);
                }
                FloatVector.fromMemorySegment(S, s, sum + i * 4L, NATIVE).fma(FloatVector.fromMemorySegment(S, s, keep + i * 4L, NATIVE), total)
                        .intoMemorySegment(s, sum + i * 4L, NATIVE);
            }
        }

        @Override
        public void slopes(MemorySegment s, long st, long dt, int rows, long top, long delta, float uncap) {
            for (int i = 0; i < SIDE; i += L) {
                FloatVector base = FloatVector.fromMemorySegment(S, s, top + i * 4L, NATIVE);
                FloatVector less = FloatVector.fromMemorySegment(S, s, delta + i * 4L, NATIVE);
                for (int j = 0; j < rows; j++) {
                    FloatVector x = FloatVector.fromMemorySegment(S, s, st + j * ROW + i * 4L, NATIVE);
                    FloatVector t = x.sub(base).mul(LOG2E).max(-127f);
                    FloatVector z = t.add(MAGIC);
                    FloatVector f = t.sub(z.sub(MAGIC));
                    FloatVector e = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                            .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                            .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                            .fma(f, FloatVector.broadcast(S, 1f));
                    FloatVector p = e.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                    p.intoMemorySegment(s, st + j * ROW + i * 4L, NATIVE);
                    FloatVector bend = x.mul(uncap);
                    p.sub(bend.mul(bend).mul(p)).mul(FloatVector.fromMemorySegment(S, s, dt + j * ROW + i * 4L, NATIVE).sub(less))
                            .blend(0f, x.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY))
                            .intoMemorySegment(s, dt + j * ROW + i * 4L, NATIVE);
                }
            }
        }

        @Override
        public void unpack(MemorySegment s, long from, float scale, int width, MemorySegment x, long at) {
            int full = S.loopBound(width);
            int d = 0;
            for (; d < full; d += L) {
                FloatVector.fromMemorySegment(S, s, from + d / SIDE * BLOCK + d % SIDE * 4L, NATIVE).mul(scale)
                        .intoMemorySegment(x, at + d * 4L, NATIVE);
            }
            if (d < width) {
                FloatVector.fromMemorySegment(S, s, from + d / SIDE * BLOCK + d % SIDE * 4L, NATIVE).mul(scale)
                        .intoMemorySegment(x, at + d * 4L, NATIVE, S.indexInRange(full, width));
            }
        }

        @Override
        public void addTo(MemorySegment s, long from, float scale, int rows, int width, MemorySegment x, long at, long rowBytes) {
            int full = S.loopBound(width);
            VectorMask<Float> rest = S.indexInRange(full, width);
            FloatVector by = FloatVector.broadcast(S, scale);
            for (int r = 0; r < rows; r++) {
                long in = from + r * ROW;
                long out = at + r * rowBytes;
                int d = 0;
                for (; d < full; d += L) {
                    FloatVector.fromMemorySegment(S, s, in + d * 4L, NATIVE).fma(by, FloatVector.fromMemorySegment(S, x, out + d * 4L, NATIVE))
                            .intoMemorySegment(x, out + d * 4L, NATIVE);
                }
                if (d < width) {
                    FloatVector.fromMemorySegment(S, s, in + d * 4L, NATIVE).fma(by, FloatVector.fromMemorySegment(S, x, out + d * 4L, NATIVE, rest))
                            .intoMemorySegment(x, out + d * 4L, NATIVE, rest);
                }
            }
        }

        @Override
        public void dots(MemorySegment s, long a, long b, int n, long to) {
            for (int i = 0; i < SIDE; i += L) {
                FloatVector sum = FloatVector.zero(S);
                for (int d = 0; d < n; d++) {
                    sum = FloatVector.fromMemorySegment(S, s, a + d * ROW + i * 4L, NATIVE)
                            .fma(FloatVector.fromMemorySegment(S, s, b + d * ROW + i * 4L, NATIVE), sum);
                }
                sum.intoMemorySegment(s, to + i * 4L, NATIVE);
            }
        }
    }
}
