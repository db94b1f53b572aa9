package dev.gatun.engine.algebra;

import dev.gatun.engine.Warmup;
import dev.gatun.engine.lanes.Lanes;
import dev.gatun.engine.lanes.Tile;
import dev.gatun.engine.lanes.Tiles;
import dev.gatun.engine.lanes.Transposer;
import dev.gatun.engine.lanes.Transposers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Blocks of matrix products from packed copies: a block of {@code a}, a few panels of {@code b} as wide as a tile, and
 * tiles that never leave the registers. Packing takes any strides, so transposed inputs cost nothing more.
 *
 * <p>Goto and van de Geijn, Anatomy of high-performance matrix multiplication (2008). Different from there: an item
 * packs for itself, which repeats a little work and spares threads from meeting.
 */
final class PackedProduct {

    /** Blocks of a product, whichever form computes them. */
    interface Form {

        /**
         * Computes one block of {@code c}.
         *
         * @param scratch {@link #scratchBytes} of the calling thread
         */
        void block(Product p, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment scratch, long block);
    }

    static final Warmup<Form> F32 = Warmup.of(
            "matmul f32", (p, a, b, c, scratch, block) -> PlainProduct.blockF32(p, a, b, c, block),
            () -> packed(true), form -> exercise(form, Practice.F32));
    static final Warmup<Form> F64 = Warmup.of(
            "matmul f64", (p, a, b, c, scratch, block) -> PlainProduct.blockF64(p, a, b, c, block),
            () -> packed(false), form -> exercise(form, Practice.F64));

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED;

    private PackedProduct() {}

    /** Scratch memory that a block needs. */
    static long scratchBytes(Product p) {
        return edgeAt(p) + (long) Tiles.TALL * Tiles.PANEL_BYTES;
    }

    /** Every kind of tile, edge and packing on little data. */
    private static void exercise(Form form, Practice on) {
        for (Product p : on.products) {
            form.block(p, on.a, on.b, on.c, on.scratch, 0);
        }
    }

    /** Scratch data of the warm-up, kept because a fast form may have to be made again. */
    private static final class Practice {

        static final Practice F32 = new Practice(Float.BYTES);
        static final Practice F64 = new Practice(Double.BYTES);

        final List<Product> products;
        final MemorySegment a;
        final MemorySegment b;
        final MemorySegment c;
        final MemorySegment scratch;

        Practice(int bytes) {
            int rows = Tiles.TALL + Tiles.LOW;
            int columns = Tiles.PANEL_BYTES / bytes + 3;
            int steps = 64;
            int inner = 2 * steps;
            products = List.of(
                    Product.of(bytes, steps, rows, columns, inner, false),
                    Product.of(bytes, steps, rows, columns, inner, true));
            Arena arena = Arena.ofAuto();
            a = arena.allocate((long) rows * inner * bytes, 64);
            b = arena.allocate((long) columns * inner * bytes, 64);
            c = arena.allocate((long) rows * columns * bytes, 64);
            scratch = arena.allocate(scratchBytes(products.getFirst()), 64);
        }
    }

    /** The fast form: tiles and transposer as constants of one lambda. */
    private static Form packed(boolean single) {
        Tile tall = Tiles.tile(single, Tiles.TALL);
        Tile low = Tiles.tile(single, Tiles.LOW);
        Transposer transposer = Transposers.transposer(single);
        return (p, a, b, c, scratch, block) -> block(p, a, b, c, scratch, block, tall, low, transposer);
    }

    private static long panelsAt(Product p) {
        return (long) (p.blockRows + Tiles.LOW) * Tiles.STEPS * p.bytes;
    }

    private static long edgeAt(Product p) {
        return panelsAt(p) + Fast.GROUP * Fast.PANEL_STRIDE;
    }

