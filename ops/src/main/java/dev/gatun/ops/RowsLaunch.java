package dev.gatun.ops;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;

/** Ops over rows on a GPU: how each calls its kernel in {@code rows.cu}. */
final class RowsLaunch {

    static final Ptx KERNELS = Ptx.of("rows", name -> RowsLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 256;

    /** A row up to this length is a warp's, a longer one a block's. */
    private static final long SHORT = 1024;

    private static final int ROWS_OF_A_BLOCK = THREADS / 32;

    /** Rows that share a weight are summed in so many parts at most, of so many rows at least. */
    private static final long PARTS = 64;

    private static final long LEAST_ROWS = 16;

    private RowsLaunch() {}

    private static void rows(Gpu gpu, String kernel, long rows, long length, Object... arguments) {
        if (rows > 0) {
            boolean small = length <= SHORT;
            CudaGrid grid = CudaGrid.of(small ? Math.ceilDiv(rows, ROWS_OF_A_BLOCK) : rows, THREADS);
            gpu.launch(KERNELS, kernel + (small ? "_short" : "_long"), grid, arguments);
        }
    }

    /** An op of one input, or a gradient of two, whose kernel takes their addresses, that of the output, rows and length. */
    static Kernel plain(String kernel) {
        return Kernel.cuda((a, gpu) -> {
            long length = a.shape(0).last();
            long rows = length == 0 && a.elements() > 0 ? a.elements() : a.rows();
            if (a.inputs() == 1) {
                rows(gpu, kernel, rows, length, a.in(0).address(), a.out().address(), rows, length);
            } else {
                rows(gpu, kernel, rows, length, a.in(0).address(), a.in(1).address(), a.out().address(), rows, length);
            }
        });
    }

    static void crossEntropy(Args a, Gpu gpu) {
        CrossEntropy op = a.op(CrossEntropy.class);
        long rows = a.elements();
        long classes = a.shape(0).last();
        rows(gpu, "cross_entropy", rows, classes, a.in(0).address(), a.in(1).address(), a.dtype(1).bytes(), a.out(0).address(),
                a.out(1).address(), rows, classes, op.ignored(), op.smoothing(), gpu.faults(), gpu.fault(a, "target"));
    }

    static void crossEntropyGradient(Args a, Gpu gpu) {
        CrossEntropy.CrossEntropyGradient op = a.op(CrossEntropy.CrossEntropyGradient.class);
        long classes = a.shape(0).last();
        rows(gpu, "cross_entropy_gradient", a.rows(), classes, a.in(0).address(), a.in(1).address(), a.dtype(1).bytes(),
                a.in(2).address(), a.in(3).address(), a.in(4).address(), a.out().address(), a.rows(), classes, op.ignored(), op.smoothing());
    }

    // ---- norms ----

    private static int centred(Args a) {
        return a.op() instanceof LayerNorm || a.op() instanceof LayerNorm.LayerNormGradient ? 1 : 0;
    }

    private static double eps(Args a) {
        return switch (a.op()) {
            case LayerNorm op -> op.eps();
            case LayerNorm.LayerNormGradient op -> op.eps();
            case RmsNorm op -> op.eps();
            case RmsNorm.RmsNormGradient op -> op.eps();
            default -> throw new IllegalStateException(a.op().name() + " is no norm");
        };
    }

    private static long weightRows(Args a) {
        return a.shape(1).elements() / Math.max(1, a.shape(1).last());
    }

    static void norm(Args a, Gpu gpu) {
        long length = a.shape(0).last();
        rows(gpu, "norm", a.rows(), length, a.in(0).address(), a.in(1).address(), a.inputs() > 2 ? a.in(2).address() : 0L,
                a.out().address(), a.rows(), length, weightRows(a), centred(a), eps(a));
    }

    private static long chunk(Args a) {
        long groups = a.rows() / Math.max(1, weightRows(a));
        return Math.max(LEAST_ROWS, Math.ceilDiv(groups, PARTS));
    }

    private static long chunks(Args a) {
        return Math.max(1, Math.ceilDiv(a.rows() / Math.max(1, weightRows(a)), chunk(a)));
    }

    /** The moments of each row, then the parts of the weights' sums. */
    static long normWorkspace(Args a) {
        return a.rows() * 2 * Float.BYTES + chunks(a) * (a.outputs() - 1) * a.shape(1).elements() * Float.BYTES;
    }

    static void normGradient(Args a, Gpu gpu) {
        long length = a.shape(0).last();
        long width = a.shape(1).elements();
        if (width == 0) {
            return;
        }
        long moments = a.workspace().address();
        long parts = moments + a.rows() * 2 * Float.BYTES;
        rows(gpu, "norm_gradient", a.rows(), length, a.in(0).address(), a.in(1).address(), a.in(2).address(), a.out(0).address(),
                moments, a.rows(), length, weightRows(a), centred(a), eps(a));
        int outputs = a.outputs() - 1;
        gpu.launch(KERNELS, "norm_weights", CudaGrid.of(Math.ceilDiv(chunks(a) * width, THREADS), THREADS), a.in(0).address(),
                a.in(2).address(), moments, parts, a.rows(), length, weightRows(a), chunk(a), chunks(a), outputs);
        for (int output = 0; output < outputs; output++) {
            gpu.launch(KERNELS, "norm_join", CudaGrid.of(Math.ceilDiv(width, THREADS), THREADS), parts, a.out(output + 1).address(),
                    width, chunks(a), outputs, output);
        }
    }
}
