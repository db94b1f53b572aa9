package dev.gatun.engine.algebra;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Blocks of matrix products in plain loops. The innermost one adds a multiple of one heap array to another at equal
 * indices: of the forms tried, the one that HotSpot turns into vector instructions by itself (29 GFLOP/s on one core,
 * against 6 over memory segments or shifted indices). Sums run in the same order as in {@link PackedProduct}, so both
 * give the same bits.
 */
final class PlainProduct {

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

    private static final ThreadLocal<Floats> FLOATS = ThreadLocal.withInitial(Floats::new);
    private static final ThreadLocal<Doubles> DOUBLES = ThreadLocal.withInitial(Doubles::new);

    /** A thread's copy of a panel of {@code b}, and one row of sums. */
    private static final class Floats {
        float[][] panel = new float[Product.STEPS][0];
        float[] sums = {};
        float[] before = {};
    }

    private static final class Doubles {
        double[][] panel = new double[Product.STEPS][0];
        double[] sums = {};
        double[] before = {};
    }

    private PlainProduct() {}

    static void blockF32(Product p, MemorySegment a, MemorySegment b, MemorySegment c, long block) {
        int rows = p.rowsFrom(p.row(block));
        int columns = p.columnsFrom(p.column(block));
        long aAt = p.a(p.matrix(block)) + p.row(block) * p.aRow;
        long bAt = p.b(p.matrix(block)) + p.column(block) * p.bColumn;
        long cAt = p.c(p.matrix(block)) + p.row(block) * p.cRow + p.column(block) * p.bytes;
        Floats own = FLOATS.get();
        if (own.sums.length < columns) {
            own.sums = new float[columns];
            own.before = new float[columns];
            own.panel = new float[Product.STEPS][columns];
        }
        float[] sums = own.sums;
        long s = 0;
        do {
            int steps = (int) Math.min(p.steps, p.inner - s);
            for (int step = 0; step < steps; step++) {
                gather(b, bAt + (s + step) * p.bInner, p.bColumn, own.panel[step], columns);
            }
            for (int row = 0; row < rows; row++) {
                clear(sums, columns);
                for (int step = 0; step < steps; step++) {
                    addMultiple(sums, a.get(FLOAT, aAt + row * p.aRow + (s + step) * p.aInner), own.panel[step], columns);
                }
                if (s > 0) {
                    gather(c, cAt + row * p.cRow, p.bytes, own.before, columns);
                    addMultiple(sums, 1, own.before, columns);
                }
                MemorySegment.copy(sums, 0, c, FLOAT, cAt + row * p.cRow, columns);
            }
            s += p.steps;
        } while (s < p.inner);
    }

    private static void gather(MemorySegment from, long at, long stride, float[] to, int n) {
        if (stride == Float.BYTES) {
            MemorySegment.copy(from, FLOAT, at, to, 0, n);
            return;
        }
        for (int i = 0; i < n; i++) {
            to[i] = from.get(FLOAT, at + i * stride);
        }
    }

    private static void clear(float[] sums, int n) {
        for (int i = 0; i < n; i++) {
            sums[i] = 0;
        }
    }

    private static void addMultiple(float[] sums, float factor, float[] row, int n) {
        for (int i = 0; i < n; i++) {
            sums[i] = Math.fma(factor, row[i], sums[i]);
        }
    }

    // ---- the same in double ----

    static void blockF64(Product p, MemorySegment a, MemorySegment b, MemorySegment c, long block) {
        int rows = p.rowsFrom(p.row(block));
        int columns = p.columnsFrom(p.column(block));
        long aAt = p.a(p.matrix(block)) + p.row(block) * p.aRow;
        long bAt = p.b(p.matrix(block)) + p.column(block) * p.bColumn;
        long cAt = p.c(p.matrix(block)) + p.row(block) * p.cRow + p.column(block) * p.bytes;
        Doubles own = DOUBLES.get();
        if (own.sums.length < columns) {
            own.sums = new double[columns];
            own.before = new double[columns];
            own.panel = new double[Product.STEPS][columns];
        }
        double[] sums = own.sums;
        long s = 0;
        do {
            int steps = (int) Math.min(p.steps, p.inner - s);
            for (int step = 0; step < steps; step++) {
                gather(b, bAt + (s + step) * p.bInner, p.bColumn, own.panel[step], columns);
            }
            for (int row = 0; row < rows; row++) {
                clear(sums, columns);
                for (int step = 0; step < steps; step++) {
                    addMultiple(sums, a.get(DOUBLE, aAt + row * p.aRow + (s + step) * p.aInner), own.panel[step], columns);
                }
                if (s > 0) {
                    gather(c, cAt + row * p.cRow, p.bytes, own.before, columns);
                    addMultiple(sums, 1, own.before, columns);
                }
                MemorySegment.copy(sums, 0, c, DOUBLE, cAt + row * p.cRow, columns);
            }
            s += p.steps;
        } while (s < p.inner);
    }

    private static void gather(MemorySegment from, long at, long stride, double[] to, int n) {
        if (stride == Double.BYTES) {
            MemorySegment.copy(from, DOUBLE, at, to, 0, n);
            return;
        }
        for (int i = 0; i < n; i++) {
            to[i] = from.get(DOUBLE, at + i * stride);
        }
    }

    private static void clear(double[] sums, int n) {
        for (int i = 0; i < n; i++) {
            sums[i] = 0;
        }
    }

    private static void addMultiple(double[] sums, double factor, double[] row, int n) {
        for (int i = 0; i < n; i++) {
            sums[i] = Math.fma(factor, row[i], sums[i]);
        }
    }
}