    private static void block(
            Product p, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment scratch, long block,
            Tile tall, Tile low, Transposer transposer) {
        int rows = p.rowsFrom(p.row(block));
        int columns = p.columnsFrom(p.column(block));
        long aAt = p.a(p.matrix(block)) + p.row(block) * p.aRow;
        long bAt = p.b(p.matrix(block)) + p.column(block) * p.bColumn;
        long cAt = p.c(p.matrix(block)) + p.row(block) * p.cRow + p.column(block) * p.bytes;
        long panels = panelsAt(p);
        long edge = edgeAt(p);
        int width = Tiles.PANEL_BYTES / p.bytes;
        long rowBytes = (long) Tiles.STEPS * p.bytes;

        if (p.inner == 0) {
            for (int row = 0; row < rows; row++) {
                c.asSlice(cAt + row * p.cRow, (long) columns * p.bytes).fill((byte) 0);
            }
        }
        for (long s = 0; s < p.inner; s += p.steps) {
            int steps = (int) Math.min(p.steps, p.inner - s);
            boolean adds = s > 0;
            packRows(a, aAt + s * p.aInner, p.aRow, p.aInner, rows, steps, scratch, rowBytes, p.bytes, transposer);
            for (int group = 0; group < columns; group += Fast.GROUP * width) {
                int groupColumns = Math.min(Fast.GROUP * width, columns - group);
                packPanels(
                        b, bAt + s * p.bInner + group * p.bColumn, p.bInner, p.bColumn, steps, groupColumns,
                        scratch, panels, p.bytes, transposer);
                for (int column = 0; column < groupColumns; column += width) {
                    int tileColumns = Math.min(width, groupColumns - column);
                    long panel = panels + column / width * Fast.PANEL_STRIDE;
                    int row = 0;
                    while (row < rows) {
                        boolean high = rows - row >= Tiles.TALL;
                        int tileRows = Math.min(high ? Tiles.TALL : Tiles.LOW, rows - row);
                        long at = cAt + row * p.cRow + (long) (group + column) * p.bytes;
                        if (tileColumns == width && (high || tileRows == Tiles.LOW)) {
                            (high ? tall : low).run(
                                    scratch, row * rowBytes, scratch, panel, c, at, p.cRow, steps, adds);
                        } else {
                            (high ? tall : low).run(
                                    scratch, row * rowBytes, scratch, panel, scratch, edge, Tiles.PANEL_BYTES, steps, false);
                            finish(scratch, edge, Tiles.PANEL_BYTES, tileRows, tileColumns, c, at, p.cRow, adds, p.bytes);
                        }
                        row += high ? Tiles.TALL : Tiles.LOW;
                    }
                }
            }
        }
    }

    /** Copies a block of sums to the result, or adds it. */
    static void finish(
            MemorySegment tile, long tileAt, long tileRow, int rows, int columns, MemorySegment c, long at, long cRow, boolean adds,
            int bytes) {
        for (int row = 0; row < rows; row++) {
            long from = tileAt + row * tileRow;
            long to = at + row * cRow;
            if (!adds) {
                MemorySegment.copy(tile, from, c, to, (long) columns * bytes);
            } else if (bytes == Float.BYTES) {
                for (int i = 0; i < columns; i++) {
                    c.set(FLOAT, to + i * 4L, tile.get(FLOAT, from + i * 4L) + c.get(FLOAT, to + i * 4L));
                }
            } else {
                for (int i = 0; i < columns; i++) {
                    c.set(DOUBLE, to + i * 8L, tile.get(DOUBLE, from + i * 8L) + c.get(DOUBLE, to + i * 8L));
                }
            }
        }
    }

    /** Copies rows of {@code a} to rows that are {@code rowBytes} apart, and zeros up to a whole low tile. */
    private static void packRows(
            MemorySegment a, long at, long aRow, long aInner, int rows, int steps, MemorySegment to, long rowBytes,
            int bytes, Transposer transposer) {
        if (aInner == bytes) {
            for (int row = 0; row < rows; row++) {
                MemorySegment.copy(a, at + row * aRow, to, row * rowBytes, (long) steps * bytes);
            }
        } else {
            transpose(a, at, aRow, aInner, rows, steps, to, 0, rowBytes, bytes, transposer);
        }
        int missing = -rows & Tiles.LOW - 1;
        if (missing > 0) {
            to.asSlice(rows * rowBytes, missing * rowBytes).fill((byte) 0);
        }
    }

    /** Copies columns of {@code b} to panels, and zeros up to a whole panel. */
    static void packPanels(
            MemorySegment b, long at, long bInner, long bColumn, int steps, int columns, MemorySegment to, long toAt,
            int bytes, Transposer transposer) {
        int width = Tiles.PANEL_BYTES / bytes;
        int whole = columns / width;
        int rest = columns % width;
        if (bColumn == bytes) {
            Fast.copyPanels(b, at, bInner, steps, whole, to, toAt);
            if (rest > 0) {
                Fast.copyPart(b, at + (long) whole * Tiles.PANEL_BYTES, bInner, steps, rest * bytes, to, toAt + whole * Fast.PANEL_STRIDE);
            }
            return;
        }
        for (int panel = 0; panel < columns; panel += width) {
            long panelAt = toAt + panel / width * Fast.PANEL_STRIDE;
            int panelColumns = Math.min(width, columns - panel);
            if (panelColumns < width) {
                to.asSlice(panelAt, (long) steps * Tiles.PANEL_BYTES).fill((byte) 0);
            }
            // A panel's column is contiguous in b, so seen as rows of b transposed this is the same turn as for a.
            transpose(b, at + panel * bColumn, bInner, bColumn, steps, panelColumns, to, panelAt, Tiles.PANEL_BYTES, bytes, transposer);
        }
    }

