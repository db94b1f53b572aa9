package dev.gatun.ops.sequence;

import java.lang.foreign.MemorySegment;

/** The steps of the delta rule in plain loops, for where the Vector API is missing or not warm yet. */
final class DeltaPlain implements DeltaSteps {

    static final DeltaSteps STEPS = new DeltaPlain();

    private static final int SIDE = 16;
    private static final long ROW = SIDE * 4L;

    private DeltaPlain() {}

    @Override
    public int side() {
        return SIDE;
    }

    @Override
    public void forward(MemorySegment s, long state, long next, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys, float beta, float fade, float scale,
            long v, long e, long y) {
        for (int c = 0; c < SIDE; c++) {
            long column = c * 4L;
            float sum = 0;
            for (int j = 0; j < keys; j++) {
                sum += k.get(F, kAt + j * 4L) * s.get(F, state + j * ROW + column);
            }
            float wrong = s.get(F, v + column) - fade * sum;
            float u = beta * wrong;
            s.set(F, e + column, wrong);
            float read = 0;
            for (int j = 0; j < keys; j++) {
                float after = fade * s.get(F, state + j * ROW + column) + k.get(F, kAt + j * 4L) * u;
                s.set(F, next + j * ROW + column, after);
                read += q.get(F, qAt + j * 4L) * after;
            }
            s.set(F, y + column, scale * read);
        }
    }

    @Override
    public void backward(MemorySegment s, long state, long lambda, MemorySegment k, long kAt, MemorySegment q, long qAt, int keys,
            float beta, float fade, float scale, long e, long dy, long dv, long dk, long dq, long sums) {
        float ofBeta = 0;
        float met = 0;
        for (int c = 0; c < SIDE; c++) {
            long column = c * 4L;
            float g = s.get(F, dy + column);
            float du = 0;
            for (int j = 0; j < keys; j++) {
                long row = lambda + j * ROW + column;
                float l = s.get(F, row) + scale * q.get(F, qAt + j * 4L) * g;
                s.set(F, row, l);
                du += k.get(F, kAt + j * 4L) * l;
            }
            float wrong = s.get(F, e + column);
            ofBeta += du * wrong;
            met += beta * wrong * g;
            s.set(F, dv + column, beta * du);
        }
        float fading = 0;
        for (int j = 0; j < keys; j++) {
            float key = k.get(F, kAt + j * 4L);
            float ofQ = 0;
            float ofK = 0;
            for (int c = 0; c < SIDE; c++) {
                long column = c * 4L;
                float before = s.get(F, state + j * ROW + column);
                float l = s.get(F, lambda + j * ROW + column);
                float de = s.get(F, dv + column);
                ofQ += before * s.get(F, dy + column);
                ofK += l * beta * s.get(F, e + column) - fade * before * de;
                float rest = l - key * de;
                fading += before * rest;
                s.set(F, lambda + j * ROW + column, fade * rest);
            }
            s.set(F, dq + j * 4L, s.get(F, dq + j * 4L) + scale * (fade * ofQ + key * met));
            s.set(F, dk + j * 4L, s.get(F, dk + j * 4L) + ofK);
        }
        s.set(F, sums, s.get(F, sums) + ofBeta);
        s.set(F, sums + 4, s.get(F, sums + 4) + fade * fading);
    }
}
