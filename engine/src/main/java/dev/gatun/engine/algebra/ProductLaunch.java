package dev.gatun.engine.algebra;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;

/**
 * Matrix products on a GPU, by the kernels of {@code matmul.cu}. Matrices may lie in any way in which neighbours along one
 * of their axes are neighbours in memory. A product with few tiles and a long inner axis is cut along that axis, by its
 * sizes alone, and the parts are added up in order.
 */
final class ProductLaunch {

    static final Ptx KERNELS = Ptx.of("matmul", name -> ProductLaunch.class.getResourceAsStream(name));

    static final Kernel STRIDED = Kernel.cuda(ProductLaunch::queue).when(a -> takes(a) && lies(a, 0) && lies(a, 1)).strided()
            .workspace(ProductLaunch::workspace);
    static final Kernel DENSE = Kernel.cuda(ProductLaunch::queue).when(ProductLaunch::takes).workspace(ProductLaunch::workspace);

    private static final int THREADS = 256;
    private static final int MOST_AXES = 6;

    /** Tiles that keep a large GPU busy; fewer make smaller tiles, or splits. */
    private static final long BUSY = 264;

    private static final long LEAST_CHUNK = 256;

    private ProductLaunch() {}

    private static boolean takes(Args a) {
        return (a.isF32() || a.computesIn(DType.F64)) && a.outSpec(0).shape().rank() - 2 <= MOST_AXES;
    }

    /** Whether neighbours along the last or the last but one axis are neighbours in memory. */
    private static boolean lies(Args a, int i) {
        long[] strides = a.strides(i);
        int last = strides.length - 1;
        return strides[last] == 1 || strides[last - 1] == 1;
    }

    /** How a product is cut: the side of a tile, the tiles of a matrix, and the splits of the inner axis. */
    private record Cut(int side, long matrices, long rows, long columns, long inner, long chunk, long splits) {

        static Cut of(Args a) {
            Shape c = a.outSpec(0).shape();
            long rows = c.dim(-2);
            long columns = c.last();
            long inner = a.shape(0).last();
            long matrices = rows * columns == 0 ? 0 : c.elements() / (rows * columns);
            boolean large = a.isF32() && rows > 64 && columns > 64 && tiles(128, rows, columns) * matrices >= BUSY;
            int side = large ? 128 : 64;
            long tiles = Math.max(1, tiles(side, rows, columns) * matrices);
            long wanted = Math.clamp(BUSY / tiles, 1, Math.max(1, inner / LEAST_CHUNK));
            long chunk = Math.max(1, Math.ceilDiv(inner, wanted));
            return new Cut(side, matrices, rows, columns, inner, chunk, Math.max(1, Math.ceilDiv(inner, chunk)));
        }

        private static long tiles(int side, long rows, long columns) {
            return Math.ceilDiv(rows, side) * Math.ceilDiv(columns, side);
        }
    }

    private static long workspace(Args a) {
        Cut cut = Cut.of(a);
        return cut.splits == 1 ? 0 : a.elements() * cut.splits * a.outSpec(0).dtype().bytes();
    }

    private static void queue(Args a, Gpu gpu) {
        if (a.elements() == 0) {
            return;
        }
        Cut cut = Cut.of(a);
        Shape c = a.outSpec(0).shape();
        long[] aStrides = a.strides(0);
        long[] bStrides = a.strides(1);
        // A matrix of one row or column lies both ways: its lead is then of no account.
        boolean aAlong = aStrides[aStrides.length - 1] == 1;
        boolean bAlong = bStrides[bStrides.length - 1] != 1;
        long aLead = aStrides[aStrides.length - (aAlong ? 2 : 1)];
        long bLead = bStrides[bStrides.length - (bAlong ? 1 : 2)];
        long[] batch = new long[1 + 3 * MOST_AXES];
        batch[0] = c.rank() - 2;
        for (int axis = 0; axis < c.rank() - 2; axis++) {
            batch[1 + axis] = c.dim(axis);
            batch[1 + MOST_AXES + axis] = step(a.shape(0), aStrides, axis - c.rank());
            batch[1 + 2 * MOST_AXES + axis] = step(a.shape(1), bStrides, axis - c.rank());
        }
        String type = a.isF32() ? "f32" : "f64";
        String kernel = "product_" + type + "_" + cut.side + "_" + (aAlong ? "n" : "t") + (bAlong ? "t" : "n");
        long to = cut.splits == 1 ? a.out().address() : a.workspace().address();
        long most = 65_535 / cut.splits;
        for (long first = 0; first < cut.matrices; first += most) {
            // A grid has no more than 65535 layers; larger batches go in parts, told apart by where they start.
            long count = Math.min(most, cut.matrices - first);
            gpu.launch(KERNELS, kernel,
                    CudaGrid.of(Math.ceilDiv(cut.rows, cut.side), Math.ceilDiv(cut.columns, cut.side), count * cut.splits, THREADS),
                    a.in(0).address(), a.in(1).address(), to, batch, cut.rows, cut.columns, cut.inner, aLead, bLead, cut.chunk,
                    cut.splits, first);
        }
        if (cut.splits > 1) {
            gpu.launch(KERNELS, "join_" + type, CudaGrid.of(Math.ceilDiv(a.elements(), THREADS), THREADS),
                    to, a.out().address(), cut.matrices, cut.splits, cut.rows * cut.columns);
        }
    }

    /** Distance between neighbouring matrices of an input along an axis of the result, counted from the end. */
    private static long step(Shape shape, long[] strides, int axis) {
        return -axis > shape.rank() || shape.dim(axis) == 1 ? 0 : strides[shape.rank() + axis];
    }
}
