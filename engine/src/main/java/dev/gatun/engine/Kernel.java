package dev.gatun.engine;

import dev.gatun.engine.cuda.Gpu;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;
import java.util.function.ToLongFunction;

/**
 * One way to compute an op: a backend's name, when it applies, and one or more phases of
 * independent work items. A body is a flat loop over a range of items; it knows nothing of threads
 * and allocates nothing. All items of a phase are done before the next phase starts.
 *
 * <p>A kernel is immutable and lives in a static field of its op; attributes come from
 * {@link Args#op}. Vector bodies belong in a nested class {@code Fast}, called through a lambda, so
 * that the op itself loads without the Vector API module:
 *
 * {@snippet :
 * private static final List<Kernel> KERNELS = List.of(
 *         Kernel.vector(Args::rows, (a, from, to) -> Fast.rowsF32(a, from, to)),
 *         Kernel.scalar(Args::rows, Softmax::rowsF32),
 *         Kernel.reference(Args::rows, Softmax::rows));
 * }
 *
 * A scalar kernel after a vector one answers while the vector one is brought up to speed.
 */
public final class Kernel {

    private static final double NANOS_PER_BYTE = 0.04;

    /** The loop of a phase over items {@code from} (inclusive) to {@code to} (exclusive). */
    @FunctionalInterface
    public interface Body {
        void run(Args a, long from, long to);
    }

    /** Queues the launches of a kernel on a GPU; segments of the arguments are addresses there. */
    @FunctionalInterface
    public interface Launch {
        void queue(Args a, Gpu gpu);
    }

    /** Independent items and the loop over them. */
    record Phase(ToLongFunction<Args> items, Body body, ToDoubleFunction<Args> nanosPerItem) {}

    private final Backend backend;
    private final List<Phase> phases;
    private final Predicate<Args> accepts;
    private final ToLongFunction<Args> workspaceBytes;
    private final boolean strided;
    private final Warm warm;
    private final Launch launch;

    private Kernel(Backend backend, List<Phase> phases, Predicate<Args> accepts, ToLongFunction<Args> workspaceBytes,
            boolean strided, Warm warm) {
        this(backend, phases, accepts, workspaceBytes, strided, warm, null);
    }

    private Kernel(Backend backend, List<Phase> phases, Predicate<Args> accepts, ToLongFunction<Args> workspaceBytes,
            boolean strided, Warm warm, Launch launch) {
        this.launch = launch;
        this.backend = backend;
        this.phases = phases;
        this.accepts = accepts;
        this.workspaceBytes = workspaceBytes;
        this.strided = strided;
        this.warm = warm;
    }

    private static Kernel of(Backend backend, ToLongFunction<Args> items, Body body, Predicate<Args> accepts) {
        return new Kernel(backend, List.of(new Phase(items, body, null)), accepts, null, false,
                backend == Backend.VECTOR ? new Warm() : null);
    }

    /** Vector API loops for F32. */
    public static Kernel vector(ToLongFunction<Args> items, Body body) {
        return of(Backend.VECTOR, items, body, Args::isF32);
    }

    /** Plain float loops for F32. */
    public static Kernel scalar(ToLongFunction<Args> items, Body body) {
        return of(Backend.SCALAR, items, body, Args::isF32);
    }

    /** The definition, in double, for every dtype. */
    public static Kernel reference(ToLongFunction<Args> items, Body body) {
        return of(Backend.REFERENCE, items, body, a -> true);
    }

    /** Calls of oneDNN for F32, each on one thread. */
    public static Kernel onednn(ToLongFunction<Args> items, Body body) {
        return of(Backend.ONEDNN, items, body, Args::isF32);
    }

    /** Launches on a GPU, for F32. */
    public static Kernel cuda(Launch launch) {
        return new Kernel(Backend.CUDA, List.of(), Args::isF32, null, false, null, launch);
    }

    /** This kernel, only where this holds; replaces the default, which looks at dtypes. */
    public Kernel when(Predicate<Args> accepts) {
        return new Kernel(backend, phases, accepts, workspaceBytes, strided, warm, launch);
    }

    /** This kernel, which takes inputs with any strides as they are. */
    public Kernel strided() {
        return new Kernel(backend, phases, accepts, workspaceBytes, true, warm, launch);
    }

    /** This kernel, which needs no warm-up of ours: its loops take care of theirs. */
    public Kernel warmsItself() {
        return new Kernel(backend, phases, accepts, workspaceBytes, strided, null);
    }

    /** This kernel with shared memory for all phases and threads of a call. Its content is arbitrary at the start. */
    public Kernel workspace(ToLongFunction<Args> bytes) {
        return new Kernel(backend, phases, accepts, bytes, strided, warm, launch);
    }

    /** This kernel with an estimate of its last phase's time for one item, so that threads get pieces of a useful size. */
    public Kernel costing(ToDoubleFunction<Args> nanosPerItem) {
        List<Phase> changed = new ArrayList<>(phases);
        Phase last = changed.removeLast();
        changed.add(new Phase(last.items, last.body, nanosPerItem));
        return new Kernel(backend, List.copyOf(changed), accepts, workspaceBytes, strided, warm);
    }

    /** This kernel with a further phase, which starts when all items of the ones before are done. */
    public Kernel then(ToLongFunction<Args> items, Body body) {
        List<Phase> more = new ArrayList<>(phases);
        more.add(new Phase(items, body, null));
        return new Kernel(backend, List.copyOf(more), accepts, workspaceBytes, strided, warm);
    }

    /** The backend's name on this kernel. */
    public Backend backend() {
        return backend;
    }

    /** Whether this kernel takes strides as they are. */
    public boolean takesStrides() {
        return strided;
    }

    List<Phase> phases() {
        return phases;
    }

    boolean accepts(Args a) {
        return accepts.test(a);
    }

    /** Bytes of shared memory that these arguments need. */
    long workspace(Args a) {
        return workspaceBytes == null ? 0 : workspaceBytes.applyAsLong(a);
    }

    /** Whether the compiler has this kernel; asking starts the warm-up, on copies of these arguments. */
    boolean ready(Args a) {
        return warm == null || warm.ready(this, a);
    }

    /** Queues the launches of a GPU's kernel. */
    void queue(Args a, Gpu gpu) {
        launch.queue(a, gpu);
    }

    /** Runs all phases on the threads of {@link Parallel}. */
    void run(Args a) {
        for (Phase phase : phases) {
            long items = phase.items.applyAsLong(a);
            if (items > 0) {
                double nanos = phase.nanosPerItem == null ? bytesPerItem(a, items) * NANOS_PER_BYTE : phase.nanosPerItem.applyAsDouble(a);
                Parallel.run(a, phase.body, items, nanos);
            }
        }
    }

    /** Memory-bound work is guessed from the bytes it moves. */
    private static double bytesPerItem(Args a, long items) {
        double bytes = 0;
        for (int i = 0; i < a.inputs(); i++) {
            bytes += (double) a.shape(i).elements() * a.dtype(i).bytes();
        }
        for (int i = 0; i < a.outputs(); i++) {
            bytes += (double) a.outSpec(i).shape().elements() * a.outSpec(i).dtype().bytes();
        }
        return bytes / items;
    }
}
