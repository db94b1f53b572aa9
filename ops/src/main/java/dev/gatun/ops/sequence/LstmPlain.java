package dev.gatun.ops.sequence;

import java.lang.foreign.MemorySegment;

/** The steps of the sLSTM in plain loops, for where the Vector API is missing or not warm yet. */
final class LstmPlain implements LstmSteps {

    static final LstmSteps STEPS = new LstmPlain();

    private LstmPlain() {}

    @Override
    public int lanes() {
        return 1;
    }

    @Override
    public void product(MemorySegment s, long x, long m, long y, int rows, int n) {
        for (int j = 0; j < rows; j++) {
            float by = s.get(F, x + j * 4L);
            long row = m + j * (n * 4L);
            for (int i = 0; i < n; i++) {
                s.set(F, y + i * 4L, s.get(F, y + i * 4L) + by * s.get(F, row + i * 4L));
            }
        }
    }

    @Override
    public void outer(MemorySegment s, long x, long y, long m, int times, int rows, int n) {
        for (int t = 0; t < times; t++) {
            long row = y + t * (n * 4L);
            for (int j = 0; j < rows; j++) {
                float by = s.get(F, x + ((long) t * rows + j) * 4);
                long to = m + j * (n * 4L);
                for (int i = 0; i < n; i++) {
                    s.set(F, to + i * 4L, s.get(F, to + i * 4L) + by * s.get(F, row + i * 4L));
                }
            }
        }
    }

    @Override
    public void add(MemorySegment s, long x, long y, int n) {
        for (int i = 0; i < n; i++) {
            s.set(F, y + i * 4L, s.get(F, y + i * 4L) + s.get(F, x + i * 4L));
        }
    }

    @Override
    public void sigmoid(MemorySegment s, long x, long y, int n) {
        for (int i = 0; i < n; i++) {
            float v = s.get(F, x + i * 4L);
            double e = Math.exp(-Math.abs(v));
            s.set(F, y + i * 4L, (float) ((v < 0 ? e : 1) / (1 + e)));
        }
    }

    @Override
    public void tanh(MemorySegment s, long x, long y, int n) {
        for (int i = 0; i < n; i++) {
            s.set(F, y + i * 4L, (float) Math.tanh(s.get(F, x + i * 4L)));
        }
    }

    @Override
    public void logSigmoid(MemorySegment s, long x, long y, int n) {
        for (int i = 0; i < n; i++) {
            float v = s.get(F, x + i * 4L);
            s.set(F, y + i * 4L, (float) (Math.min(v, 0) - Math.log1p(Math.exp(-Math.abs(v)))));
        }
    }

    @Override
    public void state(MemorySegment s, long i, long logF, long value, long out, long before, long after, long h, int n) {
        long row = n * 4L;
        for (int d = 0; d < n; d++) {
            long at = d * 4L;
            float gate = s.get(F, i + at);
            float n0 = s.get(F, before + N * row + at);
            float l = s.get(F, logF + at) + s.get(F, before + M * row + at);
            boolean fresh = n0 == 0 || l < gate;
            float m = fresh ? gate : l;
            float in = (float) Math.exp(gate - m);
            float keep = n0 == 0 ? 0 : (float) Math.exp(l - m);
            float c1 = keep * s.get(F, before + C * row + at) + in * s.get(F, value + at);
            float n1 = keep * n0 + in;
            s.set(F, after + C * row + at, c1);
            s.set(F, after + N * row + at, n1);
            s.set(F, after + M * row + at, m);
            s.set(F, after + IN * row + at, in);
            s.set(F, after + KEEP * row + at, keep);
            s.set(F, after + OLD * row + at, fresh ? 0 : 1);
            s.set(F, h + at, s.get(F, out + at) * (c1 / n1));
        }
    }

    @Override
    public void slopes(MemorySegment s, long g, long before, long after, long value, long out, long sigmoidF, long sums, long dr, int n) {
        long row = n * 4L;
        for (int d = 0; d < n; d++) {
            long at = d * 4L;
            float dh = s.get(F, g + at);
            float n1 = s.get(F, after + N * row + at);
            float o = s.get(F, out + at);
            float z = s.get(F, value + at);
            float in = s.get(F, after + IN * row + at);
            float keep = s.get(F, after + KEEP * row + at);
            float scale = s.get(F, sums + 2 * row + at);
            float passed = scale * s.get(F, after + OLD * row + at);
            float dout = dh * (s.get(F, after + C * row + at) / n1);
            float dc = s.get(F, sums + at) + dh * (o / n1);
            float dn = s.get(F, sums + row + at) - o / n1 * dout;
            float dl = keep * (dc * s.get(F, before + C * row + at) + dn * s.get(F, before + N * row + at)) + passed;
            s.set(F, dr + at, in * (dc * z + dn) + (scale - passed));
            s.set(F, dr + row + at, dl * (1 - s.get(F, sigmoidF + at)));
            s.set(F, dr + 2 * row + at, dc * in * (1 - z * z));
            s.set(F, dr + 3 * row + at, dout * o * (1 - o));
            s.set(F, sums + at, dc * keep);
            s.set(F, sums + row + at, dn * keep);
            s.set(F, sums + 2 * row + at, passed);
        }
    }
}
