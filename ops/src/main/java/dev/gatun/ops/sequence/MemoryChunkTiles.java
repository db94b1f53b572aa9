package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MatrixSteps.F;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.ops.sequence.MemoryDesk.Block;
import java.util.List;

/** {@link MemoryChunk} and its gradient in F32, one (batch, head) an item. */
final class MemoryChunkTiles {

    private MemoryChunkTiles() {}

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(MemoryChunkTiles::items, (a, from, to) -> forward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 1)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(MemoryChunkTiles::items, (a, from, to) -> forward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 20)));
    }

    static List<Kernel> backward() {
        return List.of(
                Kernel.vector(MemoryChunkTiles::items, (a, from, to) -> backward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 3)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(MemoryChunkTiles::items, (a, from, to) -> backward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 60)));
    }

    private static long items(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1);
    }

    private static double nanos(Args a, double times) {
        double numbers = 0;
        for (int i = MemoryChunk.WEIGHTS; i < a.inputs(); i++) {
            numbers += a.shape(i).dim(2) * a.shape(i).last();
        }
        return 1000 + times * numbers * a.shape(1).dim(2) * 10 / 100;
    }

    private static int keys(Args a) {
        return (int) a.shape(1).dim(2);
    }

    private static int queries(Args a) {
        return (int) a.shape(0).dim(2);
    }

    /** Lays down one item. */
    private static void load(Args a, MemorySweep c, long item) {
        MemoryDesk desk = c.desk;
        for (int i = 0; i < c.layers; i++) {
            desk.load(a.in(MemoryChunk.WEIGHTS + i), item, c.w[i]);
            desk.load(a.in(MemoryChunk.WEIGHTS + c.layers + i), item, c.s[i]);
        }
        desk.load(a.in(0), item, c.queryRows);
        desk.turn(c.queryRows, c.r[0]);
        desk.load(a.in(1), item, c.xTurned[0]);
        desk.turn(c.xTurned[0], c.x[0]);
        desk.load(a.in(2), item, c.valueRows);
        desk.turn(c.valueRows, c.values);
        int keys = c.keys;
        long shares = item * c.queries * (keys + 2L);
        desk.load(a.in(3), shares, keys + 2, c.g);
        desk.turn(c.g, c.gTurned);
        desk.clear(c.f);
        desk.clear(c.beta);
        for (int t = 0; t < c.queries; t++) {
            c.f.set(desk.s, 0, t, a.in(3).get(F, (shares + t * (keys + 2L) + keys) * 4));
            c.beta.set(desk.s, 0, t, a.in(3).get(F, (shares + t * (keys + 2L) + keys + 1) * 4));
        }
        desk.load(a.in(3), shares + (c.queries - 1) * (keys + 2L), keys + 2, c.gEnd);
        desk.load(a.in(4), item * (keys + 1L), keys + 1, c.m);
        c.nu = a.in(4).get(F, (item * (keys + 1L) + keys) * 4);
    }

    static void forward(Args a, long from, long to, MatrixSteps steps) {
        MemorySweep c = new MemorySweep(a, MemoryChunk.WEIGHTS, a.op(MemoryChunk.class), keys(a), queries(a), steps);
        MemoryDesk desk = c.desk;
        Block y = desk.block(c.queries, (int) a.shape(2).last());
        desk.s = a.scratch(desk.bytes());
        for (long item = from; item < to; item++) {
            load(a, c, item);
            c.keys();
            c.queries();
            c.outputs(y);
            desk.store(y, a.out(0), item);
            c.write();
            for (int i = 0; i < c.layers; i++) {
                desk.store(c.w[i], a.out(1 + i), item);
                desk.store(c.s[i], a.out(1 + c.layers + i), item);
            }
        }
    }

    static void backward(Args a, long from, long to, MatrixSteps steps) {
        MemoryChunk op = a.op(MemoryChunkGrad.class).of();
        MemorySweep.Slopes c = new MemorySweep.Slopes(a, MemoryChunk.WEIGHTS, op, keys(a), queries(a), steps);
        MemoryDesk desk = c.desk;
        desk.s = a.scratch(desk.bytes());
        int first = MemoryChunk.WEIGHTS + 2 * c.layers;
        for (long item = from; item < to; item++) {
            load(a, c, item);
            c.keys();
            c.queries();
            desk.load(a.in(first), item, c.yRows);
            for (int i = 0; i < c.layers; i++) {
                desk.load(a.in(first + 1 + i), item, c.gw[i]);
                desk.load(a.in(first + 1 + c.layers + i), item, c.gs[i]);
            }
            c.back();
            desk.store(c.queryRows(), a.out(0), item);
            desk.store(c.keyRows(), a.out(1), item);
            desk.store(c.valueRows(), a.out(2), item);
            shares(a, c, item);
            for (int i = 0; i < c.layers; i++) {
                desk.store(c.dw[i], a.out(MemoryChunk.WEIGHTS + i), item);
                desk.store(c.ds[i], a.out(MemoryChunk.WEIGHTS + c.layers + i), item);
            }
        }
    }

    private static void shares(Args a, MemorySweep.Slopes c, long item) {
        MemoryDesk desk = c.desk;
        int keys = c.keys;
        for (int t = 0; t < c.queries; t++) {
            boolean end = t == c.queries - 1;
            long row = (item * c.queries + t) * (keys + 2L) * 4;
            for (int j = 0; j < keys; j++) {
                float dg = c.dgTurned.get(desk.s, j, t);
                a.out(3).set(F, row + j * 4L, end ? dg - c.dgEnd.get(desk.s, 0, j) : dg);
            }
            a.out(3).set(F, row + keys * 4L, c.df.get(desk.s, 0, t) + (end ? c.dfEnd : 0));
            a.out(3).set(F, row + keys * 4L + 4, c.dbeta.get(desk.s, 0, t) + (end ? c.dbetaEnd : 0));
        }
        long row = item * (keys + 1L) * 4;
        for (int j = 0; j < keys; j++) {
            a.out(4).set(F, row + j * 4L, -c.dm.get(desk.s, 0, j));
        }
        a.out(4).set(F, row + keys * 4L, c.dnu);
    }
}
