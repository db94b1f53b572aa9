package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Warmup;
import dev.gatun.engine.lanes.RowAdder;
import dev.gatun.engine.lanes.Tile;
import dev.gatun.engine.lanes.Tiles;
import dev.gatun.engine.lanes.Transposer;
import dev.gatun.engine.lanes.Transposers;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Products of a few rows with a large matrix, as in decoding: time is what it takes to read {@code b} once, so it is
 * read in long streams: rows as they lie, columns through a panel that never leaves the first
 * cache. The sums are those of {@link PackedProduct}, bit for bit.
 */
final class FewRowsProduct {

    /** More rows than that are worth packing for. */
    private static final int MOST = 8;
    /** Rows of {@code b} that are read side by side. */
    private static final int STREAMS = 8;
    /** Sums of {@link Product#STEPS} steps that a column is followed through before the next columns. */
    private static final int SLABS = 16;

    static final Warmup<PackedProduct.Form> F32 = Warmup.of(
            "matmul f32, few rows", (p, a, b, c, scratch, block) -> PlainProduct.blockF32(p, a, b, c, block),
            () -> form(true), form -> exercise(form, Practice.F32));
    static final Warmup<PackedProduct.Form> F64 = Warmup.of(
            "matmul f64, few rows", (p, a, b, c, scratch, block) -> PlainProduct.blockF64(p, a, b, c, block),
            () -> form(false), form -> exercise(form, Practice.F64));

    private FewRowsProduct() {}

    /** Whether this is the way to go: few rows meet a {@code b} that lies by rows or by columns. */
    static boolean takes(Args a) {
        Product p = Product.of(a);
        return p.rows <= MOST && p.inner > 0 && (p.bColumn == p.bytes || p.bInner == p.bytes);
    }

    private static PackedProduct.Form form(boolean single) {
        RowAdder two = Tiles.adder(single, 2, STREAMS);
        RowAdder one = Tiles.adder(single, 1, STREAMS);
        RowAdder step = Tiles.adder(single, 1, 1);
        Tile low = Tiles.tile(single, Tiles.LOW);
        Transposer transposer = Transposers.transposer(single);
        return (p, a, b, c, scratch, block) -> {
            if (p.bColumn == p.bytes) {
                byRows(p, a, b, c, scratch, block, two, one, step);
            } else {
                byColumns(p, a, b, c, scratch, block, low, transposer);
            }
        };
    }

    // Scratch memory: the factors from a, in slabs of a sum's steps; one panel of b; the sums.

    private static long factorRow(Product p) {
        return (long) Tiles.STEPS * p.bytes;
    }

    private static long slab(Product p) {
        return MOST * factorRow(p);
    }

    private static long panelAt(Product p) {
        return SLABS * slab(p);
    }

    private static long sumsAt(Product p) {
        return panelAt(p) + (long) Tiles.STEPS * Tiles.PANEL_BYTES;
    }

    /** Scratch memory that a block needs. */
    static long scratchBytes(Product p) {
        return sumsAt(p) + MOST * Math.max((long) p.blockColumns * p.bytes, Tiles.PANEL_BYTES);
    }

    /** Rows of sums stay in the first cache while a few rows of b stream by. */
    private static void byRows(
            Product p, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment scratch, long block,
            RowAdder two, RowAdder one, RowAdder single) {
        int rows = p.rowsFrom(p.row(block));
        int columns = p.columnsFrom(p.column(block));
        long bAt = p.b(p.matrix(block)) + p.column(block) * p.bytes;
        long cAt = p.c(p.matrix(block)) + p.row(block) * p.cRow + p.column(block) * p.bytes;
        long sums = sumsAt(p);
        long sumsRow = (long) p.blockColumns * p.bytes;
        for (long s = 0; s < p.inner; s += p.steps) {
            int steps = (int) Math.min(p.steps, p.inner - s);
            gather(p, a, block, s, rows, steps, scratch, 0);
            scratch.asSlice(sums, rows * sumsRow).fill((byte) 0);
            int step = 0;
            while (step < steps) {
                boolean many = steps - step >= STREAMS;
                int row = 0;
                while (row < rows) {
                    boolean pair = many && rows - row >= 2;
                    (pair ? two : many ? one : single).run(
                            scratch, row * factorRow(p) + (long) step * p.bytes, factorRow(p),
                            b, bAt + (s + step) * p.bInner, p.bInner,
                            scratch, sums + row * sumsRow, sumsRow, columns);
                    row += pair ? 2 : 1;
                }
                step += many ? STREAMS : 1;
            }
            PackedProduct.finish(scratch, sums, sumsRow, rows, columns, c, cAt, p.cRow, s > 0, p.bytes);
        }
    }

