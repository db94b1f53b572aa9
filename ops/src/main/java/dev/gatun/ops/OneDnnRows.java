package dev.gatun.ops;

import dev.gatun.bindings.onednn.OneDnnPrimitive;
import dev.gatun.engine.Args;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.onednn.Primitives;
import dev.gatun.engine.onednn.Winners;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Row ops by oneDNN, in blocks of as many rows as their length allows: the cut, and so the bits, depends on shapes alone. */
final class OneDnnRows {

    static final Kernel SOFTMAX = Kernel.onednn(OneDnnRows::blocks, OneDnnRows::softmax)
            .when(a -> takes(a, "softmax"));
    static final Kernel LAYER_NORM = Kernel.onednn(OneDnnRows::blocks, OneDnnRows::layerNorm)
            .when(a -> a.op() instanceof LayerNorm && a.shape(1).rank() == 1 && takes(a, "layer_norm"));

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    /** Elements of a block: some ten microseconds of work, so that the call itself is nothing beside it. */
    private static final long BLOCK = 1 << 14;
    private static final int LONG = 512;

    private record SoftmaxRows(long rows, long n) implements Primitives.Form {
        @Override
        public OneDnnPrimitive make() {
            return OneDnnPrimitive.softmax(rows, n);
        }
    }

    private record NormRows(long rows, long n, float eps, boolean bias) implements Primitives.Form {
        @Override
        public OneDnnPrimitive make() {
            return OneDnnPrimitive.layerNorm(rows, n, eps, bias);
        }
    }

    private OneDnnRows() {}

    private static boolean takes(Args a, String op) {
        return a.isF32() && a.elements() > 0 && (Backend.ONEDNN.named() || Winners.onednn(op, a.shape(0).last() < LONG ? "short" : "long"));
    }

    private static long blockRows(Args a) {
        return Math.clamp(BLOCK / a.shape(0).last(), 1, a.rows());
    }

    private static long blocks(Args a) {
        return Math.ceilDiv(a.rows(), blockRows(a));
    }

    private static void softmax(Args a, long from, long to) {
        long n = a.shape(0).last();
        for (long block = from; block < to; block++) {
            long row = block * blockRows(a);
            long rows = Math.min(blockRows(a), a.rows() - row);
            OneDnnPrimitive softmax = Primitives.of(new SoftmaxRows(rows, n));
            MemorySegment y = slice(a.out(), row, rows, n);
            softmax.run(a.scratch(Math.max(1, softmax.scratchBytes())), slice(a.in(0), row, rows, n), y);
            for (long i = 0; i < rows; i++) {
                mendEmptyRow(slice(a.in(0), row + i, 1, n), slice(a.out(), row + i, 1, n));
            }
        }
    }

    /** oneDNN makes NaN of a row of nothing but {@code -inf}; the op says zeros. */
    private static void mendEmptyRow(MemorySegment x, MemorySegment y) {
        if (!Float.isNaN(y.get(FLOAT, 0))) {
            return;
        }
        for (long at = 0; at < x.byteSize(); at += Float.BYTES) {
            if (x.get(FLOAT, at) != Float.NEGATIVE_INFINITY) {
                return;
            }
        }
        y.fill((byte) 0);
    }

    private static void layerNorm(Args a, long from, long to) {
        long n = a.shape(0).last();
        boolean bias = a.inputs() > 2;
        float eps = (float) a.op(LayerNorm.class).eps();
        for (long block = from; block < to; block++) {
            long row = block * blockRows(a);
            long rows = Math.min(blockRows(a), a.rows() - row);
            OneDnnPrimitive norm = Primitives.of(new NormRows(rows, n, eps, bias));
            MemorySegment scratch = a.scratch(Math.max(1, norm.scratchBytes()));
            MemorySegment x = slice(a.in(0), row, rows, n);
            MemorySegment y = slice(a.out(), row, rows, n);
            if (bias) {
                norm.run(scratch, x, y, a.in(1), a.in(2));
            } else {
                norm.run(scratch, x, y, a.in(1));
            }
        }
    }

    private static MemorySegment slice(MemorySegment s, long row, long rows, long n) {
        return s.asSlice(row * n * Float.BYTES, rows * n * Float.BYTES);
    }
}
