package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DeltaRule.CHUNK;
import static dev.gatun.ops.sequence.DeltaSteps.F;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * F32 kernels of {@link DeltaRule} and {@link DeltaRuleGrad}, token by token. For states that a processor's first cache holds (64 by
 * 64), this is less work than the chunk form: {@code 3 K V} multiplications a token where that one takes {@code 3 K V + 2 C (K + V)} and a triangular system. Back, the
 * states of a chunk are computed again from the one before it and kept until the tokens have gone by in reverse.
 */
final class DeltaTokens {

    private static final Warmup<DeltaSteps> WARM = Warmup.of("deltaRule", DeltaPlain.STEPS, () -> new DeltaSteps.Fast(), DeltaTokens::exercise);

    private DeltaTokens() {}

    private static boolean answers(Args a) {
        return a.isF32() && WARM.answers();
    }

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(a -> bands(a, 4, WARM.fast()), (a, from, to) -> forward(a, from, to, WARM.fast()))
                        .costing(a -> 0.03 * work(a, 2, WARM.fast())).when(DeltaTokens::answers).warmsItself(),
                Kernel.scalar(a -> bands(a, 4, DeltaPlain.STEPS), (a, from, to) -> forward(a, from, to, DeltaPlain.STEPS))
                        .costing(a -> work(a, 2, DeltaPlain.STEPS)));
    }

    static List<Kernel> backward() {
        return List.of(
                Kernel.vector(DeltaTokens::heads, (a, from, to) -> backward(a, from, to, WARM.fast()))
                        .costing(a -> 0.2 * work(a, 2, WARM.fast()) * a.shape(2).last() / WARM.fast().side())
                        .when(DeltaTokens::answers).warmsItself(),
                Kernel.scalar(DeltaTokens::heads, (a, from, to) -> backward(a, from, to, DeltaPlain.STEPS))
                        .costing(a -> 4.0 * work(a, 2, DeltaPlain.STEPS) * a.shape(2).last() / DeltaPlain.STEPS.side()));
    }

    private static long heads(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1);
    }

    /** Bands of columns of all heads. */
    private static long bands(Args a, int state, DeltaSteps steps) {
        return heads(a) * Math.ceilDiv(a.shape(state).last(), steps.side());
    }

    /** Multiplications of one pass over a band for all tokens. */
    private static double work(Args a, int values, DeltaSteps steps) {
        return (double) a.shape(0).dim(2) * (a.shape(0).last() + 4) * Math.min(steps.side(), a.shape(values).last() + 16);
    }

    private static void forward(Args a, long from, long to, DeltaSteps steps) {
        Shape shape = a.shape(0);
        long time = shape.dim(2);
        int keys = (int) shape.last();
        int values = (int) a.shape(2).last();
        int side = steps.side();
        DeltaRule op = a.op(DeltaRule.class);
        float scale = (float) op.scaleFor(keys);
        long chunks = Math.ceilDiv(time, CHUNK);
        long bands = Math.ceilDiv(values, side);
        long row = side * 4L;
        long v = 0;
        long e = row;
        long y = 2 * row;
        long state = 3 * row;
        MemorySegment s = a.scratch(state + keys * row);
        for (long item = from; item < to; item++) {
            long head = item / bands;
            long column = item % bands * side;
            int width = (int) Math.min(side, values - column);
            s.asSlice(0, state).fill((byte) 0);
            long states = head * keys * values * 4 + column * 4;
            take(a.in(4), states, values * 4L, keys, width, s, state, row);
            for (long t = 0; t < time; t++) {
                if (op.traced() && t % CHUNK == 0) {
                    long border = (head * chunks + t / CHUNK) * keys * values * 4 + column * 4;
                    give(s, state, row, keys, width, a.out(2), border, values * 4L);
                }
                long token = head * time + t;
                MemorySegment.copy(a.in(2), (token * values + column) * 4, s, v, width * 4L);
                float fade = a.inputs() > 5 ? (float) Math.exp(a.in(5).get(F, token * 4)) : 1;
                steps.forward(s, state, state, a.in(1), token * keys * 4, a.in(0), token * keys * 4, keys,
                        a.in(3).get(F, token * 4), fade, scale, v, e, y);
                MemorySegment.copy(s, y, a.out(0), (token * values + column) * 4, width * 4L);
            }
            give(s, state, row, keys, width, a.out(1), states, values * 4L);
        }
    }

    /** Rows of a band into scratch, with zeros behind the last column. */
    private static void take(MemorySegment x, long at, long rowBytes, int keys, int width, MemorySegment s, long to, long row) {
        for (int j = 0; j < keys; j++) {
            MemorySegment.copy(x, at + j * rowBytes, s, to + j * row, width * 4L);
            if (width * 4L < row) {
                s.asSlice(to + j * row + width * 4L, row - width * 4L).fill((byte) 0);
            }
        }
    }

    private static void give(MemorySegment s, long from, long row, int keys, int width, MemorySegment x, long at, long rowBytes) {
        for (int j = 0; j < keys; j++) {
            MemorySegment.copy(s, from + j * row, x, at + j * rowBytes, width * 4L);
        }
    }

    /** One item is one head, band after band: gradients of q, k, beta and decay are sums over all columns. */
    private static void backward(Args a, long from, long to, DeltaSteps steps) {
        long time = a.shape(0).dim(2);
        int keys = (int) a.shape(0).last();
        int values = (int) a.shape(2).last();
        for (long head = from; head < to; head++) {
            a.out(0).asSlice(head * time * keys * 4, time * keys * 4).fill((byte) 0);
            a.out(1).asSlice(head * time * keys * 4, time * keys * 4).fill((byte) 0);
            a.out(3).asSlice(head * time * 4, time * 4).fill((byte) 0);
            if (a.inputs() > 8) {
                a.out(5).asSlice(head * time * 4, time * 4).fill((byte) 0);
            }
            for (int column = 0; column < values; column += steps.side()) {
                backward(a, steps, head, column, Math.min(steps.side(), values - column));
            }
        }
    }

    private static void backward(Args a, DeltaSteps steps, long head, long column, int width) {
        long time = a.shape(0).dim(2);
        int keys = (int) a.shape(0).last();
        int values = (int) a.shape(2).last();
        boolean fading = a.inputs() > 8;
        long valueBytes = values * 4L;
        float scale = (float) new DeltaRule(a.op(DeltaRuleGrad.class).scale(), true).scaleFor(keys);
        long row = steps.side() * 4L;
        long band = keys * row;
        long keyBytes = keys * 4L;
        long v = 0;
        long y = row;
        long dy = 2 * row;
        long dv = 3 * row;
        long e = 4 * row;
        long dk = e + CHUNK * row;
        long dq = dk + keyBytes;
        long sums = dq + keyBytes;
        long lambda = sums + 64;
        long states = lambda + band;
        MemorySegment s = a.scratch(states + (CHUNK + 1) * band);
        s.asSlice(0, lambda).fill((byte) 0);
        take(a.in(6), head * keys * valueBytes + column * 4, valueBytes, keys, width, s, lambda, row);
        long chunks = a.shape(4).dim(2);
        for (long chunk = chunks - 1; chunk >= 0; chunk--) {
            long first = head * time + chunk * CHUNK;
            int steps0 = (int) Math.min(CHUNK, time - chunk * CHUNK);
            long border = (head * chunks + chunk) * keys * valueBytes + column * 4;
            take(a.in(4), border, valueBytes, keys, width, s, states, row);
            for (int t = 0; t < steps0; t++) {
                long token = first + t;
                MemorySegment.copy(a.in(2), token * valueBytes + column * 4, s, v, width * 4L);
                steps.forward(s, states + t * band, states + (t + 1) * band, a.in(1), token * keyBytes, a.in(0), token * keyBytes,
                        keys, a.in(3).get(F, token * 4), fade(a, fading, token), scale, v, e + t * row, y);
            }
            for (int t = steps0 - 1; t >= 0; t--) {
                long token = first + t;
                MemorySegment.copy(a.in(5), token * valueBytes + column * 4, s, dy, width * 4L);
                MemorySegment.copy(a.out(0), token * keyBytes, s, dq, keyBytes);
                MemorySegment.copy(a.out(1), token * keyBytes, s, dk, keyBytes);
                s.set(F, sums, a.out(3).get(F, token * 4));
                s.set(F, sums + 4, fading ? a.out(5).get(F, token * 4) : 0);
                steps.backward(s, states + t * band, lambda, a.in(1), token * keyBytes, a.in(0), token * keyBytes, keys,
                        a.in(3).get(F, token * 4), fade(a, fading, token), scale, e + t * row, dy, dv, dk, dq, sums);
                MemorySegment.copy(s, dq, a.out(0), token * keyBytes, keyBytes);
                MemorySegment.copy(s, dk, a.out(1), token * keyBytes, keyBytes);
                MemorySegment.copy(s, dv, a.out(2), token * valueBytes + column * 4, width * 4L);
                a.out(3).set(F, token * 4, s.get(F, sums));
                if (fading) {
                    a.out(5).set(F, token * 4, s.get(F, sums + 4));
                }
            }
            for (int j = 0; j < keys; j++) {
                for (int i = 0; i < width; i++) {
                    long at = lambda + j * row + i * 4L;
                    s.set(F, at, s.get(F, at) + a.in(7).get(F, border + j * valueBytes + i * 4L));
                }
            }
        }
        give(s, lambda, row, keys, width, a.out(4), head * keys * valueBytes + column * 4, valueBytes);
    }

    private static float fade(Args a, boolean fading, long token) {
        return fading ? (float) Math.exp(a.in(8).get(F, token * 4)) : 1;
    }

    /** Scratch that nobody reads. */
    private static final class Practice {
        private static final MemorySegment S = Arena.global().allocate(1 << 17, 64);
    }

    private static void exercise(DeltaSteps steps) {
        MemorySegment s = Practice.S;
        int keys = 64;
        long row = steps.side() * 4L;
        long band = keys * row;
        long rows = 3 * band;
        for (int i = 0; i < 3 * keys * steps.side(); i++) {
            s.set(F, i * 4L, (i % 7 - 3) / 16f);
        }
        for (int i = 0; i < 8 * steps.side(); i++) {
            s.set(F, rows + i * 4L, (i % 5 - 2) / 16f);
        }
        for (int t = 0; t < 4; t++) {
            long k = rows + 6 * row;
            steps.forward(s, 0, band, s, k, s, k, keys - t % 2, 0.5f, 0.9f, 0.1f, rows, rows + row, rows + 2 * row);
            steps.backward(s, band, 2 * band, s, k, s, k, keys, 0.5f, 0.9f, 0.1f, rows + row, rows, rows + 3 * row,
                    rows + 8 * row, rows + 12 * row, rows + 4 * row);
        }
    }
}
