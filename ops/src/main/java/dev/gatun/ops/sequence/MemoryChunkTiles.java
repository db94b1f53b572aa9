package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MatrixSteps.F;
import static dev.gatun.ops.sequence.MemoryDesk.BEND;
import static dev.gatun.ops.sequence.MemoryDesk.BLEND;
import static dev.gatun.ops.sequence.MemoryDesk.ERROR;
import static dev.gatun.ops.sequence.MemoryDesk.GELU;
import static dev.gatun.ops.sequence.MemoryDesk.MIX;
import static dev.gatun.ops.sequence.MemoryDesk.PLUS;
import static dev.gatun.ops.sequence.MemoryDesk.RESIDUAL_ERROR;
import static dev.gatun.ops.sequence.MemoryDesk.SCALED;
import static dev.gatun.ops.sequence.MemoryDesk.SLOPE;
import static dev.gatun.ops.sequence.MemoryDesk.TIMES;
import static dev.gatun.ops.sequence.MemoryDesk.TIMES_PLUS;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.ops.sequence.MemoryDesk.Block;
import java.util.List;

/** {@link MemoryChunk} and its gradient in F32, one (batch, head) an item, in the notation of their Javadoc. */
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

    /** Everything both sweeps know: inputs, the network on the keys, the reads. */
    private static final class Chunk {
        final MemoryDesk desk;
        final Args a;
        final MemoryChunk op;
        final int layers;
        final Block[] w;
        final Block[] s;
        final Block[] x;
        final Block[] xTurned;
        final Block[] z;
        final Block[] delta;
        final Block[] p;
        final Block[] r;
        final Block[] read;
        final Block[] products;
        final Block values;
        final Block valueRows;
        final Block queryRows;
        final Block g;
        final Block gTurned;
        final Block f;
        final Block beta;
        final Block gEnd;
        final Block m;
        final Block masked;
        final Block[] readByBeta;
        final Block[] readByF;

        Chunk(Args a, MemoryChunk op, MatrixSteps steps) {
            this.desk = new MemoryDesk(steps);
            this.a = a;
            this.op = op;
            this.layers = op.layers();
            int keys = (int) a.shape(1).dim(2);
            int queries = (int) a.shape(0).dim(2);
            w = new Block[layers];
            s = new Block[layers];
            x = new Block[layers];
            xTurned = new Block[layers];
            z = new Block[layers];
            delta = new Block[layers];
            p = new Block[layers];
            r = new Block[layers];
            read = new Block[layers];
            products = new Block[layers];
            readByBeta = new Block[layers];
            readByF = new Block[layers];
            for (int i = 0; i < layers; i++) {
                int out = (int) a.shape(MemoryChunk.WEIGHTS + i).dim(2);
                int in = (int) a.shape(MemoryChunk.WEIGHTS + i).last();
                w[i] = desk.block(out, in);
                s[i] = desk.block(out, in);
                x[i] = desk.block(in, keys);
                xTurned[i] = desk.block(keys, in);
                z[i] = desk.block(out, keys);
                delta[i] = desk.block(out, keys);
                p[i] = desk.block(out, keys);
                r[i] = desk.block(in, queries);
                read[i] = desk.block(out, queries);
                products[i] = desk.block(keys, queries);
                readByBeta[i] = desk.block(in, queries);
                readByF[i] = desk.block(in, queries);
            }
            int size = (int) a.shape(2).last();
            values = desk.block(size, keys);
            valueRows = desk.block(keys, size);
            queryRows = desk.block(queries, (int) a.shape(0).last());
            g = desk.block(queries, keys);
            gTurned = desk.block(keys, queries);
            f = desk.block(1, queries);
            beta = desk.block(1, queries);
            gEnd = desk.block(1, keys);
            m = desk.block(1, keys);
            masked = desk.block(keys, queries);
        }

        float betaEnd() {
            return beta.get(desk.s, 0, beta.width() - 1);
        }

        float fEnd() {
            return f.get(desk.s, 0, f.width() - 1);
        }

        float nu(long item) {
            return a.in(4).get(F, (item * (m.width() + 1) + m.width()) * 4L);
        }

        void load(long item) {
            int keys = m.width();
            int queries = beta.width();
            for (int i = 0; i < layers; i++) {
                desk.load(a.in(MemoryChunk.WEIGHTS + i), item, w[i]);
                desk.load(a.in(MemoryChunk.WEIGHTS + layers + i), item, s[i]);
            }
            desk.load(a.in(0), item, queryRows);
            desk.turn(queryRows, r[0]);
            desk.load(a.in(1), item, xTurned[0]);
            desk.turn(xTurned[0], x[0]);
            desk.load(a.in(2), item, valueRows);
            desk.turn(valueRows, values);
            long shares = item * queries * (keys + 2L);
            desk.load(a.in(3), shares, keys + 2, g);
            desk.turn(g, gTurned);
            desk.clear(f);
            desk.clear(beta);
            for (int t = 0; t < queries; t++) {
                f.set(desk.s, 0, t, a.in(3).get(F, (shares + t * (keys + 2L) + keys) * 4));
                beta.set(desk.s, 0, t, a.in(3).get(F, (shares + t * (keys + 2L) + keys + 1) * 4));
            }
            desk.load(a.in(3), shares + (queries - 1) * (keys + 2L), keys + 2, gEnd);
            desk.load(a.in(4), item * (keys + 1L), keys + 1, m);
        }

        /** The network on the keys, and its gradients. */
        void keys() {
            for (int i = 0; i < layers; i++) {
                desk.product(w[i], x[i], z[i], 1, false);
                if (i < layers - 1) {
                    desk.run(GELU, z[i], x[i + 1]);
                    desk.turn(x[i + 1], xTurned[i + 1]);
                }
            }
            int top = layers - 1;
            if (op.residual()) {
                desk.run(RESIDUAL_ERROR, z[top], values, x[0], delta[top]);
            } else {
                desk.run(ERROR, z[top], values, delta[top]);
            }
            for (int i = top; i > 0; i--) {
                desk.turnedProduct(w[i], delta[i], p[i - 1], 1, false);
                desk.run(SLOPE, z[i - 1], p[i - 1], delta[i - 1]);
            }
        }

        /** The network on the queries, with the weights of each. */
        void queries() {
            for (int i = 0; i < layers; i++) {
                desk.turnedProduct(x[i], r[i], products[i], 1, false);
                desk.run(TIMES, products[i], gTurned, masked);
                desk.run(TIMES, r[i], beta, readByBeta[i]);
                desk.run(TIMES, r[i], f, readByF[i]);
                desk.product(w[i], readByBeta[i], read[i], 1, false);
                desk.product(s[i], readByF[i], read[i], 1, true);
                desk.product(delta[i], masked, read[i], -1, true);
                if (i < layers - 1) {
                    desk.run(GELU, read[i], r[i + 1]);
                }
            }
        }
    }

    static void forward(Args a, long from, long to, MatrixSteps steps) {
        Chunk c = new Chunk(a, a.op(MemoryChunk.class), steps);
        MemoryDesk desk = c.desk;
        int top = c.layers - 1;
        Block[] next = new Block[c.layers];
        Block[] weighed = new Block[c.layers];
        for (int i = 0; i < c.layers; i++) {
            next[i] = desk.block(c.w[i].height(), c.w[i].width());
            weighed[i] = desk.block(c.delta[i].height(), c.delta[i].width());
        }
        Block y = desk.block(c.beta.width(), c.read[top].height());
        desk.s = a.scratch(desk.bytes());
        for (long item = from; item < to; item++) {
            c.load(item);
            c.keys();
            c.queries();
            if (c.op.residual()) {
                desk.run(PLUS, c.read[top], c.r[0], c.read[top]);
            }
            desk.turn(c.read[top], y);
            desk.store(y, a.out(0), item);
            double[] shares = {c.betaEnd(), c.fEnd()};
            double[] nu = {c.nu(item)};
            for (int i = 0; i < c.layers; i++) {
                desk.run(BLEND, shares, c.w[i], c.s[i], next[i]);
                desk.run(TIMES, c.delta[i], c.gEnd, weighed[i]);
                desk.product(weighed[i], c.xTurned[i], next[i], -1, true);
                desk.store(next[i], a.out(1 + i), item);
                desk.run(SCALED, nu, c.s[i], next[i]);
                desk.run(TIMES, c.delta[i], c.m, weighed[i]);
                desk.product(weighed[i], c.xTurned[i], next[i], -1, true);
                desk.store(next[i], a.out(1 + c.layers + i), item);
            }
        }
    }

    /** What the gradient needs besides. */
    private static final class Slopes {
        final Block[] gw;
        final Block[] gs;
        final Block[] dw;
        final Block[] ds;
        final Block[] ddelta;
        final Block[] dx;
        final Block[] u;
        final Block[] v;
        final Block[] dz;
        final Block[] byBeta;
        final Block[] throughW;
        final Block[] throughS;
        final Block[] rTurned;
        final Block[] turned;
        final Block yRows;
        final Block dproducts;
        final Block dgTurned;
        final Block maskedTurned;
        final Block df;
        final Block dbeta;
        final Block dgEnd;
        final Block dm;

        Slopes(Chunk c) {
            MemoryDesk desk = c.desk;
            int layers = c.layers;
            int keys = c.m.width();
            int queries = c.beta.width();
            gw = new Block[layers];
            gs = new Block[layers];
            dw = new Block[layers];
            ds = new Block[layers];
            ddelta = new Block[layers];
            dx = new Block[layers];
            u = new Block[layers];
            v = new Block[layers];
            dz = new Block[layers];
            byBeta = new Block[layers];
            throughW = new Block[layers];
            throughS = new Block[layers];
            rTurned = new Block[layers];
            turned = new Block[layers];
            for (int i = 0; i < layers; i++) {
                int out = c.w[i].height();
                int in = c.w[i].width();
                gw[i] = desk.block(out, in);
                gs[i] = desk.block(out, in);
                dw[i] = desk.block(out, in);
                ds[i] = desk.block(out, in);
                ddelta[i] = desk.block(out, keys);
                dx[i] = desk.block(in, keys);
                u[i] = desk.block(out, keys);
                v[i] = desk.block(out, keys);
                dz[i] = desk.block(out, queries);
                byBeta[i] = desk.block(out, queries);
                throughW[i] = desk.block(in, queries);
                throughS[i] = desk.block(in, queries);
                rTurned[i] = i == 0 ? c.queryRows : desk.block(queries, in);
                turned[i] = desk.block(keys, out);
            }
            yRows = desk.block(queries, c.read[layers - 1].height());
            dproducts = desk.block(keys, queries);
            dgTurned = desk.block(keys, queries);
            maskedTurned = desk.block(queries, keys);
            df = desk.block(1, queries);
            dbeta = desk.block(1, queries);
            dgEnd = desk.block(1, keys);
            dm = desk.block(1, keys);
        }
    }

    static void backward(Args a, long from, long to, MatrixSteps steps) {
        MemoryChunk op = a.op(MemoryChunkGrad.class).of();
        Chunk c = new Chunk(a, op, steps);
        Slopes d = new Slopes(c);
        MemoryDesk desk = c.desk;
        desk.s = a.scratch(desk.bytes());
        for (long item = from; item < to; item++) {
            c.load(item);
            c.keys();
            c.queries();
            float[] ends = outputs(a, c, d, item);
            // d.throughW[0] holds the gradient of the queries
            if (op.residual()) {
                desk.run(PLUS, d.throughW[0], d.dz[c.layers - 1], d.throughW[0]);
            }
            desk.turn(d.throughW[0], c.queryRows);
            desk.store(c.queryRows, a.out(0), item);
            network(a, c, d, item);
            shares(a, c, d, item, ends);
            for (int i = 0; i < c.layers; i++) {
                desk.store(d.dw[i], a.out(MemoryChunk.WEIGHTS + i), item);
                desk.store(d.ds[i], a.out(MemoryChunk.WEIGHTS + c.layers + i), item);
            }
        }
    }

    /** Through the new weights and the reads; gives the gradients of the last shares of W and S and of ν. */
    private static float[] outputs(Args a, Chunk c, Slopes d, long item) {
        MemoryDesk desk = c.desk;
        int first = MemoryChunk.WEIGHTS + 2 * c.layers;
        float[] ends = new float[3];
        for (Block sums : List.of(d.df, d.dbeta, d.dgEnd, d.dm, d.dgTurned)) {
            desk.clear(sums);
        }
        desk.load(a.in(first), item, d.yRows);
        desk.turn(d.yRows, d.dz[c.layers - 1]);
        double[] beta = {c.betaEnd()};
        double[] blend = {c.fEnd(), c.nu(item)};
        double[] less = {-1};
        for (int i = c.layers - 1; i >= 0; i--) {
            desk.load(a.in(first + 1 + i), item, d.gw[i]);
            desk.load(a.in(first + 1 + c.layers + i), item, d.gs[i]);
            desk.product(d.gw[i], c.x[i], d.u[i], 1, false);
            desk.product(d.gs[i], c.x[i], d.v[i], 1, false);
            desk.addDots(d.u[i], c.delta[i], d.dgEnd);
            desk.addDots(d.v[i], c.delta[i], d.dm);
            desk.run(MIX, d.u[i], c.gEnd, d.v[i], c.m, d.ddelta[i]);
            desk.run(SCALED, less, d.ddelta[i], d.ddelta[i]);
            desk.run(TIMES, c.delta[i], c.gEnd, d.u[i]);
            desk.turnedProduct(d.gw[i], d.u[i], d.dx[i], -1, false);
            desk.run(TIMES, c.delta[i], c.m, d.v[i]);
            desk.turnedProduct(d.gs[i], d.v[i], d.dx[i], -1, true);
            desk.run(SCALED, beta, d.gw[i], d.dw[i]);
            desk.run(BLEND, blend, d.gw[i], d.gs[i], d.ds[i]);
            ends[0] += desk.dot(d.gw[i], c.w[i]);
            ends[1] += desk.dot(d.gw[i], c.s[i]);
            ends[2] += desk.dot(d.gs[i], c.s[i]);

            desk.turnedProduct(c.w[i], d.dz[i], d.throughW[i], 1, false);
            desk.turnedProduct(c.s[i], d.dz[i], d.throughS[i], 1, false);
            desk.addDots(c.r[i], d.throughW[i], d.dbeta);
            desk.addDots(c.r[i], d.throughS[i], d.df);
            if (i > 0) {
                desk.turn(c.r[i], d.rTurned[i]);
            }
            desk.run(TIMES, d.dz[i], c.beta, d.byBeta[i]);
            desk.product(d.byBeta[i], d.rTurned[i], d.dw[i], 1, true);
            desk.run(TIMES, d.dz[i], c.f, d.byBeta[i]);
            desk.product(d.byBeta[i], d.rTurned[i], d.ds[i], 1, true);

            desk.turnedProduct(c.delta[i], d.dz[i], d.dproducts, -1, false);
            desk.run(TIMES_PLUS, d.dproducts, c.products[i], d.dgTurned, d.dgTurned);
            desk.run(TIMES, c.products[i], c.gTurned, c.masked);
            desk.turn(c.masked, d.maskedTurned);
            desk.product(d.dz[i], d.maskedTurned, d.ddelta[i], -1, true);
            desk.run(TIMES, d.dproducts, c.gTurned, d.dproducts);
            desk.turn(d.dproducts, d.maskedTurned);
            desk.product(c.r[i], d.maskedTurned, d.dx[i], 1, true);
            desk.run(MIX, d.throughW[i], c.beta, d.throughS[i], c.f, d.throughW[i]);
            desk.product(c.x[i], d.dproducts, d.throughW[i], 1, true);
            if (i > 0) {
                desk.run(SLOPE, c.read[i - 1], d.throughW[i], d.dz[i - 1]);
            }
        }
        return ends;
    }

    /** Through the keys' gradients upwards, then through the network on the keys downwards. */
    private static void network(Args a, Chunk c, Slopes d, long item) {
        MemoryDesk desk = c.desk;
        int top = c.layers - 1;
        for (int i = 0; i < top; i++) {
            desk.run(SLOPE, c.z[i], d.ddelta[i], d.u[i]);
            desk.run(BEND, c.z[i], d.ddelta[i], c.p[i], d.v[i]);
            desk.turn(d.u[i], d.turned[i]);
            desk.product(c.delta[i + 1], d.turned[i], d.dw[i + 1], 1, true);
            desk.product(c.w[i + 1], d.u[i], d.ddelta[i + 1], 1, true);
        }
        desk.run(SCALED, new double[] {2}, d.ddelta[top], d.u[top]);
        for (int i = top; i >= 0; i--) {
            desk.product(d.u[i], c.xTurned[i], d.dw[i], 1, true);
            desk.turnedProduct(c.w[i], d.u[i], d.dx[i], 1, true);
            if (i > 0) {
                desk.run(SLOPE, c.z[i - 1], d.dx[i], d.u[i - 1]);
                desk.run(PLUS, d.u[i - 1], d.v[i - 1], d.u[i - 1]);
            }
        }
        // u of the top is the gradient of the network's output on the keys, and against that of the values
        desk.run(SCALED, new double[] {2}, d.ddelta[top], d.u[top]);
        if (c.op.residual()) {
            desk.run(PLUS, d.dx[0], d.u[top], d.dx[0]);
        }
        desk.turn(d.dx[0], c.xTurned[0]);
        desk.store(c.xTurned[0], a.out(1), item);
        desk.run(SCALED, new double[] {-1}, d.u[top], d.u[top]);
        desk.turn(d.u[top], c.valueRows);
        desk.store(c.valueRows, a.out(2), item);
    }

    private static void shares(Args a, Chunk c, Slopes d, long item, float[] ends) {
        MemoryDesk desk = c.desk;
        int keys = c.m.width();
        int queries = c.beta.width();
        desk.turn(d.dgTurned, c.g);
        for (int t = 0; t < queries; t++) {
            boolean end = t == queries - 1;
            long row = (item * queries + t) * (keys + 2L) * 4;
            for (int j = 0; j < keys; j++) {
                float dg = c.g.get(desk.s, t, j);
                a.out(3).set(F, row + j * 4L, end ? dg - d.dgEnd.get(desk.s, 0, j) : dg);
            }
            a.out(3).set(F, row + keys * 4L, d.df.get(desk.s, 0, t) + (end ? ends[1] : 0));
            a.out(3).set(F, row + keys * 4L + 4, d.dbeta.get(desk.s, 0, t) + (end ? ends[0] : 0));
        }
        long row = item * (keys + 1L) * 4;
        for (int j = 0; j < keys; j++) {
            a.out(4).set(F, row + j * 4L, -d.dm.get(desk.s, 0, j));
        }
        a.out(4).set(F, row + keys * 4L, ends[2]);
    }
}
