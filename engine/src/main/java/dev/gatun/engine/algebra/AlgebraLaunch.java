package dev.gatun.engine.algebra;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;

/** The algebra on a GPU, all but elementwise ops and products: how each op calls its kernel in {@code algebra.cu}. */
final class AlgebraLaunch {

    static final Ptx KERNELS = Ptx.of("algebra", name -> AlgebraLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 256;

    /** Rows up to this length are summed by a warp, longer ones by a block. */
    private static final long SHORT = 512;

    /** Sums are cut until so many threads have work. */
    private static final long BUSY = 1 << 16;

    private static final long LEAST_CHUNK = 64;

    /** A kernel for inputs of any of these types alone. */
    static Kernel of(Kernel.Launch launch, DType... types) {
        return Kernel.cuda((a, gpu) -> {
            if (a.elements() > 0) {
                launch.queue(a, gpu);
            }
        }).when(a -> takes(a.dtype(0), types));
    }

    private static boolean takes(DType type, DType... types) {
        for (DType taken : types) {
            if (taken == type) {
                return true;
            }
        }
        return types.length == 0;
    }

    private AlgebraLaunch() {}

    private static CudaGrid over(long threads) {
        return CudaGrid.of(Math.ceilDiv(threads, THREADS), THREADS);
    }

    private static String bits(DType type) {
        return "b" + 8 * type.bytes();
    }

    static void fill(Args a, Gpu gpu) {
        Fill op = a.op(Fill.class);
        long n = a.elements();
        DType type = op.spec().dtype();
        if (n > 0 && op.step() == 0) {
            gpu.launch(KERNELS, "fill_" + bits(type), over(n), a.out().address(), n, Fill.bits(type, op.start()));
        } else if (n > 0) {
            gpu.launch(KERNELS, "range_" + type, over(n), a.out().address(), n, op.start(), op.step());
        }
    }

    /** Whether the kernels have it: ranges are of numbers that compute. */
    static boolean fills(Args a) {
        Fill op = a.op(Fill.class);
        return op.step() == 0 || takes(op.spec().dtype(), DType.F32, DType.F64, DType.I32, DType.I64);
    }

    // ---- sums ----

    /** How a sum is cut: by its shape alone, so that the same numbers are added in the same order everywhere. */
    private record Cut(Runs x, long chunk, long chunks) {

        static Cut of(Args a) {
            Sum op = a.op(Sum.class);
            Runs x = Runs.of(a.shape(0), op.from(), op.to());
            boolean whole = !a.dtype(0).isFloat();
            long columns = x.outer() * x.inner();
            long busy = x.inner() == 1 ? columns * THREADS : columns;
            long wanted = whole || columns == 0 ? 1 : Math.max(1, BUSY / busy);
            long least = x.inner() == 1 ? LEAST_CHUNK * THREADS : LEAST_CHUNK;
            long chunks = Math.clamp(Math.ceilDiv(x.size(), least), 1, wanted);
            long chunk = Math.max(1, Math.ceilDiv(x.size(), chunks));
            return new Cut(x, chunk, Math.max(1, Math.ceilDiv(x.size(), chunk)));
        }
    }

    /** Sums of chunks in double, when there is more than one for an element. */
    static long sumWorkspace(Args a) {
        Cut cut = Cut.of(a);
        return cut.chunks == 1 ? 0 : a.elements() * cut.chunks * Double.BYTES;
    }

    static void sum(Args a, Gpu gpu) {
        Cut cut = Cut.of(a);
        String type = a.dtype(0).toString();
        if (cut.chunks == 1) {
            sum(gpu, type, a.in(0).address(), a.out().address(), cut.x, cut.chunk, 1);
            return;
        }
        boolean single = a.dtype(0) == DType.F32;
        long parts = a.workspace().address();
        sum(gpu, single ? "f32_f64" : "f64", a.in(0).address(), parts, cut.x, cut.chunk, cut.chunks);
        sum(gpu, single ? "f64_f32" : "f64", parts, a.out().address(), new Runs(cut.x.outer(), cut.chunks, cut.x.inner()), cut.chunks, 1);
    }

    private static void sum(Gpu gpu, String types, long x, long y, Runs runs, long chunk, long chunks) {
        long lines = runs.outer() * chunks;
        if (runs.inner() == 1) {
            boolean small = chunk <= SHORT;
            CudaGrid grid = small ? over(lines * 32) : CudaGrid.of(lines, THREADS);
            gpu.launch(KERNELS, (small ? "sum_short_rows_" : "sum_rows_") + types, grid, x, y, lines, runs.size(), chunk, chunks);
        } else {
            long n = lines * runs.inner();
            gpu.launch(KERNELS, "sum_columns_" + types, over(n), x, y, n, runs.size(), runs.inner(), chunk, chunks);
        }
    }

    // ---- maxima and running sums ----

    static void max(Args a, Gpu gpu) {
        Runs x = Runs.of(a.shape(0), a.op(Max.class).axis());
        String type = a.dtype(0).toString();
        if (x.inner() == 1) {
            gpu.launch(KERNELS, "max_rows_" + type, over(x.outer() * 32), a.in(0).address(), a.out().address(), x.outer(), x.size());
        } else {
            gpu.launch(KERNELS, "max_lines_" + type, over(a.elements()), a.in(0).address(), a.out().address(), a.elements(), x.size(), x.inner());
        }
    }

    static void argmax(Args a, Gpu gpu) {
        Runs x = Runs.of(a.shape(0), a.op(Reductions.ArgMax.class).axis());
        gpu.launch(KERNELS, "argmax_" + a.dtype(0), over(a.elements()), a.in(0).address(), a.out().address(), a.elements(), x.size(), x.inner());
    }

    static void cumsum(Args a, Gpu gpu) {
        Cumulative op = a.op(Cumulative.class);
        Runs x = Runs.of(a.shape(0), op.axis());
        long lines = x.outer() * x.inner();
        gpu.launch(KERNELS, "cumsum_" + a.dtype(0), over(lines), a.in(0).address(), a.out().address(), lines, x.size(), x.inner(),
                op.reverse() ? 1 : 0);
    }

    // ---- indexing ----

    static void gather(Args a, Gpu gpu) {
        int axis = a.op(Indexing.Gather.class).axis();
        Runs x = Runs.of(a.shape(0), axis);
        gpu.launch(KERNELS, "gather_" + bits(a.dtype(0)) + "_" + a.dtype(1), over(a.elements()), a.in(0).address(), a.in(1).address(),
                a.out().address(), a.elements(), x.size(), a.shape(1).dim(axis), x.inner(), gpu.faults(), gpu.fault(a, "index"));
    }

    static void scatterAdd(Args a, Gpu gpu) {
        Indexing.ScatterAdd op = a.op(Indexing.ScatterAdd.class);
        Runs x = Runs.of(a.shape(0), op.axis());
        long lines = x.outer() * x.inner();
        gpu.launch(KERNELS, "scatter_add_" + a.dtype(0) + "_" + a.dtype(1), over(lines), a.in(0).address(), a.in(1).address(),
                a.out().address(), lines, op.size(), x.size(), x.inner(), gpu.faults(), gpu.fault(a, "index"));
    }

    // ---- copies ----

    static void concat(Args a, Gpu gpu) {
        int axis = a.op(Concat.class).axis();
        Runs whole = Runs.of(a.outSpec(0).shape(), axis);
        long from = 0;
        for (int i = 0; i < a.inputs(); i++) {
            long size = a.shape(i).dim(axis);
            place(gpu, a.dtype(0), a.in(i).address(), a.out().address(), whole, size, from, 1);
            from += size;
        }
    }

    static void place(Args a, Gpu gpu) {
        Views.Place op = a.op(Views.Place.class);
        Runs whole = Runs.of(a.outSpec(0).shape(), op.axis());
        gpu.stream().fill(a.out().address(), (byte) 0, a.outSpec(0).bytes());
        place(gpu, a.dtype(0), a.in(0).address(), a.out().address(), whole, a.shape(0).dim(op.axis()), op.from(), op.step());
    }

    private static void place(Gpu gpu, DType type, long x, long y, Runs whole, long part, long from, long step) {
        long n = whole.outer() * part * whole.inner();
        if (n > 0) {
            gpu.launch(KERNELS, "place_" + bits(type), over(n), x, y, n, part, whole.size(), whole.inner(), from, step);
        }
    }

    static void flip(Args a, Gpu gpu) {
        Runs x = Runs.of(a.shape(0), a.op(Indexing.Flip.class).axis());
        gpu.launch(KERNELS, "flip_" + bits(a.dtype(0)), over(a.elements()), a.in(0).address(), a.out().address(), a.elements(), x.size(), x.inner());
    }

    static void lowerTriangle(Args a, Gpu gpu) {
        gpu.launch(KERNELS, "lower_triangle_" + bits(a.dtype(0)), over(a.elements()), a.in(0).address(), a.out().address(), a.elements(),
                a.shape(0).dim(-2), a.shape(0).last(), a.op(Indexing.LowerTriangle.class).diagonal());
    }
}
