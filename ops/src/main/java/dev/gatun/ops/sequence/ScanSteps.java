package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The steps of {@link ScanPanels} on a thread's scratch memory {@code s}, written twice: {@link Fast} for the Vector API and
 * {@link ScanPlain} without it. A panel is some channels side by side, a row its numbers at one time, an array
 * {@value #TIMES} rows. Positions are in bytes.
 */
interface ScanSteps {

    ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;
    int TIMES = SelectiveScan.CHUNK;

    // Arrays that the panels of a run take turns to use: what is made of the inputs, gradients, and the states and decays of one n.
    int DELTA = 0;
    int W = 1;
    int Y = 2;
    int G = 3;
    int DW = 4;
    int DDELTA = 5;
    int E = 6;
    /** One row more than an array: it starts with the state before. */
    int H = 7;
    /** Where these arrays end. */
    int ARRAYS = 9;

    // 2 to the power of -1/2 to 1/2, as in attention.
    float LOG2E = AttentionSteps.LOG2E;
    float MAGIC = AttentionSteps.MAGIC;
    float E1 = AttentionSteps.E1;
    float E2 = AttentionSteps.E2;
    float E3 = AttentionSteps.E3;
    float E4 = AttentionSteps.E4;
    float E5 = AttentionSteps.E5;
    float E6 = AttentionSteps.E6;

    /** Channels of a panel. */
    int side();

    /** Bytes of an array. */
    default long array() {
        return (long) TIMES * side() * 4;
    }

    /**
     * {@code s[r, i] = x[r, i] + add[i]} for the panels of a run, so that a row of x is read in one go; zeros from {@code width} on to the end of its panel.
     * Panels lie so many bytes apart.
     */
    void load(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long add, long addBytes, long to, long toBytes);

    /** {@code x[r, i] = s[r, i]} for i below {@code width}. */
    void store(MemorySegment s, long from, long fromBytes, int rows, int width, MemorySegment x, long at, long rowBytes);

    /** {@code y = log(1 + e^x)} for n numbers. */
    void softplus(MemorySegment s, long x, long y, int n);

    /** {@code y = a b} for n numbers. */
    void multiply(MemorySegment s, long a, long b, long y, int n);

    /** {@code y[r, i] = row[i] x[r, i]}. */
    void scale(MemorySegment s, long row, long x, long y, int rows);

    /** {@code y = x silu(z)} for n numbers. */
    void gate(MemorySegment s, long x, long z, long y, int n);

    /** {@code x = x y silu'(z)} for n numbers. */
    void gateSlope(MemorySegment s, long x, long z, long y, int n);

    /**
     * The states of one n: {@code h[t] = e[t] h[t-1] + b[t] W[t]} with {@code e = 2^(a2 DELTA)} into the arrays H and E, and {@code Y += c h}. The state before
     * is read from a row, which the last one replaces; the b and c of neighbouring times are neighbours.
     */
    void states(MemorySegment s, long a2, long state, long b, long c, int rows);

    /**
     * Back through the states of one n, with λ in a row: {@code DW += λ b}, {@code DDELTA += a λ e h[t-1]}, {@code da += DELTA λ e h[t-1]}, and the
     * sums over channels {@code λ W} and {@code G h} are added to the numbers at db and dc.
     */
    void adjoints(MemorySegment s, long a, long lambda, long da, long b, long c, int rows, MemorySegment sums, long db, long dc);

    /**
     * What the sums over n are for the inputs: {@code raw = (DDELTA + DW u) σ(raw)}, without σ if so wanted, {@code u = DELTA DW + skip G}; the
     * rows dbias and dskip grow by the new raw and by {@code G u}.
     */
    void inputs(MemorySegment s, long u, long raw, long skip, long dbias, long dskip, boolean softplus, int rows);

    /**
     * One time of the channels {@code from} to {@code to} of a row: {@code h = e^(a delta) h + w b} over N neighbouring numbers a channel, in place, and
     * {@code y = sum of c h}; delta, w and y lie in scratch.
     */
    void channels(MemorySegment s, long delta, long w, long y, int from, int to, MemorySegment a, MemorySegment h, long hAt, int states,
            MemorySegment b, long bAt, MemorySegment c, long cAt);

    /**
     * Vector API; two vectors are a panel. Only steps that are exact or rounded once are used, none that the JVM does one way interpreted
     * and another way compiled; accumulators are operands of sums and not receivers.
     */
    final class Fast implements ScanSteps {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long V = S.vectorByteSize();
        private static final long ROW = 2 * V;
        private static final long ARRAY = TIMES * ROW;

        private static final VectorShuffle<Float> HALF = VectorShuffle.iota(S, L / 2, 1, true);
        private static final VectorShuffle<Float> QUARTER = VectorShuffle.iota(S, L / 4, 1, true);
        private static final VectorShuffle<Float> EIGHTH = VectorShuffle.iota(S, L / 8, 1, true);
        private static final VectorShuffle<Float> SIXTEENTH = VectorShuffle.iota(S, L / 16, 1, true);
        private static final VectorMask<Float> UPPER = VectorMask.fromLong(S, -1L << L / 2);

        @Override
        public int side() {
            return 2 * L;
        }

        @Override
        public void load(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long add, long addBytes, long to, long toBytes) {
            int full = width / (2 * L);
            VectorMask<Float> in0 = S.indexInRange(0, width - full * 2 * L);
            VectorMask<Float> in1 = S.indexInRange(L, Math.max(L, width - full * 2 * L));
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < full; i++) {
                    long from = at + r * rowBytes + i * ROW;
                    long more = add + i * addBytes;
                    long into = to + i * toBytes + r * ROW;
                    FloatVector.fromMemorySegment(S, x, from, NATIVE).add(FloatVector.fromMemorySegment(S, s, more, NATIVE))
                            .intoMemorySegment(s, into, NATIVE);
                    FloatVector.fromMemorySegment(S, x, from + V, NATIVE).add(FloatVector.fromMemorySegment(S, s, more + V, NATIVE))
                            .intoMemorySegment(s, into + V, NATIVE);
                }
                if (full * 2 * L < width) {
                    long from = at + r * rowBytes + full * ROW;
                    long more = add + full * addBytes;
                    long into = to + full * toBytes + r * ROW;
                    FloatVector.fromMemorySegment(S, x, from, NATIVE, in0).add(FloatVector.fromMemorySegment(S, s, more, NATIVE))
                            .intoMemorySegment(s, into, NATIVE);
                    FloatVector.fromMemorySegment(S, x, from + V, NATIVE, in1).add(FloatVector.fromMemorySegment(S, s, more + V, NATIVE))
                            .intoMemorySegment(s, into + V, NATIVE);
                }
            }
        }

        @Override
        public void store(MemorySegment s, long from, long fromBytes, int rows, int width, MemorySegment x, long at, long rowBytes) {
            int full = width / (2 * L);
            VectorMask<Float> in0 = S.indexInRange(0, width - full * 2 * L);
            VectorMask<Float> in1 = S.indexInRange(L, Math.max(L, width - full * 2 * L));
            for (int r = 0; r < rows; r++) {
                for (int i = 0; i < full; i++) {
                    long of = from + i * fromBytes + r * ROW;
                    long into = at + r * rowBytes + i * ROW;
                    FloatVector.fromMemorySegment(S, s, of, NATIVE).intoMemorySegment(x, into, NATIVE);
                    FloatVector.fromMemorySegment(S, s, of + V, NATIVE).intoMemorySegment(x, into + V, NATIVE);
                }
                if (full * 2 * L < width) {
                    long of = from + full * fromBytes + r * ROW;
                    long into = at + r * rowBytes + full * ROW;
                    FloatVector.fromMemorySegment(S, s, of, NATIVE).intoMemorySegment(x, into, NATIVE, in0);
                    FloatVector.fromMemorySegment(S, s, of + V, NATIVE).intoMemorySegment(x, into + V, NATIVE, in1);
                }
            }
        }

        @Override
        public void softplus(MemorySegment s, long x, long y, int n) {
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
                FloatVector positive = v.blend(0f, v.compare(VectorOperators.LT, 0f));
                series.fma(q, positive).intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void multiply(MemorySegment s, long a, long b, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector.fromMemorySegment(S, s, a + i * 4L, NATIVE).mul(FloatVector.fromMemorySegment(S, s, b + i * 4L, NATIVE))
                        .intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void scale(MemorySegment s, long row, long x, long y, int rows) {
            FloatVector by0 = FloatVector.fromMemorySegment(S, s, row, NATIVE);
            FloatVector by1 = FloatVector.fromMemorySegment(S, s, row + V, NATIVE);
            for (int r = 0; r < rows; r++) {
                long at = r * ROW;
                by0.mul(FloatVector.fromMemorySegment(S, s, x + at, NATIVE)).intoMemorySegment(s, y + at, NATIVE);
                by1.mul(FloatVector.fromMemorySegment(S, s, x + at + V, NATIVE)).intoMemorySegment(s, y + at + V, NATIVE);
            }
        }

        @Override
        public void gate(MemorySegment s, long x, long z, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromMemorySegment(S, s, z + i * 4L, NATIVE);
                FloatVector u = v.abs().mul(-LOG2E);
                FloatVector t = u.blend(-127f, u.compare(VectorOperators.LT, -127f));
                FloatVector k = t.add(MAGIC);
                FloatVector f = t.sub(k.sub(MAGIC));
                FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector e = p.mul(k.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector share = FloatVector.broadcast(S, 1f).blend(e, v.compare(VectorOperators.LT, 0f)).div(e.add(1f));
                FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE).mul(v.mul(share)).intoMemorySegment(s, y + i * 4L, NATIVE);
            }
        }

        @Override
        public void gateSlope(MemorySegment s, long x, long z, long y, int n) {
            for (int i = 0; i < n; i += L) {
                FloatVector v = FloatVector.fromMemorySegment(S, s, z + i * 4L, NATIVE);
                FloatVector u = v.abs().mul(-LOG2E);
                FloatVector t = u.blend(-127f, u.compare(VectorOperators.LT, -127f));
                FloatVector k = t.add(MAGIC);
                FloatVector f = t.sub(k.sub(MAGIC));
                FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                        .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                        .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                        .fma(f, FloatVector.broadcast(S, 1f));
                FloatVector e = p.mul(k.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector one = FloatVector.broadcast(S, 1f);
                FloatVector whole = e.add(1f);
                FloatVector share = one.blend(e, v.compare(VectorOperators.LT, 0f)).div(whole);
                FloatVector rest = e.blend(one, v.compare(VectorOperators.LT, 0f)).div(whole);
                FloatVector slope = share.mul(v.fma(rest, one));
                FloatVector.fromMemorySegment(S, s, x + i * 4L, NATIVE).mul(FloatVector.fromMemorySegment(S, s, y + i * 4L, NATIVE)).mul(slope)
                        .intoMemorySegment(s, x + i * 4L, NATIVE);
            }
        }

        // Slices of a constant size and a bounded counter let the compiler prove every access of the loops beforehand.

        @Override
        public void states(MemorySegment s, long a2, long state, long b, long c, int rows) {
            MemorySegment deltas = s.asSlice(DELTA * ARRAY, ARRAY);
            MemorySegment ws = s.asSlice(W * ARRAY, ARRAY);
            MemorySegment ys = s.asSlice(Y * ARRAY, ARRAY);
            MemorySegment es = s.asSlice(E * ARRAY, ARRAY);
            MemorySegment hs = s.asSlice(H * ARRAY, ARRAY + ROW);
            MemorySegment bs = s.asSlice(b, TIMES * 4L);
            MemorySegment cs = s.asSlice(c, TIMES * 4L);
            FloatVector a0 = FloatVector.fromMemorySegment(S, s, a2, NATIVE);
            FloatVector a1 = FloatVector.fromMemorySegment(S, s, a2 + V, NATIVE);
            FloatVector h0 = FloatVector.fromMemorySegment(S, s, state, NATIVE);
            FloatVector h1 = FloatVector.fromMemorySegment(S, s, state + V, NATIVE);
            h0.intoMemorySegment(hs, 0, NATIVE);
            h1.intoMemorySegment(hs, V, NATIVE);
            int end = Math.min(rows, TIMES);
            for (int r = 0; r < end; r++) {
                long at = r * ROW;
                FloatVector x0 = a0.mul(FloatVector.fromMemorySegment(S, deltas, at, NATIVE));
                FloatVector x1 = a1.mul(FloatVector.fromMemorySegment(S, deltas, at + V, NATIVE));
                FloatVector y0 = x0.blend(-127f, x0.compare(VectorOperators.LT, -127f));
                FloatVector y1 = x1.blend(-127f, x1.compare(VectorOperators.LT, -127f));
                FloatVector t0 = y0.blend(128f, y0.compare(VectorOperators.GT, 128f));
                FloatVector t1 = y1.blend(128f, y1.compare(VectorOperators.GT, 128f));
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
                FloatVector e0 = p0.mul(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                FloatVector e1 = p1.mul(z1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                e0.intoMemorySegment(es, at, NATIVE);
                e1.intoMemorySegment(es, at + V, NATIVE);
                FloatVector in = FloatVector.broadcast(S, bs.get(F, r * 4L));
                h0 = e0.fma(h0, in.mul(FloatVector.fromMemorySegment(S, ws, at, NATIVE)));
                h1 = e1.fma(h1, in.mul(FloatVector.fromMemorySegment(S, ws, at + V, NATIVE)));
                h0.intoMemorySegment(hs, at + ROW, NATIVE);
                h1.intoMemorySegment(hs, at + ROW + V, NATIVE);
                FloatVector out = FloatVector.broadcast(S, cs.get(F, r * 4L));
                out.fma(h0, FloatVector.fromMemorySegment(S, ys, at, NATIVE)).intoMemorySegment(ys, at, NATIVE);
                out.fma(h1, FloatVector.fromMemorySegment(S, ys, at + V, NATIVE)).intoMemorySegment(ys, at + V, NATIVE);
            }
            h0.intoMemorySegment(s, state, NATIVE);
            h1.intoMemorySegment(s, state + V, NATIVE);
        }

        @Override
        public void adjoints(MemorySegment s, long a, long lambda, long da, long b, long c, int rows, MemorySegment sums, long db, long dc) {
            MemorySegment gs = s.asSlice(G * ARRAY, ARRAY);
            MemorySegment ws = s.asSlice(W * ARRAY, ARRAY);
            MemorySegment dws = s.asSlice(DW * ARRAY, ARRAY);
            MemorySegment deltas = s.asSlice(DELTA * ARRAY, ARRAY);
            MemorySegment ddeltas = s.asSlice(DDELTA * ARRAY, ARRAY);
            MemorySegment es = s.asSlice(E * ARRAY, ARRAY);
            MemorySegment hs = s.asSlice(H * ARRAY, ARRAY + ROW);
            MemorySegment bs = s.asSlice(b, TIMES * 4L);
            MemorySegment cs = s.asSlice(c, TIMES * 4L);
            MemorySegment dbs = sums.asSlice(db, TIMES * 4L);
            MemorySegment dcs = sums.asSlice(dc, TIMES * 4L);
            FloatVector a0 = FloatVector.fromMemorySegment(S, s, a, NATIVE);
            FloatVector a1 = FloatVector.fromMemorySegment(S, s, a + V, NATIVE);
            FloatVector l0 = FloatVector.fromMemorySegment(S, s, lambda, NATIVE);
            FloatVector l1 = FloatVector.fromMemorySegment(S, s, lambda + V, NATIVE);
            FloatVector d0 = FloatVector.fromMemorySegment(S, s, da, NATIVE);
            FloatVector d1 = FloatVector.fromMemorySegment(S, s, da + V, NATIVE);
            for (int r = Math.min(rows, TIMES) - 1; r >= 0; r--) {
                long at = r * ROW;
                FloatVector g0 = FloatVector.fromMemorySegment(S, gs, at, NATIVE);
                FloatVector g1 = FloatVector.fromMemorySegment(S, gs, at + V, NATIVE);
                FloatVector out = FloatVector.broadcast(S, cs.get(F, r * 4L));
                l0 = out.fma(g0, l0);
                l1 = out.fma(g1, l1);
                FloatVector ofC = g1.fma(FloatVector.fromMemorySegment(S, hs, at + ROW + V, NATIVE),
                        g0.mul(FloatVector.fromMemorySegment(S, hs, at + ROW, NATIVE)));
                FloatVector ofB = FloatVector.fromMemorySegment(S, ws, at + V, NATIVE)
                        .fma(l1, FloatVector.fromMemorySegment(S, ws, at, NATIVE).mul(l0));
                FloatVector in = FloatVector.broadcast(S, bs.get(F, r * 4L));
                in.fma(l0, FloatVector.fromMemorySegment(S, dws, at, NATIVE)).intoMemorySegment(dws, at, NATIVE);
                in.fma(l1, FloatVector.fromMemorySegment(S, dws, at + V, NATIVE)).intoMemorySegment(dws, at + V, NATIVE);
                l0 = FloatVector.fromMemorySegment(S, es, at, NATIVE).mul(l0);
                l1 = FloatVector.fromMemorySegment(S, es, at + V, NATIVE).mul(l1);
                FloatVector q0 = FloatVector.fromMemorySegment(S, hs, at, NATIVE).mul(l0);
                FloatVector q1 = FloatVector.fromMemorySegment(S, hs, at + V, NATIVE).mul(l1);
                a0.fma(q0, FloatVector.fromMemorySegment(S, ddeltas, at, NATIVE)).intoMemorySegment(ddeltas, at, NATIVE);
                a1.fma(q1, FloatVector.fromMemorySegment(S, ddeltas, at + V, NATIVE)).intoMemorySegment(ddeltas, at + V, NATIVE);
                d0 = FloatVector.fromMemorySegment(S, deltas, at, NATIVE).fma(q0, d0);
                d1 = FloatVector.fromMemorySegment(S, deltas, at + V, NATIVE).fma(q1, d1);
                // Both sums across lanes at once: the halves of each are added, then those of one lie above the other's.
                FloatVector halfB = ofB.rearrange(HALF).add(ofB);
                FloatVector halfC = ofC.rearrange(HALF).add(ofC);
                FloatVector both = halfB.blend(halfC, UPPER);
                both = both.rearrange(QUARTER).add(both);
                both = L < 8 ? both : both.rearrange(EIGHTH).add(both);
                both = L < 16 ? both : both.rearrange(SIXTEENTH).add(both);
                dbs.set(F, r * 4L, dbs.get(F, r * 4L) + both.lane(0));
                dcs.set(F, r * 4L, dcs.get(F, r * 4L) + both.lane(L / 2));
            }
            l0.intoMemorySegment(s, lambda, NATIVE);
            l1.intoMemorySegment(s, lambda + V, NATIVE);
            d0.intoMemorySegment(s, da, NATIVE);
            d1.intoMemorySegment(s, da + V, NATIVE);
        }

        @Override
        public void inputs(MemorySegment s, long uAt, long raw, long skip, long dbias, long dskip, boolean softplus, int rows) {
            for (int i = 0; i < 2; i++) {
                FloatVector by = FloatVector.fromMemorySegment(S, s, skip + i * V, NATIVE);
                FloatVector bias = FloatVector.fromMemorySegment(S, s, dbias + i * V, NATIVE);
                FloatVector skipped = FloatVector.fromMemorySegment(S, s, dskip + i * V, NATIVE);
                for (int r = 0; r < rows; r++) {
                    long at = r * ROW + i * V;
                    FloatVector u = FloatVector.fromMemorySegment(S, s, uAt + at, NATIVE);
                    FloatVector g = FloatVector.fromMemorySegment(S, s, G * ARRAY + at, NATIVE);
                    FloatVector dw = FloatVector.fromMemorySegment(S, s, DW * ARRAY + at, NATIVE);
                    FloatVector slope = dw.fma(u, FloatVector.fromMemorySegment(S, s, DDELTA * ARRAY + at, NATIVE));
                    if (softplus) {
                        FloatVector v = FloatVector.fromMemorySegment(S, s, raw + at, NATIVE);
                        FloatVector x = v.abs().mul(-LOG2E);
                        FloatVector t = x.blend(-127f, x.compare(VectorOperators.LT, -127f));
                        FloatVector k = t.add(MAGIC);
                        FloatVector f = t.sub(k.sub(MAGIC));
                        FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                                .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                                .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                                .fma(f, FloatVector.broadcast(S, 1f));
                        FloatVector e = p.mul(k.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                        slope = FloatVector.broadcast(S, 1f).blend(e, v.compare(VectorOperators.LT, 0f)).div(e.add(1f)).mul(slope);
                    }
                    slope.intoMemorySegment(s, raw + at, NATIVE);
                    bias = slope.add(bias);
                    skipped = g.fma(u, skipped);
                    FloatVector.fromMemorySegment(S, s, DELTA * ARRAY + at, NATIVE).fma(dw, by.mul(g)).intoMemorySegment(s, uAt + at, NATIVE);
                }
                bias.intoMemorySegment(s, dbias + i * V, NATIVE);
                skipped.intoMemorySegment(s, dskip + i * V, NATIVE);
            }
        }

        @Override
        public void channels(MemorySegment s, long delta, long w, long y, int from, int to, MemorySegment a, MemorySegment h, long hAt, int states,
                MemorySegment b, long bAt, MemorySegment c, long cAt) {
            for (int n = 0; n < states; n += L) {
                VectorMask<Float> in = S.indexInRange(n, states);
                FloatVector bs = FloatVector.fromMemorySegment(S, b, bAt + n * 4L, NATIVE, in);
                FloatVector cs = FloatVector.fromMemorySegment(S, c, cAt + n * 4L, NATIVE, in);
                for (int d = from; d < to; d++) {
                    long at = ((long) d * states + n) * 4;
                    FloatVector x = FloatVector.fromMemorySegment(S, a, at, NATIVE, in).mul(s.get(F, delta + d * 4L) * LOG2E);
                    FloatVector u = x.blend(-127f, x.compare(VectorOperators.LT, -127f));
                    FloatVector t = u.blend(128f, u.compare(VectorOperators.GT, 128f));
                    FloatVector z = t.add(MAGIC);
                    FloatVector f = t.sub(z.sub(MAGIC));
                    FloatVector p = FloatVector.broadcast(S, E6).fma(f, FloatVector.broadcast(S, E5))
                            .fma(f, FloatVector.broadcast(S, E4)).fma(f, FloatVector.broadcast(S, E3))
                            .fma(f, FloatVector.broadcast(S, E2)).fma(f, FloatVector.broadcast(S, E1))
                            .fma(f, FloatVector.broadcast(S, 1f));
                    FloatVector e = p.mul(z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
                    FloatVector next = FloatVector.fromMemorySegment(S, h, hAt + at, NATIVE, in).fma(e, bs.mul(s.get(F, w + d * 4L)));
                    next.intoMemorySegment(h, hAt + at, NATIVE, in);
                    FloatVector sum = next.mul(cs);
                    sum = sum.rearrange(HALF).add(sum);
                    sum = sum.rearrange(QUARTER).add(sum);
                    sum = L < 8 ? sum : sum.rearrange(EIGHTH).add(sum);
                    sum = L < 16 ? sum : sum.rearrange(SIXTEENTH).add(sum);
                    s.set(F, y + d * 4L, s.get(F, y + d * 4L) + sum.lane(0));
                }
            }
        }
    }
}
