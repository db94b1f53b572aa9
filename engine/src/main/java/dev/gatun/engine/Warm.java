package dev.gatun.engine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Whether a vector kernel may answer already. The first arguments it is asked for are copied, and it is brought up to
 * speed on the copies while the scalar kernel behind it answers. A kernel without a scalar one answers at once.
 */
final class Warm {

    /** Larger arguments are not copied: such a kernel runs long enough to be compiled on the way. */
    private static final long MOST_BYTES = 64L << 20;
    /** As much of a kernel's work as is run in one go, whichever is less. */
    private static final double EXERCISE_BYTES = 1 << 18;
    private static final double EXERCISE_NANOS = 200_000;

    private volatile boolean ready;
    private Warmup<Kernel> warmup;

    boolean ready(Kernel kernel, Args a) {
        return ready || ask(kernel, a);
    }

    private synchronized boolean ask(Kernel kernel, Args a) {
        if (warmup == null) {
            Kernel scalar = scalar(kernel, a);
            if (scalar == null) {
                return true;
            }
            Args copy = copy(a, kernel, scalar);
            if (copy == null) {
                return true;
            }
            double share = share(kernel, copy);
            warmup = Warmup.of(a.op().name(), scalar, () -> kernel, k -> run(k, copy, share));
        }
        ready = warmup.get() == kernel;
        return ready;
    }

    /** The first scalar kernel behind this one that takes the arguments, or null. */
    private static Kernel scalar(Kernel kernel, Args a) {
        List<Kernel> kernels = a.op().kernels();
        for (Kernel other : kernels.subList(kernels.indexOf(kernel) + 1, kernels.size())) {
            if (other.backend() == Backend.SCALAR && other.backend().on() && other.accepts(a)) {
                return other;
            }
        }
        return null;
    }

    /** The part of all work that makes an exercise. */
    private static double share(Kernel kernel, Args a) {
        double bytes = 0;
        for (int i = 0; i < a.inputs(); i++) {
            bytes += a.in(i).byteSize();
        }
        for (int i = 0; i < a.outputs(); i++) {
            bytes += a.out(i).byteSize();
        }
        double nanos = 0;
        for (Kernel.Phase phase : kernel.phases()) {
            nanos += phase.nanosPerItem() == null ? 0 : phase.nanosPerItem().applyAsDouble(a) * phase.items().applyAsLong(a);
        }
        return Math.min(1, Math.min(EXERCISE_BYTES / Math.max(1, bytes), EXERCISE_NANOS / Math.max(1, nanos)));
    }

    private static void run(Kernel kernel, Args a, double share) {
        for (Kernel.Phase phase : kernel.phases()) {
            phase.body().run(a, 0, (long) Math.ceil(phase.items().applyAsLong(a) * share));
        }
    }

    /** The same arguments in memory of their own, which nobody gives back early; null when they are too large. */
    private static Args copy(Args a, Kernel kernel, Kernel scalar) {
        long[] bytes = new long[a.inputs()];
        long total = 0;
        for (int i = 0; i < a.inputs(); i++) {
            bytes[i] = a.contiguous(i) ? a.spec(i).bytes() : Math.max(a.spec(i).bytes(), reach(a, i));
            total += bytes[i];
        }
        for (int i = 0; i < a.outputs(); i++) {
            total += a.outSpec(i).bytes();
        }
        long workspace = Math.max(kernel.workspace(a), scalar.workspace(a));
        if (total + workspace > MOST_BYTES) {
            return null;
        }
        Arena arena = Arena.ofAuto();
        MemorySegment[] in = new MemorySegment[a.inputs()];
        for (int i = 0; i < in.length; i++) {
            in[i] = arena.allocate(bytes[i], 64);
            // An input that would be made dense first stays zero: its numbers do not matter, and 0 is a valid index.
            if (a.contiguous(i) || kernel.takesStrides()) {
                long own = a.contiguous(i) ? bytes[i] : reach(a, i);
                MemorySegment.copy(a.in(i), 0, in[i], 0, own);
            }
        }
        MemorySegment[] out = new MemorySegment[a.outputs()];
        for (int i = 0; i < out.length; i++) {
            out[i] = arena.allocate(a.outSpec(i).bytes(), 64);
        }
        Args copy = new Args(a, in, out);
        copy.workspace(arena.allocate(workspace, 64));
        return copy;
    }

    /** Bytes from the first element of an input to behind its last one. */
    private static long reach(Args a, int i) {
        long last = 0;
        long[] strides = a.strides(i);
        for (int axis = 0; axis < strides.length; axis++) {
            long size = a.shape(i).dim(axis);
            if (size == 0) {
                return 0;
            }
            last += (size - 1) * strides[axis];
        }
        return (last + 1) * a.dtype(i).bytes();
    }
}
