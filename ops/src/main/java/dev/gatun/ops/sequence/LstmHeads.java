package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.LstmSteps.C;
import static dev.gatun.ops.sequence.LstmSteps.F;
import static dev.gatun.ops.sequence.LstmSteps.M;
import static dev.gatun.ops.sequence.LstmSteps.N;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * F32 kernels of {@link SLstmCell} and {@link SLstmCellGrad}: one head of one batch entry after the other, its R in the processor's
 * caches, features as lanes. Back, states are computed again from those before each chunk of {@value #CHUNK} steps; h is known from the output.
 */
final class LstmHeads {

    private static final int CHUNK = 32;

    private static final Warmup<LstmSteps> WARM = Warmup.of("sLstmCell", LstmPlain.STEPS, () -> new LstmSteps.Fast(), LstmHeads::exercise);

    private LstmHeads() {}

    private static boolean answers(Args a) {
        return a.isF32() && WARM.answers();
    }

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(LstmHeads::heads, (a, from, to) -> forward(a, from, to, WARM.fast())).costing(a -> nanos(a, 0.02))
                        .when(LstmHeads::answers).warmsItself(),
                Kernel.scalar(LstmHeads::heads, (a, from, to) -> forward(a, from, to, LstmPlain.STEPS)).costing(a -> nanos(a, 0.5)));
    }

    static List<Kernel> backward() {
        return List.of(
                Kernel.vector(LstmHeads::heads, (a, from, to) -> backward(a, from, to, WARM.fast())).costing(a -> nanos(a, 0.1))
                        .then(LstmHeads::matrices, LstmHeads::gather).workspace(LstmHeads::workspace)
                        .when(LstmHeads::answers).warmsItself(),
                Kernel.scalar(LstmHeads::heads, (a, from, to) -> backward(a, from, to, LstmPlain.STEPS)).costing(a -> nanos(a, 2))
                        .then(LstmHeads::matrices, LstmHeads::gather).workspace(LstmHeads::workspace));
    }

    private static long heads(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(3);
    }

    private static double nanos(Args a, double each) {
        double size = a.shape(0).dim(4);
        return each * a.shape(0).dim(1) * (4 * size * size + 50 * size);
    }

    /** Scratch of a head: R by columns and, for the gradient, by rows, each with room to spare behind rows of gates. */
    private record Head(Args a, LstmSteps steps, long batch, long head, int size, int n, long row) {

        static Head of(Args a, LstmSteps steps, long item) {
            Shape wx = a.shape(0);
            int size = (int) wx.dim(4);
            int n = Math.ceilDiv(size, steps.lanes()) * steps.lanes();
            return new Head(a, steps, item / wx.dim(3), item % wx.dim(3), size, n, n * 4L);
        }

        long heads() {
            return a.shape(0).dim(3);
        }

        long time() {
            return a.shape(0).dim(1);
        }

        long bytes() {
            return size * 4L;
        }

        /** First byte of a gate's row in wx. */
        long wx(long t, int gate) {
            return (((batch * time() + t) * 4 + gate) * heads() + head) * bytes();
        }

        /** First byte of a row of y. */
        long y(long t) {
            return ((batch * time() + t) * heads() + head) * bytes();
        }

        /** First byte of a row of a state. */
        long state() {
            return (batch * heads() + head) * bytes();
        }

        /** R of the four gates as {@code [in, 4, out]}, and the bias {@code [4, out]} behind it. */
        void columns(MemorySegment s, long to) {
            for (int gate = 0; gate < 4; gate++) {
                MemorySegment.copy(a.in(2), (gate * heads() + head) * bytes(), s, to + (4L * size + gate) * row, bytes());
                for (int out = 0; out < size; out++) {
                    long from = ((gate * heads() + head) * size + out) * bytes();
                    for (int in = 0; in < size; in++) {
                        s.set(F, to + (in * 4L + gate) * row + out * 4L, a.in(1).get(F, from + in * 4L));
                    }
                }
            }
        }

        /** R of the four gates as {@code [4, out, in]}. */
        void rows(MemorySegment s, long to) {
            for (int gate = 0; gate < 4; gate++) {
                for (int out = 0; out < size; out++) {
                    MemorySegment.copy(a.in(1), ((gate * heads() + head) * size + out) * bytes(), s, to + ((long) gate * n + out) * row, bytes());
                }
            }
        }

        /** The raw gates of a step, from h before it, and then their functions; i stays as it is. */
        void gates(MemorySegment s, long t, long h, long columns, long raw, long logF) {
            for (int gate = 0; gate < 4; gate++) {
                MemorySegment.copy(a.in(0), wx(t, gate), s, raw + gate * row, bytes());
            }
            // The bias lies behind R, which it is one more row of.
            steps.add(s, columns + 4L * size * row, raw, 4 * n);
            steps.product(s, h, columns, raw, size, 4 * n);
            steps.logSigmoid(s, raw + row, logF, n);
            steps.tanh(s, raw + 2 * row, raw + 2 * row, n);
            steps.sigmoid(s, raw + 3 * row, raw + 3 * row, n);
        }
    }

    private static void forward(Args a, long from, long to, LstmSteps steps) {
        for (long item = from; item < to; item++) {
            Head x = Head.of(a, steps, item);
            long row = x.row;
            long h = 0;
            long raw = row;
            long logF = 5 * row;
            long state = 6 * row;
            long after = 9 * row;
            long columns = 15 * row;
            MemorySegment s = a.scratch(columns + 4L * (x.size + 1) * row);
            s.asSlice(0, columns + 4L * (x.size + 1) * row).fill((byte) 0);
            x.columns(s, columns);
            MemorySegment.copy(a.in(3), x.state(), s, h, x.bytes());
            for (int part = C; part <= M; part++) {
                MemorySegment.copy(a.in(4 + part), x.state(), s, state + part * row, x.bytes());
            }
            for (long t = 0; t < x.time(); t++) {
                x.gates(s, t, h, columns, raw, logF);
                steps.state(s, raw, logF, raw + 2 * row, raw + 3 * row, state, after, h, x.n);
                MemorySegment.copy(s, after, s, state, 3 * row);
                MemorySegment.copy(s, h, a.out(0), x.y(t), x.bytes());
            }
            for (int part = C; part <= M; part++) {
                MemorySegment.copy(s, state + part * row, a.out(1 + part), x.state(), x.bytes());
            }
        }
    }

    // ---- backward ----

    /** dR and dbias of each batch entry and head, {@code [B, H, 4, d, d + 1]}. */
    private static long workspace(Args a) {
        return heads(a) * 4 * a.shape(0).dim(4) * (a.shape(0).dim(4) + 1) * 4;
    }

    private static void backward(Args a, long from, long to, LstmSteps steps) {
        for (long item = from; item < to; item++) {
            backward(a, steps, Head.of(a, steps, item), item);
        }
    }

    private static void backward(Args a, LstmSteps steps, Head x, long item) {
        int n = x.n;
        long row = x.row;
        long time = x.time();
        long chunks = Math.ceilDiv(time, CHUNK);
        // For each step of a chunk: h before it, gates, their logarithm, the state after and what made it, gradients of the gates.
        long hs = 0;
        long raws = hs + CHUNK * row;
        long sigmoids = raws + 4 * CHUNK * row;
        long states = sigmoids + CHUNK * row;
        long drs = states + 6 * (CHUNK + 1) * row;
        long logF = drs + 4 * CHUNK * row;
        long g = logF + row;
        long sums = g + row;
        long dbias = sums + 3 * row;
        long columns = dbias + 4 * row;
        long matrix = columns + 4L * (x.size + 1) * row;
        long dmatrix = matrix + 4L * n * row;
        long borders = dmatrix + 4L * n * row;
        long end = borders + (chunks + 1) * 3 * row;
        MemorySegment s = a.scratch(end);
        s.asSlice(0, end).fill((byte) 0);
        x.columns(s, columns);
        x.rows(s, matrix);
        for (int part = C; part <= M; part++) {
            MemorySegment.copy(a.in(4 + part), x.state(), s, borders + part * row, x.bytes());
        }
        for (long chunk = 0; chunk < chunks; chunk++) {
            replay(a, steps, x, s, chunk, hs, raws, sigmoids, logF, states, columns, borders, g);
            MemorySegment.copy(s, states + 6 * (Math.min(CHUNK, time - chunk * CHUNK)) * row, s, borders + (chunk + 1) * 3 * row, 3 * row);
        }
        long last = borders + chunks * 3 * row;
        for (int i = 0; i < x.size; i++) {
            long at = x.state() + i * 4L;
            float dc = a.in(9).get(F, at);
            float dn = a.in(10).get(F, at);
            s.set(F, sums + i * 4L, dc);
            s.set(F, sums + row + i * 4L, dn);
            s.set(F, sums + 2 * row + i * 4L,
                    a.in(11).get(F, at) - s.get(F, last + C * row + i * 4L) * dc - s.get(F, last + N * row + i * 4L) * dn);
        }
        s.asSlice(g, row).fill((byte) 0);
        for (long chunk = chunks - 1; chunk >= 0; chunk--) {
            int count = (int) Math.min(CHUNK, time - chunk * CHUNK);
            if (chunk < chunks - 1) {
                replay(a, steps, x, s, chunk, hs, raws, sigmoids, logF, states, columns, borders, logF);
            }
            for (int t = count - 1; t >= 0; t--) {
                long step = chunk * CHUNK + t;
                MemorySegment.copy(a.in(8), x.y(step), s, logF, x.bytes());
                steps.add(s, logF, g, n);
                long raw = raws + 4L * t * row;
                long dr = drs + 4L * t * row;
                steps.slopes(s, g, states + 6L * t * row, states + 6L * (t + 1) * row, raw + 2 * row, raw + 3 * row, sigmoids + t * row, sums, dr, n);
                s.asSlice(g, row).fill((byte) 0);
                steps.product(s, dr, matrix, g, 4 * n, n);
                for (int gate = 0; gate < 4; gate++) {
                    MemorySegment.copy(s, dr + gate * row, a.out(0), x.wx(step, gate), x.bytes());
                }
                steps.add(s, dr, dbias, 4 * n);
            }
            steps.outer(s, drs, hs, dmatrix, count, 4 * n, n);
        }
        finish(a, x, s, item, g, sums, borders, dmatrix, dbias);
    }

    /** The steps of a chunk once more; {@code h} is a row that nobody needs. */
    private static void replay(Args a, LstmSteps steps, Head x, MemorySegment s, long chunk, long hs, long raws, long sigmoids, long logF,
            long states, long columns, long borders, long h) {
        long row = x.row;
        MemorySegment.copy(s, borders + chunk * 3 * row, s, states, 3 * row);
        int count = (int) Math.min(CHUNK, x.time() - chunk * CHUNK);
        for (int t = 0; t < count; t++) {
            long step = chunk * CHUNK + t;
            MemorySegment.copy(step == 0 ? a.in(3) : a.in(7), step == 0 ? x.state() : x.y(step - 1), s, hs + t * row, x.bytes());
            long raw = raws + 4L * t * row;
            x.gates(s, step, hs + t * row, columns, raw, logF);
            steps.sigmoid(s, raw + row, sigmoids + t * row, x.n);
            steps.state(s, raw, logF, raw + 2 * row, raw + 3 * row, states + 6L * t * row, states + 6L * (t + 1) * row, h, x.n);
        }
    }

    private static void finish(Args a, Head x, MemorySegment s, long item, long dh, long sums, long borders, long dmatrix, long dbias) {
        long row = x.row;
        for (int i = 0; i < x.size; i++) {
            long at = x.state() + i * 4L;
            float dc = s.get(F, sums + i * 4L);
            float dn = s.get(F, sums + row + i * 4L);
            a.out(3).set(F, at, s.get(F, dh + i * 4L));
            a.out(4).set(F, at, dc);
            a.out(5).set(F, at, dn);
            a.out(6).set(F, at, s.get(F, borders + C * row + i * 4L) * dc + s.get(F, borders + N * row + i * 4L) * dn
                    + s.get(F, sums + 2 * row + i * 4L));
        }
        long to = item * 4 * x.size * (x.size + 1) * 4;
        for (int gate = 0; gate < 4; gate++) {
            for (int out = 0; out < x.size; out++) {
                MemorySegment.copy(s, dmatrix + ((long) gate * x.n + out) * row, a.workspace(), to, x.bytes());
                a.workspace().set(F, to + x.bytes(), s.get(F, dbias + gate * row + out * 4L));
                to += x.bytes() + 4;
            }
        }
    }

    private static long matrices(Args a) {
        return 4 * a.shape(0).dim(3);
    }

    /** dR and dbias of one gate and head: the batch entries, added in order. */
    private static void gather(Args a, long from, long to) {
        long batches = a.shape(0).dim(0);
        long heads = a.shape(0).dim(3);
        long size = a.shape(0).dim(4);
        for (long matrix = from; matrix < to; matrix++) {
            long gate = matrix / heads;
            long head = matrix % heads;
            for (long i = 0; i < size * (size + 1); i++) {
                double sum = 0;
                for (long batch = 0; batch < batches; batch++) {
                    sum += a.workspace().get(F, (((batch * heads + head) * 4 + gate) * size * (size + 1) + i) * 4);
                }
                long out = i / (size + 1);
                long in = i % (size + 1);
                if (in < size) {
                    a.out(1).set(F, ((matrix * size + out) * size + in) * 4, (float) sum);
                } else {
                    a.out(2).set(F, (matrix * size + out) * 4, (float) sum);
                }
            }
        }
    }

    /** Scratch that nobody reads. */
    private static final class Practice {
        private static final MemorySegment S = Arena.global().allocate(1 << 18, 64);
    }

    private static void exercise(LstmSteps steps) {
        MemorySegment s = Practice.S;
        int n = 64;
        long row = n * 4L;
        long matrix = 64 * row;
        for (int i = 0; i < 64 * n; i++) {
            s.set(F, i * 4L, (i % 7 - 3) / 4f);
            s.set(F, matrix + i * 4L, (i % 5 - 2) / 16f);
        }
        for (int pass = 0; pass < 4; pass++) {
            steps.product(s, 0, matrix, row, n, 4 * n);
            steps.product(s, 0, matrix, row, n, n);
            steps.product(s, 0, matrix, row, n - 1, n / 4);
            steps.outer(s, 0, 8 * row, matrix, 8, n, n);
            steps.outer(s, 0, 8 * row, matrix, 8, n, n / 4);
            steps.add(s, 0, 5 * row, n);
            steps.logSigmoid(s, row, 5 * row, n);
            steps.tanh(s, row, 6 * row, n);
            steps.sigmoid(s, row, 7 * row, n);
            steps.state(s, row, 5 * row, 6 * row, 7 * row, 8 * row, 12 * row, 20 * row, n);
            steps.slopes(s, row, 8 * row, 12 * row, 6 * row, 7 * row, 7 * row, 22 * row, 26 * row, n);
        }
    }
}
