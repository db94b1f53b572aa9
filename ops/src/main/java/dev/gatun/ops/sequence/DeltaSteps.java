package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * One token of {@link DeltaRule} and of its gradient for a band of columns of the state, which do not know of each other but
 * for sums over all of them. Written twice: {@link Fast} for the Vector API and {@link DeltaPlain} without it. A band is
 * {@link #side} columns; rows v, e, y, dy and dv of a token have so many numbers. Positions are in bytes.
 */
interface DeltaSteps {

    ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** Columns of a band. */
    int side();

    /**
     * Forward: {@code e = v - fade Sᵀ k}, {@code S' = fade S + k (beta e)ᵀ}, {@code y = scale S'ᵀ q}.
     *
     * @param fade what is left of the state before
     */
    void forward(MemorySegment s, long state, long next, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys, float beta, float fade, float scale,
            long v, long e, long y);

    /**
     * Back: from S before the token and λ {@code [keys, side]} of the state after it, which becomes that of the state before. Row dv is
     * written, dk and dq of all keys are added to, and so are the two numbers dβ and dg at {@code sums}.
     */
    void backward(MemorySegment s, long state, long lambda, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys,
            float beta, float fade, float scale, long e, long dy, long dv, long dk, long dq, long sums);

    /** Vector API; four vectors are a band. Sums over keys run in two chains, so that an addition need not wait for the one before. */
    final class Fast implements DeltaSteps {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int L = S.length();
        private static final long V = S.vectorByteSize();
        private static final long ROW = 4 * V;

        private static final VectorShuffle<Float> HALF = VectorShuffle.iota(S, L / 2, 1, true);
        private static final VectorShuffle<Float> QUARTER = VectorShuffle.iota(S, L / 4, 1, true);
        private static final VectorShuffle<Float> EIGHTH = VectorShuffle.iota(S, L / 8, 1, true);
        private static final VectorShuffle<Float> SIXTEENTH = VectorShuffle.iota(S, L / 16, 1, true);
        private static final VectorMask<Float> UPPER = VectorMask.fromLong(S, -1L << L / 2);

        @Override
        public int side() {
            return 4 * L;
        }

        @Override
        public void forward(MemorySegment s, long state, long next, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys, float beta, float fade, float scale,
                long v, long e, long y) {
            FloatVector p0 = FloatVector.zero(S), p1 = FloatVector.zero(S), p2 = FloatVector.zero(S), p3 = FloatVector.zero(S);
            FloatVector r0 = FloatVector.zero(S), r1 = FloatVector.zero(S), r2 = FloatVector.zero(S), r3 = FloatVector.zero(S);
            int i = 0;
            for (; i + 1 < keys; i += 2) {
                long row = state + i * ROW;
                FloatVector even = FloatVector.broadcast(S, k.get(F, kAt + i * 4L));
                p0 = even.fma(FloatVector.fromMemorySegment(S, s, row, NATIVE), p0);
                p1 = even.fma(FloatVector.fromMemorySegment(S, s, row + V, NATIVE), p1);
                p2 = even.fma(FloatVector.fromMemorySegment(S, s, row + 2 * V, NATIVE), p2);
                p3 = even.fma(FloatVector.fromMemorySegment(S, s, row + 3 * V, NATIVE), p3);
                long after = row + ROW;
                FloatVector odd = FloatVector.broadcast(S, k.get(F, kAt + i * 4L + 4));
                r0 = odd.fma(FloatVector.fromMemorySegment(S, s, after, NATIVE), r0);
                r1 = odd.fma(FloatVector.fromMemorySegment(S, s, after + V, NATIVE), r1);
                r2 = odd.fma(FloatVector.fromMemorySegment(S, s, after + 2 * V, NATIVE), r2);
                r3 = odd.fma(FloatVector.fromMemorySegment(S, s, after + 3 * V, NATIVE), r3);
            }
            if (i < keys) {
                long row = state + i * ROW;
                FloatVector even = FloatVector.broadcast(S, k.get(F, kAt + i * 4L));
                p0 = even.fma(FloatVector.fromMemorySegment(S, s, row, NATIVE), p0);
                p1 = even.fma(FloatVector.fromMemorySegment(S, s, row + V, NATIVE), p1);
                p2 = even.fma(FloatVector.fromMemorySegment(S, s, row + 2 * V, NATIVE), p2);
                p3 = even.fma(FloatVector.fromMemorySegment(S, s, row + 3 * V, NATIVE), p3);
            }
            FloatVector e0 = FloatVector.fromMemorySegment(S, s, v, NATIVE).sub(p0.add(r0).mul(fade));
            FloatVector e1 = FloatVector.fromMemorySegment(S, s, v + V, NATIVE).sub(p1.add(r1).mul(fade));
            FloatVector e2 = FloatVector.fromMemorySegment(S, s, v + 2 * V, NATIVE).sub(p2.add(r2).mul(fade));
            FloatVector e3 = FloatVector.fromMemorySegment(S, s, v + 3 * V, NATIVE).sub(p3.add(r3).mul(fade));
            e0.intoMemorySegment(s, e, NATIVE);
            e1.intoMemorySegment(s, e + V, NATIVE);
            e2.intoMemorySegment(s, e + 2 * V, NATIVE);
            e3.intoMemorySegment(s, e + 3 * V, NATIVE);
            FloatVector u0 = e0.mul(beta), u1 = e1.mul(beta), u2 = e2.mul(beta), u3 = e3.mul(beta);
            FloatVector y0 = FloatVector.zero(S), y1 = FloatVector.zero(S), y2 = FloatVector.zero(S), y3 = FloatVector.zero(S);
            for (int j = 0; j < keys; j++) {
                long row = state + j * ROW;
                long into = next + j * ROW;
                FloatVector kj = FloatVector.broadcast(S, k.get(F, kAt + j * 4L));
                FloatVector qj = FloatVector.broadcast(S, q.get(F, qAt + j * 4L));
                FloatVector s0 = kj.fma(u0, FloatVector.fromMemorySegment(S, s, row, NATIVE).mul(fade));
                FloatVector s1 = kj.fma(u1, FloatVector.fromMemorySegment(S, s, row + V, NATIVE).mul(fade));
                FloatVector s2 = kj.fma(u2, FloatVector.fromMemorySegment(S, s, row + 2 * V, NATIVE).mul(fade));
                FloatVector s3 = kj.fma(u3, FloatVector.fromMemorySegment(S, s, row + 3 * V, NATIVE).mul(fade));
                s0.intoMemorySegment(s, into, NATIVE);
                s1.intoMemorySegment(s, into + V, NATIVE);
                s2.intoMemorySegment(s, into + 2 * V, NATIVE);
                s3.intoMemorySegment(s, into + 3 * V, NATIVE);
                y0 = qj.fma(s0, y0);
                y1 = qj.fma(s1, y1);
                y2 = qj.fma(s2, y2);
                y3 = qj.fma(s3, y3);
            }
            y0.mul(scale).intoMemorySegment(s, y, NATIVE);
            y1.mul(scale).intoMemorySegment(s, y + V, NATIVE);
            y2.mul(scale).intoMemorySegment(s, y + 2 * V, NATIVE);
            y3.mul(scale).intoMemorySegment(s, y + 3 * V, NATIVE);
        }

        @Override
        public void backward(MemorySegment s, long state, long lambda, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys,
                float beta, float fade, float scale, long e, long dy, long dv, long dk, long dq, long sums) {
            FloatVector g0 = FloatVector.fromMemorySegment(S, s, dy, NATIVE);
            FloatVector g1 = FloatVector.fromMemorySegment(S, s, dy + V, NATIVE);
            FloatVector g2 = FloatVector.fromMemorySegment(S, s, dy + 2 * V, NATIVE);
            FloatVector g3 = FloatVector.fromMemorySegment(S, s, dy + 3 * V, NATIVE);
            FloatVector d0 = FloatVector.zero(S), d1 = FloatVector.zero(S), d2 = FloatVector.zero(S), d3 = FloatVector.zero(S);
            for (int j = 0; j < keys; j++) {
                long row = lambda + j * ROW;
                FloatVector kj = FloatVector.broadcast(S, k.get(F, kAt + j * 4L));
                FloatVector qj = FloatVector.broadcast(S, scale * q.get(F, qAt + j * 4L));
                FloatVector l0 = qj.fma(g0, FloatVector.fromMemorySegment(S, s, row, NATIVE));
                FloatVector l1 = qj.fma(g1, FloatVector.fromMemorySegment(S, s, row + V, NATIVE));
                FloatVector l2 = qj.fma(g2, FloatVector.fromMemorySegment(S, s, row + 2 * V, NATIVE));
                FloatVector l3 = qj.fma(g3, FloatVector.fromMemorySegment(S, s, row + 3 * V, NATIVE));
                l0.intoMemorySegment(s, row, NATIVE);
                l1.intoMemorySegment(s, row + V, NATIVE);
                l2.intoMemorySegment(s, row + 2 * V, NATIVE);
                l3.intoMemorySegment(s, row + 3 * V, NATIVE);
                d0 = kj.fma(l0, d0);
                d1 = kj.fma(l1, d1);
                d2 = kj.fma(l2, d2);
                d3 = kj.fma(l3, d3);
            }
            FloatVector e0 = FloatVector.fromMemorySegment(S, s, e, NATIVE);
            FloatVector e1 = FloatVector.fromMemorySegment(S, s, e + V, NATIVE);
            FloatVector e2 = FloatVector.fromMemorySegment(S, s, e + 2 * V, NATIVE);
            FloatVector e3 = FloatVector.fromMemorySegment(S, s, e + 3 * V, NATIVE);
            FloatVector ofBeta = d3.fma(e3, d2.fma(e2, d1.fma(e1, d0.mul(e0))));
            FloatVector u0 = e0.mul(beta), u1 = e1.mul(beta), u2 = e2.mul(beta), u3 = e3.mul(beta);
            FloatVector read = g3.fma(u3, g2.fma(u2, g1.fma(u1, g0.mul(u0))));
            // Two sums across lanes at once: the halves of each are added, then those of one lie above the other's.
            FloatVector halfBeta = ofBeta.rearrange(HALF).add(ofBeta);
            FloatVector halfRead = read.rearrange(HALF).add(read);
            FloatVector two = halfBeta.blend(halfRead, UPPER);
            two = two.rearrange(QUARTER).add(two);
            two = L < 8 ? two : two.rearrange(EIGHTH).add(two);
            two = L < 16 ? two : two.rearrange(SIXTEENTH).add(two);
            s.set(F, sums, s.get(F, sums) + two.lane(0));
            float met = two.lane(L / 2);

            d0 = d0.mul(beta);
            d1 = d1.mul(beta);
            d2 = d2.mul(beta);
            d3 = d3.mul(beta);
            d0.intoMemorySegment(s, dv, NATIVE);
            d1.intoMemorySegment(s, dv + V, NATIVE);
            d2.intoMemorySegment(s, dv + 2 * V, NATIVE);
            d3.intoMemorySegment(s, dv + 3 * V, NATIVE);
            FloatVector f0 = d0.mul(-fade), f1 = d1.mul(-fade), f2 = d2.mul(-fade), f3 = d3.mul(-fade);
            FloatVector fading = FloatVector.zero(S);
            for (int j = 0; j < keys; j++) {
                long row = lambda + j * ROW;
                long at = state + j * ROW;
                float key = k.get(F, kAt + j * 4L);
                FloatVector kj = FloatVector.broadcast(S, -key);
                FloatVector s0 = FloatVector.fromMemorySegment(S, s, at, NATIVE);
                FloatVector s1 = FloatVector.fromMemorySegment(S, s, at + V, NATIVE);
                FloatVector s2 = FloatVector.fromMemorySegment(S, s, at + 2 * V, NATIVE);
                FloatVector s3 = FloatVector.fromMemorySegment(S, s, at + 3 * V, NATIVE);
                FloatVector l0 = FloatVector.fromMemorySegment(S, s, row, NATIVE);
                FloatVector l1 = FloatVector.fromMemorySegment(S, s, row + V, NATIVE);
                FloatVector l2 = FloatVector.fromMemorySegment(S, s, row + 2 * V, NATIVE);
                FloatVector l3 = FloatVector.fromMemorySegment(S, s, row + 3 * V, NATIVE);
                FloatVector ofQ = s1.fma(g1, s0.mul(g0)).add(s3.fma(g3, s2.mul(g2)));
                FloatVector left = s1.fma(f1, s0.fma(f0, l1.fma(u1, l0.mul(u0))));
                FloatVector right = s3.fma(f3, s2.fma(f2, l3.fma(u3, l2.mul(u2))));
                FloatVector ofK = left.add(right);
                l0 = kj.fma(d0, l0);
                l1 = kj.fma(d1, l1);
                l2 = kj.fma(d2, l2);
                l3 = kj.fma(d3, l3);
                fading = s1.fma(l1, s0.mul(l0)).add(s3.fma(l3, s2.mul(l2))).add(fading);
                l0.mul(fade).intoMemorySegment(s, row, NATIVE);
                l1.mul(fade).intoMemorySegment(s, row + V, NATIVE);
                l2.mul(fade).intoMemorySegment(s, row + 2 * V, NATIVE);
                l3.mul(fade).intoMemorySegment(s, row + 3 * V, NATIVE);
                FloatVector halfQ = ofQ.rearrange(HALF).add(ofQ);
                FloatVector halfK = ofK.rearrange(HALF).add(ofK);
                FloatVector both = halfQ.blend(halfK, UPPER);
                both = both.rearrange(QUARTER).add(both);
                both = L < 8 ? both : both.rearrange(EIGHTH).add(both);
                both = L < 16 ? both : both.rearrange(SIXTEENTH).add(both);
                s.set(F, dq + j * 4L, s.get(F, dq + j * 4L) + scale * (fade * both.lane(0) + key * met));
                s.set(F, dk + j * 4L, s.get(F, dk + j * 4L) + both.lane(L / 2));
            }
            fading = fading.rearrange(HALF).add(fading);
            fading = fading.rearrange(QUARTER).add(fading);
            fading = L < 8 ? fading : fading.rearrange(EIGHTH).add(fading);
            fading = L < 16 ? fading : fading.rearrange(SIXTEENTH).add(fading);
            s.set(F, sums + 4, s.get(F, sums + 4) + fade * fading.lane(0));
        }
    }
}
