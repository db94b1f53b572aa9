package dev.gatun.ops;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;

/** Random numbers on a GPU, by {@code draws.cu}: the same as on the CPU, bit for bit. */
final class DrawsLaunch {

    static final Ptx KERNELS = Ptx.of("draws", name -> DrawsLaunch.class.getResourceAsStream(name));

    static final Kernel UNIFORM = Kernel.cuda(DrawsLaunch::uniform).when(a -> a.isF32() || a.computesIn(DType.F64));
    static final Kernel NORMAL = Kernel.cuda((a, gpu) ->
            each(a, gpu, "normal_f32", a.op(Random.Normal.class).key().bits()));
    static final Kernel BERNOULLI = Kernel.cuda((a, gpu) -> {
        Random.Bernoulli op = a.op(Random.Bernoulli.class);
        each(a, gpu, "bernoulli", op.key().bits(), Draws.limit(op.probability()));
    });
    static final Kernel INTEGERS = Kernel.cuda((a, gpu) -> {
        Random.Integers op = a.op(Random.Integers.class);
        each(a, gpu, "integers", op.key().bits(), op.from(), op.to() - op.from());
    });
    static final Kernel PERMUTATION = Kernel.cuda((a, gpu) -> {
        if (a.elements() > 0) {
            // the kernel copies a place before it has written it where the two are one
            gpu.stream().fill(a.out().address(), (byte) 0, 8 * a.elements());
            gpu.launch(KERNELS, "permutation", CudaGrid.of(1, 1), a.out().address(), a.elements(), a.op(Random.Permutation.class).key().bits());
        }
    });
    static final Kernel DROPOUT = Kernel.cuda(DrawsLaunch::dropout);

    private static final int THREADS = 256;

    private DrawsLaunch() {}

    private static CudaGrid over(Args a) {
        return CudaGrid.of(Math.ceilDiv(a.elements(), THREADS), THREADS);
    }

    private static void each(Args a, Gpu gpu, String kernel, Object... arguments) {
        if (a.elements() > 0) {
            Object[] all = new Object[arguments.length + 2];
            all[0] = a.out().address();
            all[1] = a.elements();
            System.arraycopy(arguments, 0, all, 2, arguments.length);
            gpu.launch(KERNELS, kernel, over(a), all);
        }
    }

    private static void uniform(Args a, Gpu gpu) {
        Random.Uniform op = a.op(Random.Uniform.class);
        if (a.isF32()) {
            each(a, gpu, "uniform_f32", op.key().bits(), (float) op.low(), (float) (op.high() - op.low()));
        } else {
            each(a, gpu, "uniform_f64", op.key().bits(), op.low(), op.high() - op.low());
        }
    }

    private static void dropout(Args a, Gpu gpu) {
        Random.Dropout op = a.op(Random.Dropout.class);
        if (a.elements() > 0) {
            gpu.launch(KERNELS, "dropout_f32", over(a), a.in(0).address(), a.out().address(), a.elements(), op.key().bits(),
                    Draws.limit(1 - op.rate()), (float) (1 / (1 - op.rate())));
        }
    }
}
