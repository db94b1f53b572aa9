package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * F32 kernels of {@link LayerNorm} and {@link RmsNorm}, which differ in whether a row's mean is taken off. Inputs are
 * x, w and, forward, perhaps b; backward, g. A row's statistics are computed again in the gradient: it
 * reads the row anyway.
 *
 * <p>Gradients of weights are summed over blocks of rows, whose number depends on the shape alone, and
 * the blocks' sums are added in order: the same bits with any number of threads.
 */
final class NormRows {

    private static final int BLOCKS = 64;
    private static final int LEAST_ROWS = 16;
    private static final int PANEL = 256;

    private NormRows() {}

    /** Whether the mean is taken off, and what is added to the variance. */
    private record Kind(boolean centred, double eps) {
        static Kind of(Args a) {
            return switch (a.op()) {
                case LayerNorm op -> new Kind(true, op.eps());
                case LayerNorm.LayerNormGradient op -> new Kind(true, op.eps());
                case RmsNorm op -> new Kind(false, op.eps());
                case RmsNorm.RmsNormGradient op -> new Kind(false, op.eps());
                default -> throw new IllegalStateException(a.op().name() + " is no norm");
            };
        }

        float mean(MemorySegment x, long at, int n, RowSteps steps) {
            return centred ? steps.sum(x, at, n) / n : 0;
        }

        float scale(MemorySegment x, long at, float mean, int n, RowSteps steps) {
            return (float) (1 / Math.sqrt((double) steps.squares(x, at, mean, n) / n + eps));
        }
    }

    static List<Kernel> forward(Kernel.Body reference) {
        return List.of(
                OneDnnRows.LAYER_NORM,
                Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
                Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
                Kernel.reference(Args::rows, reference),
                Kernel.cuda(RowsLaunch::norm));
    }

    static List<Kernel> gradient() {
        return List.of(
                Kernel.vector(NormRows::blocks, (a, from, to) -> blocksF32(a, from, to, VectorRows.STEPS))
                        .then(NormRows::panels, (a, from, to) -> panelsF32(a, from, to, VectorRows.STEPS))
                        .workspace(NormRows::workspaceBytes),
                Kernel.scalar(NormRows::blocks, (a, from, to) -> blocksF32(a, from, to, RowSteps.plain()))
                        .then(NormRows::panels, (a, from, to) -> panelsF32(a, from, to, RowSteps.plain()))
                        .workspace(NormRows::workspaceBytes),
                Kernel.cuda(RowsLaunch::normGradient).workspace(RowsLaunch::normWorkspace));
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        Kind kind = Kind.of(a);
        int n = (int) a.shape(0).last();
        long weightRows = a.shape(1).elements() / n;
        MemorySegment x = a.in(0);
        for (long row = from; row < to; row++) {
            long at = row * n * 4;
            long weightAt = row % weightRows * n * 4;
            float mean = kind.mean(x, at, n, steps);
            steps.norm(x, at, mean, kind.scale(x, at, mean, n, steps), a.in(1), weightAt, a.out(), at, n);
            if (a.inputs() > 2) {
                steps.add(a.in(2), weightAt, a.out(), at, n);
            }
        }
    }

    private static long rowsPerBlock(Args a) {
        return Math.max(LEAST_ROWS, Math.ceilDiv(a.rows(), BLOCKS));
    }

    /** At least one, so that weights get zeros when there are no rows. */
    private static long blocks(Args a) {
        return Math.max(1, Math.ceilDiv(a.rows(), rowsPerBlock(a)));
    }

    /** Sums of dw and, of a centred norm, of db, for each block. */
    private static long workspaceBytes(Args a) {
        return blocks(a) * sumBytes(a);
    }

    private static long sumBytes(Args a) {
        return (a.outputs() - 1) * a.shape(1).elements() * 4;
    }

    private static void blocksF32(Args a, long from, long to, RowSteps steps) {
        Kind kind = Kind.of(a);
        int n = (int) a.shape(0).last();
        long weightBytes = a.shape(1).elements() * 4;
        MemorySegment x = a.in(0);
        MemorySegment w = a.in(1);
        MemorySegment g = a.in(2);
        for (long block = from; block < to; block++) {
            MemorySegment sums = a.workspace().asSlice(block * sumBytes(a), sumBytes(a));
            sums.fill((byte) 0);
            long end = Math.min((block + 1) * rowsPerBlock(a), a.rows());
            for (long row = block * rowsPerBlock(a); row < end; row++) {
                long at = row * n * 4;
                long weightAt = at % weightBytes;
                float mean = kind.mean(x, at, n, steps);
                float scale = kind.scale(x, at, mean, n, steps);
                float c = kind.centred ? steps.dot(g, at, w, weightAt, n) / n : 0;
                float d = steps.dot(g, at, w, weightAt, x, at, mean, n) / n * scale * scale;
                steps.normGradient(x, at, mean, scale, w, weightAt, g, at, c, d, a.out(0), at, n);
                steps.weightGradient(x, at, mean, scale, g, at, sums, weightAt, n);
                if (kind.centred) {
                    steps.add(g, at, sums, weightBytes + weightAt, n);
                }
            }
        }
    }

    private static long panels(Args a) {
        return Math.ceilDiv(a.shape(1).elements(), PANEL) * (a.outputs() - 1);
    }

    /** One item is a run of columns of dw or db. */
    private static void panelsF32(Args a, long from, long to, RowSteps steps) {
        long width = a.shape(1).elements();
        long panels = Math.ceilDiv(width, PANEL);
        for (long item = from; item < to; item++) {
            int output = (int) (item / panels);
            long column = item % panels * PANEL;
            int n = (int) Math.min(PANEL, width - column);
            MemorySegment sum = a.out(output + 1).asSlice(column * 4, n * 4L);
            sum.fill((byte) 0);
            for (long block = 0; block < blocks(a); block++) {
                steps.add(a.workspace(), block * sumBytes(a) + (output * width + column) * 4, sum, 0, n);
            }
        }
    }
}
