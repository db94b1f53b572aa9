package dev.gatun.engine.algebra;

import dev.gatun.bindings.onednn.OneDnnPrimitive;
import dev.gatun.engine.Args;
import dev.gatun.engine.Backend;
import dev.gatun.engine.onednn.Primitives;
import dev.gatun.engine.onednn.Winners;
import java.lang.foreign.MemorySegment;

/**
 * Blocks of matrix products by oneDNN, each a product of its own on one thread: the cut depends on sizes alone, and so do
 * the bits. Rows or columns of both inputs must lie without gaps; other strides are for our own kernels.
 */
final class OneDnnProduct {

    private static final int FEW_ROWS = 16;
    private static final double TINY = 1 << 20;
    private static final double LARGE = 1 << 27;

    /** A block's sizes, and strides in elements. */
    private record Block(long rows, long inner, long columns, long aRow, long aInner, long bInner, long bColumn, long cRow)
            implements Primitives.Form {

        @Override
        public OneDnnPrimitive make() {
            return OneDnnPrimitive.matmul(rows, inner, columns, aRow, aInner, bInner, bColumn, cRow);
        }
    }

    private OneDnnProduct() {}

    /** Whether oneDNN can compute the product, and is to. */
    static boolean takes(Args a) {
        if (!a.isF32() || a.elements() == 0 || a.shape(0).last() == 0) {
            return false;
        }
        Product p = Product.of(a);
        return (Backend.ONEDNN.named() || Winners.onednn("matmul", shapes(p)))
                && canonical(p.rows, p.inner, p.aRow, p.aInner, p.bytes)
                && canonical(p.inner, p.columns, p.bInner, p.bColumn, p.bytes);
    }

    /** The class of shapes in the table of winners. */
    static String shapes(Product p) {
        double operations = 2.0 * p.rows * p.columns * p.inner;
        return p.rows < FEW_ROWS ? "few" : operations < TINY ? "tiny" : operations < LARGE ? "middle" : "large";
    }

    private static boolean canonical(long rows, long columns, long rowStep, long columnStep, int bytes) {
        return rowStep >= columns * columnStep && columnStep == bytes && rowStep % bytes == 0
                || columnStep >= rows * rowStep && rowStep == bytes && columnStep % bytes == 0;
    }

    static void blocks(Args a, long from, long to) {
        Product p = Product.of(a);
        for (long block = from; block < to; block++) {
            long row = p.row(block);
            long column = p.column(block);
            long matrix = p.matrix(block);
            int rows = p.rowsFrom(row);
            int columns = p.columnsFrom(column);
            OneDnnPrimitive product = Primitives.of(new Block(rows, p.inner, columns, p.aRow / p.bytes, p.aInner / p.bytes,
                    p.bInner / p.bytes, p.bColumn / p.bytes, p.cRow / p.bytes));
            MemorySegment scratch = a.scratch(Math.max(1, product.scratchBytes()));
            product.run(scratch,
                    a.in(0).asSlice(p.a(matrix) + row * p.aRow),
                    a.in(1).asSlice(p.b(matrix) + column * p.bColumn),
                    a.out().asSlice(p.c(matrix) + row * p.cRow + column * p.bytes));
        }
    }
}