    /** A panel's columns stream by at once, for many steps before the next ones follow. */
    private static void byColumns(
            Product p, MemorySegment a, MemorySegment b, MemorySegment c, MemorySegment scratch, long block,
            Tile low, Transposer transposer) {
        int rows = p.rowsFrom(p.row(block));
        int columns = p.columnsFrom(p.column(block));
        int width = Tiles.PANEL_BYTES / p.bytes;
        long bAt = p.b(p.matrix(block)) + p.column(block) * p.bColumn;
        long cAt = p.c(p.matrix(block)) + p.row(block) * p.cRow + p.column(block) * p.bytes;
        long panel = panelAt(p);
        long sums = sumsAt(p);
        for (long first = 0; first < p.inner; first += SLABS * p.steps) {
            long end = Math.min(p.inner, first + SLABS * p.steps);
            for (long s = first; s < end; s += p.steps) {
                gather(p, a, block, s, rows, (int) Math.min(p.steps, end - s), scratch, (s - first) / p.steps * slab(p));
            }
            for (int column = 0; column < columns; column += width) {
                int panelColumns = Math.min(width, columns - column);
                for (long s = first; s < end; s += p.steps) {
                    int steps = (int) Math.min(p.steps, end - s);
                    PackedProduct.packPanels(
                            b, bAt + s * p.bInner + column * p.bColumn, p.bInner, p.bColumn, steps, panelColumns,
                            scratch, panel, p.bytes, transposer);
                    for (int row = 0; row < rows; row += Tiles.LOW) {
                        long factors = (s - first) / p.steps * slab(p) + row * factorRow(p);
                        low.run(scratch, factors, scratch, panel, scratch, sums, Tiles.PANEL_BYTES, steps, false);
                        PackedProduct.finish(
                                scratch, sums, Tiles.PANEL_BYTES, Math.min(Tiles.LOW, rows - row), panelColumns,
                                c, cAt + row * p.cRow + (long) column * p.bytes, p.cRow, s > 0, p.bytes);
                    }
                }
            }
        }
    }

    /** Copies the factors of some steps; rows up to the most become zero. */
    private static void gather(
            Product p, MemorySegment a, long block, long s, int rows, int steps, MemorySegment to, long toAt) {
        long at = p.a(p.matrix(block)) + p.row(block) * p.aRow + s * p.aInner;
        for (int row = 0; row < MOST; row++) {
            if (row >= rows) {
                to.asSlice(toAt + row * factorRow(p), factorRow(p)).fill((byte) 0);
            } else if (p.aInner == p.bytes) {
                MemorySegment.copy(a, at + row * p.aRow, to, toAt + row * factorRow(p), (long) steps * p.bytes);
            } else {
                PackedProduct.copy(
                        a, at, p.aRow, p.aInner, row, row + 1, 0, steps, to, toAt, factorRow(p), p.bytes);
            }
        }
    }

    /** Both directions, whole squares and rests. */
    private static void exercise(PackedProduct.Form form, Practice on) {
        for (Product p : on.products) {
            form.block(p, on.a, on.b, on.c, on.scratch, 0);
        }
    }

    /** Scratch data of the warm-up. */
    private static final class Practice {

        static final Practice F32 = new Practice(Float.BYTES);
        static final Practice F64 = new Practice(Double.BYTES);

        final List<Product> products;
        final MemorySegment a;
        final MemorySegment b;
        final MemorySegment c;
        final MemorySegment scratch;

        Practice(int bytes) {
            int steps = 64;
            int inner = 2 * steps + 1;
            int columns = 4 * Tiles.PANEL_BYTES / bytes + 1;
            products = List.of(
                    Product.of(bytes, steps, 3, columns, inner, false),
                    Product.of(bytes, steps, 3, columns, inner, true));
            Arena arena = Arena.ofAuto();
            a = arena.allocate(3L * inner * bytes, 64);
            b = arena.allocate((long) columns * inner * bytes, 64);
            c = arena.allocate(3L * columns * bytes, 64);
            scratch = arena.allocate(scratchBytes(products.getFirst()), 64);
        }
    }
}
