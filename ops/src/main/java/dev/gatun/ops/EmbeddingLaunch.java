package dev.gatun.ops;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;

/** Embeddings on a GPU, by {@code embedding.cu}. Gradients are added in the order of the ids: the same bits every time. */
final class EmbeddingLaunch {

    static final Ptx KERNELS = Ptx.of("embedding", name -> EmbeddingLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 256;
    private static final int COLUMNS = 128;

    private EmbeddingLaunch() {}

    static void rows(Args a, Gpu gpu) {
        if (a.elements() > 0) {
            gpu.launch(KERNELS, "embedding", CudaGrid.of(Math.ceilDiv(a.elements(), THREADS), THREADS), a.in(0).address(),
                    a.in(1).address(), a.dtype(1).bytes(), a.out().address(), a.shape(1).elements(), a.shape(0).dim(0),
                    a.shape(0).last(), gpu.faults(), gpu.fault(a, "id"));
        }
    }

    static void gradient(Args a, Gpu gpu) {
        if (a.elements() > 0) {
            long rows = a.op(Embedding.EmbeddingGradient.class).rows();
            long width = a.shape(0).last();
            gpu.launch(KERNELS, "embedding_gradient", CudaGrid.of(rows, Math.ceilDiv(width, COLUMNS), 1, COLUMNS), a.in(0).address(),
                    a.in(1).address(), a.dtype(1).bytes(), a.out().address(), a.shape(1).elements(), rows, width, gpu.faults(),
                    gpu.fault(a, "id"));
        }
    }
}
