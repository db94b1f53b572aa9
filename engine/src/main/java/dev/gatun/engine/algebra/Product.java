package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Shape;

/**
 * Where the numbers of a batch of matrix products lie, and how the products are cut into work items. Strides are in
 * bytes; those of {@code c} follow from its being dense.
 *
 * <p>An item is one block of rows and columns of one result. Every element is computed in the same way whichever block
 * it is in, so the cut is free: it changes no bits.
 */
final class Product {

    /** Steps of a sum that are added up by themselves before they are added to the result. */
    static final int STEPS = 256;

    /** Largest block: a packed block of {@code a} and a group of panels of {@code b} then share the second cache. */
    private static final int MOST_ROWS = 528;
    private static final int MOST_COLUMNS = 1024;
    /** Smallest block: below, packing would cost more than a second thread brings. */
    private static final int FEWEST_ROWS = 132;
    private static final int FEWEST_COLUMNS = 256;
    private static final int WANTED = 2 * Math.max(2, Runtime.getRuntime().availableProcessors());

    final int bytes;
    final int steps;
    final long matrices;
    final long rows;
    final long columns;
    final long inner;
    final long aRow;
    final long aInner;
    final long bInner;
    final long bColumn;
    final long cRow;
    final int blockRows;
    final int blockColumns;

    private final long[] sizes;
    private final long[] aSteps;
    private final long[] bSteps;

    /** The products of a call. */
    static Product of(Args a) {
        Shape out = a.outSpec(0).shape();
        int bytes = a.outSpec(0).dtype().bytes();
        long[] aStrides = a.strides(0);
        long[] bStrides = a.strides(1);
        int axes = out.rank() - 2;
        long[] sizes = new long[axes];
        long[] aSteps = new long[axes];
        long[] bSteps = new long[axes];
        for (int axis = 0; axis < axes; axis++) {
            sizes[axis] = out.dim(axis);
            aSteps[axis] = step(a.shape(0), aStrides, axis - axes - 2) * bytes;
            bSteps[axis] = step(a.shape(1), bStrides, axis - axes - 2) * bytes;
        }
        return new Product(
                bytes, STEPS, sizes, aSteps, bSteps, out.dim(-2), out.last(), a.shape(0).last(),
                aStrides[aStrides.length - 2] * bytes, aStrides[aStrides.length - 1] * bytes,
                bStrides[bStrides.length - 2] * bytes, bStrides[bStrides.length - 1] * bytes);
    }

    /** A single product {@code [rows, inner] x [inner, columns]}, both plain or both transposed. */
    static Product of(int bytes, int steps, long rows, long columns, long inner, boolean transposed) {
        long[] none = {};
        return new Product(
                bytes, steps, none, none, none, rows, columns, inner,
                transposed ? bytes : inner * bytes, transposed ? rows * bytes : bytes,
                transposed ? bytes : columns * bytes, transposed ? inner * bytes : bytes);
    }

    private Product(
            int bytes, int steps, long[] sizes, long[] aSteps, long[] bSteps, long matrixRows, long columns, long inner,
            long aRow, long aInner, long bInner, long bColumn) {
        this.bytes = bytes;
        this.steps = steps;
        this.sizes = sizes;
        this.aSteps = aSteps;
        this.bSteps = bSteps;
        this.columns = columns;
        this.inner = inner;
        this.aRow = aRow;
        this.aInner = aInner;
        this.bInner = bInner;
        this.bColumn = bColumn;
        cRow = columns * bytes;
        long many = 1;
        for (long size : sizes) {
            many *= size;
        }
        boolean stacks = many > 1 && stacks(matrixRows);
        rows = stacks ? many * matrixRows : matrixRows;
        matrices = stacks ? 1 : many;

        long high = MOST_ROWS;
        long wide = MOST_COLUMNS;
        // Few rows are not packed; then it is the start of a row of b that narrow blocks would pay for too often.
        long narrow = rows < FEWEST_ROWS / 8 ? 2 * FEWEST_COLUMNS : FEWEST_COLUMNS;
        while (matrices * Math.ceilDiv(rows, high) * Math.ceilDiv(columns, wide) < WANTED
                && (high > FEWEST_ROWS || wide > narrow)) {
            boolean wider = Math.min(wide, columns) > Math.min(high, rows);
            if (wider && wide > narrow || high == FEWEST_ROWS) {
                wide /= 2;
            } else {
                high /= 2;
            }
        }
        blockRows = (int) high;
        blockColumns = (int) wide;
    }

    /** Elements between neighbours along a batch axis, counted from the end; 0 where the input repeats. */
    private static long step(Shape shape, long[] strides, int axis) {
        int at = shape.rank() + axis;
        return at < 0 || shape.dim(at) == 1 ? 0 : strides[at];
    }

    /** Whether one {@code b} serves all, and the rows of all {@code a} are evenly spaced: then it is one tall product. */
    private boolean stacks(long matrixRows) {
        long span = matrixRows * aRow;
        for (int axis = sizes.length - 1; axis >= 0; axis--) {
            if (sizes[axis] > 1 && (bSteps[axis] != 0 || aSteps[axis] != span)) {
                return false;
            }
            span *= sizes[axis];
        }
        return true;
    }

    private long rowBlocks() {
        return Math.ceilDiv(rows, blockRows);
    }

    private long columnBlocks() {
        return Math.ceilDiv(columns, blockColumns);
    }

    /** Number of blocks in all products. */
    long blocks() {
        return matrices * rowBlocks() * columnBlocks();
    }

    /** Multiplications and additions of a block of full size. */
    double operations() {
        return 2.0 * Math.min(rows, blockRows) * Math.min(columns, blockColumns) * inner;
    }

    /** Which product a block belongs to. */
    long matrix(long block) {
        return block / (rowBlocks() * columnBlocks());
    }

    /** First row of a block. */
    long row(long block) {
        return block / columnBlocks() % rowBlocks() * blockRows;
    }

    /** First column of a block. */
    long column(long block) {
        return block % columnBlocks() * blockColumns;
    }

    /** Rows of a block that starts here. */
    int rowsFrom(long row) {
        return (int) Math.min(blockRows, rows - row);
    }

    /** Columns of a block that starts here. */
    int columnsFrom(long column) {
        return (int) Math.min(blockColumns, columns - column);
    }

    /** Where a product's left matrix starts. */
    long a(long matrix) {
        return start(matrix, aSteps);
    }

    /** Where a product's right matrix starts. */
    long b(long matrix) {
        return start(matrix, bSteps);
    }

    /** Where a product's result starts. */
    long c(long matrix) {
        return matrix * rows * cRow;
    }

    private long start(long matrix, long[] steps) {
        if (matrices == 1) {
            return 0;
        }
        long at = 0;
        for (int axis = sizes.length - 1; axis >= 0; axis--) {
            at += matrix % sizes[axis] * steps[axis];
            matrix /= sizes[axis];
        }
        return at;
    }
}
