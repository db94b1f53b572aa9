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
 * The steps of {@link LstmHeads} on a thread's scratch memory {@code s}, written twice: {@link Fast} for the Vector API and {@link LstmPlain}
 * without it. Rows are padded with zeros to whole vectors; n counts numbers with the padding. Positions are in bytes.
 */
interface LstmSteps {

    ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** Rows are padded to a multiple of so many numbers. */
    int lanes();

    /** {@code y[i] += sum over j < rows of x[j] m[j, i]}. */
    void product(MemorySegment s, long x, long m, long y, int rows, int n);

    /** {@code m[j, i] += sum over t < times of x[t, j] y[t, i]}; rows of x are {@code rows} numbers, those of y and m n. */
    void outer(MemorySegment s, long x, long y, long m, int times, int rows, int n);

    /** {@code y += x}. */
    void add(MemorySegment s, long x, long y, int n);

    /** {@code y = σ(x)}. */
    void sigmoid(MemorySegment s, long x, long y, int n);

    /** {@code y = tanh(x)}. */
    void tanh(MemorySegment s, long x, long y, int n);

    /** {@code y = log σ(x)}. */
    void logSigmoid(MemorySegment s, long x, long y, int n);

    /**
     * From the gate i, {@code log σ(f)}, {@code tanh(z)} and {@code σ(o)}, and the state c, n, m three rows from {@code before} on: the state
     * after, i' and f' and whether m is an old one (1, or 0), all at {@code after}, and h.
     */
    void state(MemorySegment s, long i, long logF, long value, long out, long before, long after, long h, int n);

    /**
     * Gradients of the four gates before their functions at {@code dr}, from that of h and what {@link #state} left; the rows dc, dn and
     * that of the scale go on to the step before.
     */
    void slopes(MemorySegment s, long g, long before, long after, long value, long out, long sigmoidF, long sums, long dr, int n);

    // Rows at `after`.
    int C = 0;
    int N = 1;
    int M = 2;
    int IN = 3;
    int KEEP = 4;
    int OLD = 5;

    /** Vector API; the same rules as in {@link AttentionSteps.Fast}. */
    final class Fast implements LstmSteps {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long V = S.vectorByteSize();

        private static final float LOG2E = AttentionSteps.LOG2E;
        private static final float MAGIC = AttentionSteps.MAGIC;
        private static final float E1 = AttentionSteps.E1;
        private static final float E2 = AttentionSteps.E2;
        private static final float E3 = AttentionSteps.E3;
        private static final float E4 = AttentionSteps.E4;
        private static final float E5 = AttentionSteps.E5;
        private static final float E6 = AttentionSteps.E6;

        @Override
        public int lanes() {
            return L;
        }

