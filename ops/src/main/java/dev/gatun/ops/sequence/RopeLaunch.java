package dev.gatun.ops.sequence;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;
import java.util.function.Predicate;

/** Rotary positions on a GPU, by {@code rope.cu}. */
final class RopeLaunch {

    static final Ptx KERNELS = Ptx.of("rope", name -> RopeLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 256;
    private static final int MOST_AXES = 8;

    private RopeLaunch() {}

    /** For rows that lie anywhere, where that holds. */
    static Kernel strided(Predicate<Args> lies) {
        return kernel(lies).strided();
    }

    static Kernel dense() {
        return kernel(Args::isF32);
    }

    private static Kernel kernel(Predicate<Args> takes) {
        return Kernel.cuda(RopeLaunch::queue).when(a -> takes.test(a) && a.shape(0).rank() <= MOST_AXES + 1)
                .workspace(a -> a.shape(0).dim(-2) * a.op(Rope.class).rotated() * Float.BYTES);
    }

    private static CudaGrid over(long threads) {
        return CudaGrid.of(Math.ceilDiv(threads, THREADS), THREADS);
    }

    private static void queue(Args a, Gpu gpu) {
        if (a.elements() == 0) {
            return;
        }
        Rope op = a.op(Rope.class);
        Shape x = a.shape(0);
        long time = x.dim(-2);
        long half = op.rotated() / 2;
        long table = a.workspace().address();
        if (half > 0) {
            gpu.launch(KERNELS, "rope_table", over(time * half), table, time, half, (double) op.position(),
                    Math.log(op.base()) / Math.log(2), op.back() ? 1 : 0);
        }
        long[] lines = new long[1 + 2 * MOST_AXES];
        long[] strides = a.strides(0);
        lines[0] = x.rank() - 1;
        for (int axis = 0; axis < x.rank() - 1; axis++) {
            lines[1 + axis] = x.dim(axis);
            lines[1 + MOST_AXES + axis] = strides[axis];
        }
        long rows = a.elements() / x.last();
        gpu.launch(KERNELS, "rope", over(rows * (x.last() - half)), a.in(0).address(), a.out().address(), table, lines, rows, time,
                x.last(), half, op.interleaved() ? 1 : 0);
    }
}
