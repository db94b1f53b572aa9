package dev.gatun.ops.sequence;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.cuda.Ptx;

/** Scans on a GPU, by {@code scans.cu}: plain ones, on which the compositions of the chunk kernels rest. */
final class ScansLaunch {

    static final Ptx KERNELS = Ptx.of("scans", name -> ScansLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 128;

    static final Kernel LINEAR_SCAN = Kernel.cuda((a, gpu) -> {
        Shape x = a.shape(0);
        if (x.elements() > 0) {
            long lines = x.elements() / x.dim(-2);
            gpu.launch(KERNELS, "linear_scan_" + a.dtype(0), over(lines), a.in(0).address(), a.in(1).address(), a.in(2).address(),
                    a.out().address(), lines, x.dim(-2), x.last(), a.op(LinearScan.class).reverse() ? 1 : 0);
        }
    }).when(a -> a.isF32() || a.computesIn(DType.F64));

    static final Kernel DECAY_MATRIX = Kernel.cuda((a, gpu) -> {
        if (a.elements() > 0) {
            long rows = a.shape(0).elements();
            gpu.launch(KERNELS, "decay_matrix_f32", over(rows), a.in(0).address(), a.out().address(), rows, a.shape(0).last());
        }
    });

    private ScansLaunch() {}

    private static CudaGrid over(long threads) {
        return CudaGrid.of(Math.ceilDiv(threads, THREADS), THREADS);
    }
}