        @Override
        public void product(MemorySegment s, long x, long m, long y, int rows, int n) {
            long row = n * 4L;
            int i = 0;
            for (; i + 4 * L <= n; i += 4 * L) {
                long to = y + i * 4L;
                FloatVector a0 = FloatVector.fromMemorySegment(S, s, to, NATIVE);
                FloatVector a1 = FloatVector.fromMemorySegment(S, s, to + V, NATIVE);
                FloatVector a2 = FloatVector.fromMemorySegment(S, s, to + 2 * V, NATIVE);
                FloatVector a3 = FloatVector.fromMemorySegment(S, s, to + 3 * V, NATIVE);
                FloatVector b0 = FloatVector.zero(S), b1 = FloatVector.zero(S), b2 = FloatVector.zero(S), b3 = FloatVector.zero(S);
                long at = m + i * 4L;
                int j = 0;
                for (; j + 1 < rows; j += 2) {
                    FloatVector even = FloatVector.broadcast(S, s.get(F, x + j * 4L));
                    a0 = even.fma(FloatVector.fromMemorySegment(S, s, at, NATIVE), a0);
                    a1 = even.fma(FloatVector.fromMemorySegment(S, s, at + V, NATIVE), a1);
                    a2 = even.fma(FloatVector.fromMemorySegment(S, s, at + 2 * V, NATIVE), a2);
                    a3 = even.fma(FloatVector.fromMemorySegment(S, s, at + 3 * V, NATIVE), a3);
                    FloatVector odd = FloatVector.broadcast(S, s.get(F, x + j * 4L + 4));
                    b0 = odd.fma(FloatVector.fromMemorySegment(S, s, at + row, NATIVE), b0);
                    b1 = odd.fma(FloatVector.fromMemorySegment(S, s, at + row + V, NATIVE), b1);
                    b2 = odd.fma(FloatVector.fromMemorySegment(S, s, at + row + 2 * V, NATIVE), b2);
                    b3 = odd.fma(FloatVector.fromMemorySegment(S, s, at + row + 3 * V, NATIVE), b3);
                    at += 2 * row;
                }
                if (j < rows) {
                    FloatVector even = FloatVector.broadcast(S, s.get(F, x + j * 4L));
                    a0 = even.fma(FloatVector.fromMemorySegment(S, s, at, NATIVE), a0);
                    a1 = even.fma(FloatVector.fromMemorySegment(S, s, at + V, NATIVE), a1);
                    a2 = even.fma(FloatVector.fromMemorySegment(S, s, at + 2 * V, NATIVE), a2);
                    a3 = even.fma(FloatVector.fromMemorySegment(S, s, at + 3 * V, NATIVE), a3);
                }
                a0.add(b0).intoMemorySegment(s, to, NATIVE);
                a1.add(b1).intoMemorySegment(s, to + V, NATIVE);
                a2.add(b2).intoMemorySegment(s, to + 2 * V, NATIVE);
                a3.add(b3).intoMemorySegment(s, to + 3 * V, NATIVE);
            }
            for (; i < n; i += L) {
                FloatVector a = FloatVector.fromMemorySegment(S, s, y + i * 4L, NATIVE);
                for (int j = 0; j < rows; j++) {
                    a = FloatVector.broadcast(S, s.get(F, x + j * 4L)).fma(FloatVector.fromMemorySegment(S, s, m + j * row + i * 4L, NATIVE), a);
                }
                a.intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void outer(MemorySegment s, long x, long y, long m, int times, int rows, int n) {
            long row = n * 4L;
            for (int j = 0; j < rows; j++) {
                int i = 0;
                for (; i + 4 * L <= n; i += 4 * L) {
                    long to = m + j * row + i * 4L;
                    FloatVector a0 = FloatVector.fromMemorySegment(S, s, to, NATIVE);
                    FloatVector a1 = FloatVector.fromMemorySegment(S, s, to + V, NATIVE);
                    FloatVector a2 = FloatVector.fromMemorySegment(S, s, to + 2 * V, NATIVE);
                    FloatVector a3 = FloatVector.fromMemorySegment(S, s, to + 3 * V, NATIVE);
                    long from = x + j * 4L;
                    long at = y + i * 4L;
                    for (int t = 0; t < times; t++) {
                        FloatVector by = FloatVector.broadcast(S, s.get(F, from));
                        a0 = by.fma(FloatVector.fromMemorySegment(S, s, at, NATIVE), a0);
                        a1 = by.fma(FloatVector.fromMemorySegment(S, s, at + V, NATIVE), a1);
                        a2 = by.fma(FloatVector.fromMemorySegment(S, s, at + 2 * V, NATIVE), a2);
                        a3 = by.fma(FloatVector.fromMemorySegment(S, s, at + 3 * V, NATIVE), a3);
                        from += rows * 4L;
                        at += row;
                    }
                    a0.intoMemorySegment(s, to, NATIVE);
                    a1.intoMemorySegment(s, to + V, NATIVE);
                    a2.intoMemorySegment(s, to + 2 * V, NATIVE);
                    a3.intoMemorySegment(s, to + 3 * V, NATIVE);
                }
                for (; i < n; i += L) {
                    FloatVector a = FloatVector.fromMemorySegment(S, s, m + j * row + i * 4L, NATIVE);
                    for (int t = 0; t < times; t++) {
                        a = FloatVector.broadcast(S, s.get(F, x + ((long) t * rows + j) * 4))
                                .fma(FloatVector.fromMemorySegment(S, s, y + t * row + i * 4L, NATIVE), a);
                    }
                    a.intoMemorySegment(s, m + j * row + i * 4L, NATIVE);
                }
            }
        }

        @Override
        public void add(MemorySegment s, long x, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE).add(FloatVector.fromMemorySegment(S, s, y + i * 4L, NATIVE))
                        .intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void sigmoid(MemorySegment s, long x, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE);
                FloatVector u = v.abs().mul(-LOG2E);
                FloatVector t = u.blend(-127f, u.compare(VectorOperators.LT, -127f));
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector e = p.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector.broadcast(S, 1f).blend(e, v.compare(VectorOperators.LT, 0f)).div(e.add(1f)).intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void tanh(MemorySegment s, long x, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE);
                FloatVector u = v.abs().mul(-2 * LOG2E);
                FloatVector t = u.blend(-127f, u.compare(VectorOperators.LT, -127f));
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                // tanh|x| = -m / (m + 2) with m = exp(-2|x|) - 1 = 2^n (2^f - 1) + (2^n - 1), exact to the last bits near zero
                FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1)).mul(f);
                FloatVector whole = z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
                FloatVector m = p.fma(whole, whole.sub(1f));
                FloatVector size = m.neg().div(m.add(2f));
                size.blend(size.neg(), v.compare(VectorOperators.LT, 0f)).intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void logSigmoid(MemorySegment s, long x, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE);
                FloatVector u = v.abs().mul(-LOG2E);
                FloatVector t = u.blend(-127f, u.compare(VectorOperators.LT, -127f));
                FloatVector z = t.add(MAGIC);
                FloatVector f = t.sub(z.sub(MAGIC));
                FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector e = p.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                // log(1 + e) = 2 artanh(q) with q = e / (2 + e), at most a third
                FloatVector q = e.div(e.add(2f));
                FloatVector q2 = q.mul(q);
                FloatVector series = FloatVector.broadcast(S, 2f / 15).fma(q2, FloatVector.broadcast(S, 2f / 13))
                        .fma(q2, FloatVector.broadcast(S, 2f / 11)).fma(q2, FloatVector.broadcast(S, 2f / 9))
                        .fma(q2, FloatVector.broadcast(S, 2f / 7)).fma(q2, FloatVector.broadcast(S, 2f / 5))
                        .fma(q2, FloatVector.broadcast(S, 2f / 3)).fma(q2, FloatVector.broadcast(S, 2f));
                FloatVector negative = v.blend(0f, v.compare(VectorOperators.GT, 0f));
                series.neg().fma(q, negative).intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void state(MemorySegment s, long i, long logF, long value, long out, long before, long after, long h, int n) {
            long row = n * 4L;
            for (int d = 0; d < n; d += L) {
                long at = d * 4L;
                FloatVector gate = FloatVector.fromMemorySegment(S, s, i + at, NATIVE);
                FloatVector c = FloatVector.fromMemorySegment(S, s, before + C * row + at, NATIVE);
                FloatVector n0 = FloatVector.fromMemorySegment(S, s, before + N * row + at, NATIVE);
                FloatVector l = FloatVector.fromMemorySegment(S, s, logF + at, NATIVE).add(FloatVector.fromMemorySegment(S, s, before + M * row + at, NATIVE));
                VectorMask<Float> fresh = n0.compare(VectorOperators.EQ, 0f).or(l.compare(VectorOperators.LT, gate));
                FloatVector m = l.blend(gate, fresh);
                FloatVector x0 = gate.sub(m).mul(LOG2E);
                FloatVector x1 = l.sub(m).mul(LOG2E);
                FloatVector t0 = x0.blend(-127f, x0.compare(VectorOperators.LT, -127f));
                FloatVector t1 = x1.blend(-127f, x1.compare(VectorOperators.LT, -127f)).blend(-127f, n0.compare(VectorOperators.EQ, 0f));
                FloatVector z0 = t0.add(MAGIC);
                FloatVector z1 = t1.add(MAGIC);
                FloatVector f0 = t0.sub(z0.sub(MAGIC));
                FloatVector f1 = t1.sub(z1.sub(MAGIC));
                FloatVector p0 = FloatVector.broadcast(S, E6).fma(f0, FloatVector.broadcast(S, E5))
                        .fma(f0, FloatVector.broadcast(S, E4)).fma(f0, FloatVector.broadcast(S, E3))
                        .fma(f0, FloatVector.broadcast(S, E2)).fma(f0, FloatVector.broadcast(S, E1))
                        .fma(f0, FloatVector.broadcast(S, 1f));
                FloatVector p1 = FloatVector.broadcast(S, E6).fma(f1, FloatVector.broadcast(S, E5))
                        .fma(f1, FloatVector.broadcast(S, E4)).fma(f1, FloatVector.broadcast(S, E3))
                        .fma(f1, FloatVector.broadcast(S, E2)).fma(f1, FloatVector.broadcast(S, E1))
                        .fma(f1, FloatVector.broadcast(S, 1f));
                FloatVector in = p0.mul(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector keep = p1.mul(z1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector c1 = keep.fma(c, in.mul(FloatVector.fromMemorySegment(S, s, value + at, NATIVE)));
                FloatVector n1 = keep.fma(n0, in);
                c1.intoMemorySegment(s, after + C * row + at, NATIVE);
                n1.intoMemorySegment(s, after + N * row + at, NATIVE);
                m.intoMemorySegment(s, after + M * row + at, NATIVE);
                in.intoMemorySegment(s, after + IN * row + at, NATIVE);
                keep.intoMemorySegment(s, after + KEEP * row + at, NATIVE);
                FloatVector.broadcast(S, 1f).blend(0f, fresh).intoMemorySegment(s, after + OLD * row + at, NATIVE);
                FloatVector.fromMemorySegment(S, s, out + at, NATIVE).mul(c1.div(n1)).intoMemorySegment(s, h + at, NATIVE);
            }
        }

        @Override
        public void slopes(MemorySegment s, long g, long before, long after, long value, long out, long sigmoidF, long sums, long dr, int n) {
            long row = n * 4L;
            for (int d = 0; d < n; d += L) {
                long at = d * 4L;
                FloatVector dh = FloatVector.fromMemorySegment(S, s, g + at, NATIVE);
                FloatVector n1 = FloatVector.fromMemorySegment(S, s, after + N * row + at, NATIVE);
                FloatVector o = FloatVector.fromMemorySegment(S, s, out + at, NATIVE);
                FloatVector z = FloatVector.fromMemorySegment(S, s, value + at, NATIVE);
                FloatVector in = FloatVector.fromMemorySegment(S, s, after + IN * row + at, NATIVE);
                FloatVector keep = FloatVector.fromMemorySegment(S, s, after + KEEP * row + at, NATIVE);
                FloatVector old = FloatVector.fromMemorySegment(S, s, after + OLD * row + at, NATIVE);
                FloatVector scale = FloatVector.fromMemorySegment(S, s, sums + 2 * row + at, NATIVE);
                FloatVector dout = dh.mul(FloatVector.fromMemorySegment(S, s, after + C * row + at, NATIVE).div(n1));
                FloatVector share = o.div(n1);
                FloatVector dc = share.fma(dh, FloatVector.fromMemorySegment(S, s, sums + at, NATIVE));
                FloatVector dn = FloatVector.fromMemorySegment(S, s, sums + row + at, NATIVE).sub(share.mul(dout));
                FloatVector passed = scale.mul(old);
                in.fma(dc.fma(z, dn), scale.sub(passed)).intoMemorySegment(s, dr + at, NATIVE);
                FloatVector dl = keep.fma(dc.mul(FloatVector.fromMemorySegment(S, s, before + C * row + at, NATIVE))
                        .add(dn.mul(FloatVector.fromMemorySegment(S, s, before + N * row + at, NATIVE))), passed);
                FloatVector one = FloatVector.broadcast(S, 1f);
                one.sub(FloatVector.fromMemorySegment(S, s, sigmoidF + at, NATIVE)).mul(dl).intoMemorySegment(s, dr + row + at, NATIVE);
                one.sub(z.mul(z)).mul(dc.mul(in)).intoMemorySegment(s, dr + 2 * row + at, NATIVE);
                one.sub(o).mul(dout.mul(o)).intoMemorySegment(s, dr + 3 * row + at, NATIVE);
                dc.mul(keep).intoMemorySegment(s, sums + at, NATIVE);
                dn.mul(keep).intoMemorySegment(s, sums + row + at, NATIVE);
                passed.intoMemorySegment(s, sums + 2 * row + at, NATIVE);
            }
        }
    }
}
