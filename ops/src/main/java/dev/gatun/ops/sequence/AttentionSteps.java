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

    /** {@code c[8, strip] += a[n, 8]ᵀ b[n, strip]}. */
    void columns(MemorySegment s, long a, long b, long c, int n);

    /** {@code c[i, d] *= keep[i]}, c in blocks. */
    void fade(MemorySegment s, long c, long keep, int rows, int width);

    /** {@code scores[j] = <q, k_j>} for one query, a row in scratch; scores lie a row apart. */
    void scores(MemorySegment s, long q, MemorySegment k, long at, long rowBytes, int n, int width, long scores);

    /** {@code sum += sum over j of weights[j] v_j} for one query; sum lies in blocks. */
    void mix(MemorySegment s, long weights, MemorySegment v, long at, long rowBytes, int n, int width, long sum);

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
    void rise(MemorySegment s, long scores, int keys, int queries, long max, long keep);

    /** Scores become weights exp(score - max) and are added to the running sums, {@code sum = keep * sum + …}. */
    void weigh(MemorySegment s, long scores, int keys, int queries, long max, long sum, long keep);

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
        public void columns(MemorySegment s, long a, long b, long c, int n) {
            FloatVector c00 = FloatVector.fromMemorySegment(S, s, c, NATIVE);
            FloatVector c01 = FloatVector.fromMemorySegment(S, s, c + W, NATIVE);
            FloatVector c10 = FloatVector.fromMemorySegment(S, s, c + 1 * ROW, NATIVE);
            FloatVector c11 = FloatVector.fromMemorySegment(S, s, c + 1 * ROW + W, NATIVE);
            FloatVector c20 = FloatVector.fromMemorySegment(S, s, c + 2 * ROW, NATIVE);
            FloatVector c21 = FloatVector.fromMemorySegment(S, s, c + 2 * ROW + W, NATIVE);
            FloatVector c30 = FloatVector.fromMemorySegment(S, s, c + 3 * ROW, NATIVE);
            FloatVector c31 = FloatVector.fromMemorySegment(S, s, c + 3 * ROW + W, NATIVE);
            FloatVector c40 = FloatVector.fromMemorySegment(S, s, c + 4 * ROW, NATIVE);
            FloatVector c41 = FloatVector.fromMemorySegment(S, s, c + 4 * ROW + W, NATIVE);
            FloatVector c50 = FloatVector.fromMemorySegment(S, s, c + 5 * ROW, NATIVE);
            FloatVector c51 = FloatVector.fromMemorySegment(S, s, c + 5 * ROW + W, NATIVE);
            FloatVector c60 = FloatVector.fromMemorySegment(S, s, c + 6 * ROW, NATIVE);
            FloatVector c61 = FloatVector.fromMemorySegment(S, s, c + 6 * ROW + W, NATIVE);
            FloatVector c70 = FloatVector.fromMemorySegment(S, s, c + 7 * ROW, NATIVE);
            FloatVector c71 = FloatVector.fromMemorySegment(S, s, c + 7 * ROW + W, NATIVE);
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
        public void fade(MemorySegment s, long c, long keep, int rows, int width) {
            for (int d = 0; d < width; d += L) {
                long column = c + d / SIDE * BLOCK + d % SIDE * 4L;
                for (int i = 0; i < rows; i++) {
                    FloatVector.broadcast(S, s.get(F, keep + i * 4L)).mul(FloatVector.fromMemorySegment(S, s, column + i * ROW, NATIVE))
                            .intoMemorySegment(s, column + i * ROW, NATIVE);
                }
            }
        }

        @Override
        public void scores(MemorySegment s, long q, MemorySegment k, long at, long rowBytes, int n, int width, long scores) {
            int four = width / (4 * L) * (4 * L);
            for (int j = 0; j < n; j++) {
                long row = at + j * rowBytes;
                FloatVector c0 = FloatVector.zero(S);
                FloatVector c1 = FloatVector.zero(S);
                FloatVector c2 = FloatVector.zero(S);
                FloatVector c3 = FloatVector.zero(S);
                for (int d = 0; d < four; d += 4 * L) {
                    long x = row + d * 4L;
                    long y = q + d * 4L;
                    c0 = FloatVector.fromMemorySegment(S, k, x, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y, NATIVE), c0);
                    c1 = FloatVector.fromMemorySegment(S, k, x + W, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + W, NATIVE), c1);
                    c2 = FloatVector.fromMemorySegment(S, k, x + 2 * W, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + 2 * W, NATIVE), c2);
                    c3 = FloatVector.fromMemorySegment(S, k, x + 3 * W, NATIVE).fma(FloatVector.fromMemorySegment(S, s, y + 3 * W, NATIVE), c3);
                }
                for (int d = four; d < width; d += L) {
                    VectorMask<Float> in = S.indexInRange(d, width);
                    c0 = FloatVector.fromMemorySegment(S, k, row + d * 4L, NATIVE, in)
                            .fma(FloatVector.fromMemorySegment(S, s, q + d * 4L, NATIVE, in), c0);
                }
                FloatVector sum = FloatVector.zero(S).add(c0).add(c1).add(c2).add(c3);
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
                s.set(F, scores + j * ROW, two.lane(0) + two.lane(1));
            }
        }

        @Override
        public void mix(MemorySegment s, long weights, MemorySegment v, long at, long rowBytes, int n, int width, long sum) {
            int d = 0;
            for (; d + 4 * L <= width; d += 4 * L) {
                long to = sum + d / SIDE * BLOCK + d % SIDE * 4L;
                FloatVector c0 = FloatVector.fromMemorySegment(S, s, to, NATIVE);
                FloatVector c1 = FloatVector.fromMemorySegment(S, s, to + W, NATIVE);
                FloatVector c2 = FloatVector.fromMemorySegment(S, s, to + 2 * W, NATIVE);
                FloatVector c3 = FloatVector.fromMemorySegment(S, s, to + 3 * W, NATIVE);
                for (int j = 0; j < n; j++) {
                    FloatVector p = FloatVector.broadcast(S, s.get(F, weights + j * ROW));
                    long row = at + j * rowBytes + d * 4L;
                    c0 = p.fma(FloatVector.fromMemorySegment(S, v, row, NATIVE), c0);
                    c1 = p.fma(FloatVector.fromMemorySegment(S, v, row + W, NATIVE), c1);
                    c2 = p.fma(FloatVector.fromMemorySegment(S, v, row + 2 * W, NATIVE), c2);
                    c3 = p.fma(FloatVector.fromMemorySegment(S, v, row + 3 * W, NATIVE), c3);
                }
                c0.intoMemorySegment(s, to, NATIVE);
                c1.intoMemorySegment(s, to + W, NATIVE);
                c2.intoMemorySegment(s, to + 2 * W, NATIVE);
                c3.intoMemorySegment(s, to + 3 * W, NATIVE);
            }
            for (; d < width; d += L) {
                long to = sum + d / SIDE * BLOCK + d % SIDE * 4L;
                VectorMask<Float> in = S.indexInRange(d, width);
                FloatVector c = FloatVector.fromMemorySegment(S, s, to, NATIVE);
                for (int j = 0; j < n; j++) {
                    FloatVector p = FloatVector.broadcast(S, s.get(F, weights + j * ROW));
                    c = p.fma(FloatVector.fromMemorySegment(S, v, at + j * rowBytes + d * 4L, NATIVE, in), c);
                }
                c.intoMemorySegment(s, to, NATIVE);
            }
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
            int padded = (width + 2 * L - 1) / (2 * L) * (2 * L);
            int d = 0;
            for (; d + 4 * L <= width; d += 4 * L) {
                long into = to + d / SIDE * BLOCK + d % SIDE * 4L;
                for (int r = 0; r < rows; r++) {
                    long from = at + r * rowBytes + d * 4L;
                    FloatVector x0 = FloatVector.fromMemorySegment(S, x, from, NATIVE);
                    FloatVector x1 = FloatVector.fromMemorySegment(S, x, from + W, NATIVE);
                    FloatVector x2 = FloatVector.fromMemorySegment(S, x, from + 2 * W, NATIVE);
                    FloatVector x3 = FloatVector.fromMemorySegment(S, x, from + 3 * W, NATIVE);
                    x0.intoMemorySegment(s, into + r * ROW, NATIVE);
                    x1.intoMemorySegment(s, into + r * ROW + W, NATIVE);
                    x2.intoMemorySegment(s, into + r * ROW + 2 * W, NATIVE);
                    x3.intoMemorySegment(s, into + r * ROW + 3 * W, NATIVE);
                }
            }
            for (; d < padded; d += L) {
                long from = at + d * 4L;
                long into = to + d / SIDE * BLOCK + d % SIDE * 4L;
                if (d + L <= width) {
                    for (int r = 0; r < rows; r++) {
                        FloatVector.fromMemorySegment(S, x, from + r * rowBytes, NATIVE).intoMemorySegment(s, into + r * ROW, NATIVE);
                    }
                } else {
                    VectorMask<Float> in = S.indexInRange(Math.min(d, width), width);
                    for (int r = 0; r < rows; r++) {
                        FloatVector.fromMemorySegment(S, x, from + r * rowBytes, NATIVE, in).intoMemorySegment(s, into + r * ROW, NATIVE);
                    }
                }
            }
        }

        @Override
        public void outside(MemorySegment s, long at, int from, int to) {
            FloatVector never = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
            for (int i = 0; i < from; i += L) {
                never.intoMemorySegment(s, at + i * 4L, NATIVE, S.indexInRange(i, from));
            }
            for (int i = to / L * L; i < SIDE; i += L) {
                never.intoMemorySegment(s, at + i * 4L, NATIVE, S.indexInRange(i, to).not());
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
        public void rise(MemorySegment s, long st, int rows, int queries, long max, long keep) {
            for (int i = 0; i < queries; i += L) {
                FloatVector old = FloatVector.fromMemorySegment(S, s, max + i * 4L, NATIVE);
                // two chains of comparisons; a last odd row is looked at twice
                FloatVector m0 = old;
                FloatVector m1 = old;
                for (int j = 0; j < rows; j += 2) {
                    FloatVector x0 = FloatVector.fromMemorySegment(S, s, st + j * ROW + i * 4L, NATIVE);
                    FloatVector x1 = FloatVector.fromMemorySegment(S, s, st + Math.min(j + 1, rows - 1) * ROW + i * 4L, NATIVE);
                    m0 = x0.blend(m0, x0.compare(VectorOperators.LT, m0));
                    m1 = x1.blend(m1, x1.compare(VectorOperators.LT, m1));
                }
                FloatVector m = old.max(m0).max(m1);
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
        public void weigh(MemorySegment s, long st, int rows, int queries, long max, long sum, long keep) {
            for (int i = 0; i < queries; i += L) {
                FloatVector base = FloatVector.fromMemorySegment(S, s, max + i * 4L, NATIVE).max(-Float.MAX_VALUE);
                FloatVector total = FloatVector.zero(S);
                for (int j = 0; j < rows; j++) {
                    FloatVector y = FloatVector.fromMemorySegment(S, s, st + j * ROW + i * 4L, NATIVE).sub(base).mul(LOG2E);
                    FloatVector t = y.blend(-127f, y.compare(VectorOperators.LT, -127f));
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
                    FloatVector y = x.sub(base).mul(LOG2E);
                    FloatVector t = y.blend(-127f, y.compare(VectorOperators.LT, -127f));
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
            FloatVector by = FloatVector.broadcast(S, scale);
            for (int d = 0; d < width; d += L) {
                long in = from + d * 4L;
                long out = at + d * 4L;
                if (d + L <= width) {
                    for (int r = 0; r < rows; r++) {
                        FloatVector.fromMemorySegment(S, s, in + r * ROW, NATIVE)
                                .fma(by, FloatVector.fromMemorySegment(S, x, out + r * rowBytes, NATIVE))
                                .intoMemorySegment(x, out + r * rowBytes, NATIVE);
                    }
                } else {
                    VectorMask<Float> rest = S.indexInRange(d, width);
                    for (int r = 0; r < rows; r++) {
                        FloatVector.fromMemorySegment(S, s, in + r * ROW, NATIVE)
                                .fma(by, FloatVector.fromMemorySegment(S, x, out + r * rowBytes, NATIVE, rest))
                                .intoMemorySegment(x, out + r * rowBytes, NATIVE, rest);
                    }
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