    /**
     * Copies {@code rows x columns} elements that lie {@code rowStride} and {@code columnStride} apart to rows without
     * gaps. Where the rows are neighbours, whole squares go through registers, the rest one by one.
     */
    private static void transpose(
            MemorySegment from, long at, long rowStride, long columnStride, int rows, int columns, MemorySegment to,
            long toAt, long toRow, int bytes, Transposer transposer) {
        int side = Tiles.PANEL_BYTES / Tiles.VECTORS / bytes;
        int wholeRows = rowStride == bytes ? rows - rows % side : 0;
        int wholeColumns = rowStride == bytes ? columns - columns % side : 0;
        for (int column = 0; column < wholeColumns; column += side) {
            transposer.run(
                    from, at + column * columnStride, columnStride, (long) side * bytes,
                    to, toAt + (long) column * bytes, toRow, side * toRow, wholeRows / side);
        }
        copy(from, at, rowStride, columnStride, 0, wholeRows, wholeColumns, columns, to, toAt, toRow, bytes);
        copy(from, at, rowStride, columnStride, wholeRows, rows, 0, columns, to, toAt, toRow, bytes);
    }

    /** Copies part of a block with any strides to rows without gaps. */
    static void copy(
            MemorySegment from, long at, long rowStride, long columnStride, int row, int rowEnd, int column,
            int columnEnd, MemorySegment to, long toAt, long toRow, int bytes) {
        for (int r = row; r < rowEnd; r++) {
            long source = at + r * rowStride;
            long target = toAt + r * toRow;
            if (bytes == Float.BYTES) {
                for (int c = column; c < columnEnd; c++) {
                    to.set(FLOAT, target + c * 4L, from.get(FLOAT, source + c * columnStride));
                }
            } else {
                for (int c = column; c < columnEnd; c++) {
                    to.set(DOUBLE, target + c * 8L, from.get(DOUBLE, source + c * columnStride));
                }
            }
        }
    }

    /** Vector loops, and what is known only where there are vectors. */
    private static final class Fast {

        /** Panels of {@code b} that are packed together: a row of them is long enough to be fetched ahead. */
        static final int GROUP = 8;
        /** Panels are a little further apart than they are large, or their rows would compete for the same cache sets. */
        static final long PANEL_STRIDE = (long) Tiles.STEPS * Tiles.PANEL_BYTES + 128;

        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final int VECTOR = S.vectorByteSize();

        static void copyPanels(
                MemorySegment b, long at, long bInner, int steps, int panels, MemorySegment to, long toAt) {
            for (int step = 0; step < steps; step++) {
                MemorySegment row = b.asSlice(at + step * bInner, (long) panels * Tiles.PANEL_BYTES);
                long store = toAt + (long) step * Tiles.PANEL_BYTES;
                for (int panel = 0; panel < panels; panel++) {
                    long load = (long) panel * Tiles.PANEL_BYTES;
                    FloatVector left = FloatVector.fromMemorySegment(S, row, load, NATIVE);
                    FloatVector right = FloatVector.fromMemorySegment(S, row, load + VECTOR, NATIVE);
                    left.intoMemorySegment(to, store, NATIVE);
                    right.intoMemorySegment(to, store + VECTOR, NATIVE);
                    store += PANEL_STRIDE;
                }
            }
        }

        static void copyPart(
                MemorySegment b, long at, long bInner, int steps, int partBytes, MemorySegment to, long toAt) {
            VectorMask<Float> leftPart = S.indexInRange(0, partBytes / Float.BYTES);
            VectorMask<Float> rightPart = S.indexInRange(S.length(), partBytes / Float.BYTES);
            for (int step = 0; step < steps; step++) {
                long load = at + step * bInner;
                long store = toAt + (long) step * Tiles.PANEL_BYTES;
                FloatVector left = FloatVector.fromMemorySegment(S, b, load, NATIVE, leftPart);
                FloatVector right = FloatVector.fromMemorySegment(S, b, load + VECTOR, NATIVE, rightPart);
                left.intoMemorySegment(to, store, NATIVE);
                right.intoMemorySegment(to, store + VECTOR, NATIVE);
            }
        }
    }
}
