package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MatrixSteps.F;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.ops.sequence.MemoryDesk.Block;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** {@link MemoryScan} and its gradient in F32, one (batch, head) an item, whose weights stay on the desk from chunk to chunk. */
final class MemoryScanTiles {

    private MemoryScanTiles() {}

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(MemoryScanTiles::items, (a, from, to) -> forward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 1)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(MemoryScanTiles::items, (a, from, to) -> forward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 20)));
    }

    static List<Kernel> backward() {
        return List.of(
                Kernel.vector(MemoryScanTiles::items, (a, from, to) -> backward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 3)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(MemoryScanTiles::items, (a, from, to) -> backward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 60)));
    }

    private static long items(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1);
    }

    private static double nanos(Args a, double times) {
        return 1000 + times * a.shape(0).dim(2) * a.shape(0).last() * a.shape(2).last();
    }

    /** What gates make of a chunk: rows of shares of S and of W, each set behind the row that it starts from. */
    private static final class Shares {
        final MemorySweep c;
        final Block steps;
        final Block rows;
        final Block dsteps;
        final Block drows;
        final int n;

        Shares(MemorySweep c) {
            this.c = c;
            this.n = c.keys;
            this.steps = c.desk.block(n + 1, n + 1);
            this.rows = c.desk.block(n + 1, n + 2);
            this.dsteps = c.desk.block(1, n + 1);
            this.drows = c.desk.block(1, n + 2);
        }

        /** Lays down a chunk's tokens and shares. */
        void load(Args a, long token) {
            MemoryDesk desk = c.desk;
            desk.load(a.in(0), token * c.queryRows.width(), c.queryRows.width(), c.queryRows);
            desk.turn(c.queryRows, c.r[0]);
            desk.load(a.in(1), token * c.xTurned[0].width(), c.xTurned[0].width(), c.xTurned[0]);
            desk.turn(c.xTurned[0], c.x[0]);
            desk.load(a.in(2), token * c.valueRows.width(), c.valueRows.width(), c.valueRows);
            desk.turn(c.valueRows, c.values);
            MemorySegment s = desk.s;
            for (Block block : new Block[] {steps, rows, c.g, c.f, c.beta, c.gEnd, c.m}) {
                desk.clear(block);
            }
            steps.set(s, 0, n, 1);
            rows.set(s, 0, n + 1, 1);
            for (int t = 0; t < n; t++) {
                long at = (token + t) * 4;
                float retain = a.in(3).get(F, at);
                float momentum = a.in(4).get(F, at);
                for (int j = 0; j <= n; j++) {
                    float step = momentum * steps.get(s, t, j);
                    step = j == t ? step + a.in(5).get(F, at) : step;
                    steps.set(s, t + 1, j, step);
                    rows.set(s, t + 1, j, Math.fma(retain, rows.get(s, t, j), step));
                }
                rows.set(s, t + 1, n + 1, retain * rows.get(s, t, n + 1));
                for (int j = 0; j < n; j++) {
                    c.g.set(s, t, j, rows.get(s, t + 1, j));
                }
                c.f.set(s, 0, t, rows.get(s, t + 1, n));
                c.beta.set(s, 0, t, rows.get(s, t + 1, n + 1));
            }
            desk.turn(c.g, c.gTurned);
            for (int j = 0; j < n; j++) {
                c.gEnd.set(s, 0, j, rows.get(s, n, j));
                c.m.set(s, 0, j, steps.get(s, n, j));
            }
            c.nu = steps.get(s, n, n);
        }

        /** Gradients of the gates from those of the shares, from the last token to the first. */
        void back(MemorySweep.Slopes d, Args a, long token) {
            MemorySegment s = c.desk.s;
            c.desk.clear(dsteps);
            c.desk.clear(drows);
            for (int t = n - 1; t >= 0; t--) {
                boolean end = t == n - 1;
                long at = (token + t) * 4;
                float retain = 0;
                float momentum = 0;
                for (int j = 0; j <= n + 1; j++) {
                    float dg = j < n ? d.dgTurned.get(s, j, t) - (end ? d.dgEnd.get(s, 0, j) : 0)
                            : j == n ? d.df.get(s, 0, t) + (end ? d.dfEnd : 0) : d.dbeta.get(s, 0, t) + (end ? d.dbetaEnd : 0);
                    float row = drows.get(s, 0, j) + dg;
                    retain = Math.fma(row, rows.get(s, t, j), retain);
                    drows.set(s, 0, j, row * a.in(3).get(F, at));
                    if (j <= n) {
                        float step = dsteps.get(s, 0, j) + row;
                        step += !end ? 0 : j < n ? -d.dm.get(s, 0, j) : d.dnu;
                        momentum = Math.fma(step, steps.get(s, t, j), momentum);
                        dsteps.set(s, 0, j, step * a.in(4).get(F, at));
                        if (j == t) {
                            a.out(5).set(F, at, step);
                        }
                    }
                }
                a.out(3).set(F, at, retain);
                a.out(4).set(F, at, momentum);
            }
        }
    }

    static void forward(Args a, long from, long to, MatrixSteps steps) {
        MemoryScan op = a.op(MemoryScan.class);
        int chunk = (int) op.chunk();
        MemorySweep c = new MemorySweep(a, MemoryScan.WEIGHTS, op.each(), chunk, chunk, steps);
        MemoryDesk desk = c.desk;
        Shares shares = new Shares(c);
        Block y = desk.block(chunk, (int) a.shape(2).last());
        desk.s = a.scratch(desk.bytes());
        long chunks = a.shape(0).dim(2) / chunk;
        for (long item = from; item < to; item++) {
            for (int i = 0; i < c.layers; i++) {
                desk.load(a.in(MemoryScan.WEIGHTS + i), item, c.w[i]);
                desk.load(a.in(MemoryScan.WEIGHTS + c.layers + i), item, c.s[i]);
            }
            for (long n = item * chunks; n < (item + 1) * chunks; n++) {
                if (op.traced()) {
                    border(c, a.out(1 + 2 * c.layers), n, false);
                }
                shares.load(a, n * chunk);
                c.keys();
                c.queries();
                c.outputs(y);
                desk.store(y, a.out(0), n);
                c.write();
            }
            for (int i = 0; i < c.layers; i++) {
                desk.store(c.w[i], a.out(1 + i), item);
                desk.store(c.s[i], a.out(1 + c.layers + i), item);
            }
        }
    }

    /** W and S to or from their place among those before each chunk. */
    private static void border(MemorySweep c, MemorySegment borders, long chunk, boolean loads) {
        long at = chunk * 2 * numbers(c);
        for (Block[] kind : new Block[][] {c.w, c.s}) {
            for (Block block : kind) {
                if (loads) {
                    c.desk.load(borders, at, block.width(), block);
                } else {
                    c.desk.storeAt(block, borders, at);
                }
                at += (long) block.height() * block.width();
            }
        }
    }

    private static long numbers(MemorySweep c) {
        long numbers = 0;
        for (Block block : c.w) {
            numbers += (long) block.height() * block.width();
        }
        return numbers;
    }

    static void backward(Args a, long from, long to, MatrixSteps steps) {
        MemoryScan op = a.op(MemoryScanGrad.class).of();
        int chunk = (int) op.chunk();
        MemorySweep.Slopes c = new MemorySweep.Slopes(a, MemoryScanGrad.BORDERS + 2, op.each(), chunk, chunk, steps);
        MemoryDesk desk = c.desk;
        Shares shares = new Shares(c);
        desk.s = a.scratch(desk.bytes());
        long chunks = a.shape(0).dim(2) / chunk;
        int first = MemoryScanGrad.BORDERS + 2;
        MemorySegment more = a.inputs() > first + 2 * c.layers ? a.in(first + 2 * c.layers) : null;
        for (long item = from; item < to; item++) {
            for (int i = 0; i < c.layers; i++) {
                desk.load(a.in(first + i), item, c.gw[i]);
                desk.load(a.in(first + c.layers + i), item, c.gs[i]);
            }
            for (long n = (item + 1) * chunks - 1; n >= item * chunks; n--) {
                border(c, a.in(MemoryScanGrad.BORDERS), n, true);
                shares.load(a, n * chunk);
                c.keys();
                c.queries();
                desk.load(a.in(first - 1), n, c.yRows);
                c.back();
                desk.store(c.queryRows(), a.out(0), n);
                desk.store(c.keyRows(), a.out(1), n);
                desk.store(c.valueRows(), a.out(2), n);
                shares.back(c, a, n * chunk);
                c.step();
                if (more != null) {
                    addBorder(c, more, n);
                }
            }
            for (int i = 0; i < c.layers; i++) {
                desk.store(c.gw[i], a.out(MemoryScan.WEIGHTS + i), item);
                desk.store(c.gs[i], a.out(MemoryScan.WEIGHTS + c.layers + i), item);
            }
        }
    }

    /** What flowed to the weights before a chunk besides. */
    private static void addBorder(MemorySweep.Slopes c, MemorySegment more, long chunk) {
        long at = chunk * 2 * numbers(c);
        for (Block[] kind : new Block[][] {c.gw, c.gs}) {
            for (Block block : kind) {
                for (int i = 0; i < block.height(); i++) {
                    c.desk.steps.rows().add(more, (at + (long) i * block.width()) * 4, c.desk.s, block.at() + i * block.row(), block.width());
                }
                at += (long) block.height() * block.width();
            }
        }
    }
}
