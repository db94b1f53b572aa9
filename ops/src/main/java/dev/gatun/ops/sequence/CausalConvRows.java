package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * F32 kernels of {@link CausalConv} over rows, which are the channels of one time. The state and x count as one
 * sequence p of K-1+T rows. Weights are turned first, so that a tap's weights are a row, too.
 */
final class CausalConvRows {

    private static final ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final int BLOCKS = 64;
    private static final int LEAST_ROWS = 16;

    private CausalConvRows() {}

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(a -> 1, (a, from, to) -> turn(a, 1))
                        .then(CausalConvRows::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS))
                        .then(a -> a.shape(0).dim(0), CausalConvRows::states)
                        .workspace(a -> a.shape(1).elements() * 4),
                Kernel.scalar(a -> 1, (a, from, to) -> turn(a, 1))
                        .then(CausalConvRows::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain()))
                        .then(a -> a.shape(0).dim(0), CausalConvRows::states)
                        .workspace(a -> a.shape(1).elements() * 4));
    }

    static List<Kernel> inputs() {
        return List.of(
                Kernel.vector(a -> 1, (a, from, to) -> turn(a, 0))
                        .then(CausalConvRows::pastRows, (a, from, to) -> pastRowsF32(a, from, to, VectorRows.STEPS))
                        .workspace(a -> a.shape(0).elements() * 4),
                Kernel.scalar(a -> 1, (a, from, to) -> turn(a, 0))
                        .then(CausalConvRows::pastRows, (a, from, to) -> pastRowsF32(a, from, to, RowSteps.plain()))
                        .workspace(a -> a.shape(0).elements() * 4));
    }

    static List<Kernel> weights() {
        return List.of(
                Kernel.vector(CausalConvRows::blocks, (a, from, to) -> blocksF32(a, from, to, VectorRows.STEPS))
                        .then(a -> a.shape(0).last(), CausalConvRows::channels)
                        .workspace(CausalConvRows::sumBytes),
                Kernel.scalar(CausalConvRows::blocks, (a, from, to) -> blocksF32(a, from, to, RowSteps.plain()))
                        .then(a -> a.shape(0).last(), CausalConvRows::channels)
                        .workspace(CausalConvRows::sumBytes));
    }

    /** Weights [D, K] of an input written as [K, D] into the workspace. */
    private static void turn(Args a, int input) {
        long width = a.shape(input).dim(0);
        long taps = a.shape(input).dim(1);
        for (long d = 0; d < width; d++) {
            for (long j = 0; j < taps; j++) {
                a.workspace().set(F, (j * width + d) * 4, a.in(input).get(F, (d * taps + j) * 4));
            }
        }
    }

    private static long rows(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1);
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        long time = a.shape(0).dim(1);
        int n = (int) a.shape(0).last();
        int taps = (int) a.shape(1).last();
        boolean silu = a.op(CausalConv.class).silu();
        MemorySegment w = a.workspace();
        MemorySegment y = a.out();
        for (long row = from; row < to; row++) {
            long batch = row / time;
            long at = row * n * 4;
            for (int j = 0; j < taps; j++) {
                long t = row % time - (taps - 1) + j;
                MemorySegment p = t < 0 ? a.in(2) : a.in(0);
                long pAt = (t < 0 ? batch * (taps - 1) + t + taps - 1 : batch * time + t) * n * 4;
                long wAt = (long) j * n * 4;
                if (j > 0) {
                    steps.multiplyAdd(w, wAt, p, pAt, y, at, y, at, n);
                } else if (a.inputs() > 3) {
                    steps.multiplyAdd(w, wAt, p, pAt, a.in(3), 0, y, at, n);
                } else {
                    steps.multiply(w, wAt, p, pAt, y, at, n);
                }
            }
            if (silu) {
                steps.silu(y, at, n);
            }
        }
    }

    /** The last K-1 rows of p. */
    private static void states(Args a, long from, long to) {
        long time = a.shape(0).dim(1);
        long past = a.shape(2).dim(1);
        long rowBytes = a.shape(0).last() * 4;
        for (long batch = from; batch < to; batch++) {
            for (long i = 0; i < past; i++) {
                long t = time - past + i;
                MemorySegment p = t < 0 ? a.in(2) : a.in(0);
                long row = t < 0 ? batch * past + t + past : batch * time + t;
                MemorySegment.copy(p, row * rowBytes, a.out(1), (batch * past + i) * rowBytes, rowBytes);
            }
        }
    }

    private static long pastRows(Args a) {
        return a.shape(1).dim(0) * (a.shape(1).dim(1) + a.shape(2).dim(1));
    }

    /** One item is one row of the gradient of p, which goes to the state's or to x's. */
    private static void pastRowsF32(Args a, long from, long to, RowSteps steps) {
        Shape g = a.shape(1);
        long time = g.dim(1);
        int n = (int) g.last();
        long past = a.shape(2).dim(1);
        MemorySegment w = a.workspace();
        for (long item = from; item < to; item++) {
            long batch = item / (time + past);
            long s = item % (time + past);
            MemorySegment dp = s < past ? a.out(1) : a.out(0);
            long at = (s < past ? batch * past + s : batch * time + s - past) * n * 4;
            if (s >= time) {
                MemorySegment.copy(a.in(2), (batch * past + s - time) * n * 4, dp, at, n * 4L);
            } else {
                dp.asSlice(at, n * 4L).fill((byte) 0);
            }
            for (long j = Math.max(0, s - time + 1); j <= Math.min(past, s); j++) {
                steps.multiplyAdd(w, j * n * 4, a.in(1), (batch * time + s - j) * n * 4, dp, at, dp, at, n);
            }
        }
    }

    private static long rowsPerBlock(Args a) {
        return Math.max(LEAST_ROWS, Math.ceilDiv(rows(a), BLOCKS));
    }

    /** At least one, so that weights get zeros when there are no rows. */
    private static long blocks(Args a) {
        return Math.max(1, Math.ceilDiv(rows(a), rowsPerBlock(a)));
    }

    /** For each block K rows of dw and one of the bias. */
    private static long sumBytes(Args a) {
        return blocks(a) * (a.shape(1).dim(1) + 2) * a.shape(0).last() * 4;
    }

    private static void blocksF32(Args a, long from, long to, RowSteps steps) {
        long time = a.shape(0).dim(1);
        int n = (int) a.shape(0).last();
        int past = (int) a.shape(1).dim(1);
        MemorySegment g = a.in(2);
        for (long block = from; block < to; block++) {
            long bytes = (past + 2L) * n * 4;
            MemorySegment sums = a.workspace().asSlice(block * bytes, bytes);
            sums.fill((byte) 0);
            long end = Math.min((block + 1) * rowsPerBlock(a), rows(a));
            for (long row = block * rowsPerBlock(a); row < end; row++) {
                long batch = row / time;
                long at = row * n * 4;
                for (int j = 0; j <= past; j++) {
                    long t = row % time - past + j;
                    MemorySegment p = t < 0 ? a.in(1) : a.in(0);
                    long pAt = (t < 0 ? batch * past + t + past : batch * time + t) * n * 4;
                    steps.multiplyAdd(g, at, p, pAt, sums, (long) j * n * 4, sums, (long) j * n * 4, n);
                }
                steps.add(g, at, sums, (past + 1L) * n * 4, n);
            }
        }
    }

    /** The blocks of one channel, added in order. */
    private static void channels(Args a, long from, long to) {
        long n = a.shape(0).last();
        long taps = a.shape(1).dim(1) + 1;
        for (long d = from; d < to; d++) {
            for (long j = 0; j <= taps; j++) {
                double sum = 0;
                for (long block = 0; block < blocks(a); block++) {
                    sum += a.workspace().get(F, ((block * (taps + 1) + j) * n + d) * 4);
                }
                if (j < taps) {
                    a.out(0).set(F, (d * taps + j) * 4, (float) sum);
                } else {
                    a.out(1).set(F, d * 4, (float) sum);
                }
            }
        }
    }
}
