package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MemoryDesk.BEND;
import static dev.gatun.ops.sequence.MemoryDesk.BLEND;
import static dev.gatun.ops.sequence.MemoryDesk.CURVES;
import static dev.gatun.ops.sequence.MemoryDesk.ERROR;
import static dev.gatun.ops.sequence.MemoryDesk.MINUS;
import static dev.gatun.ops.sequence.MemoryDesk.PLUS;
import static dev.gatun.ops.sequence.MemoryDesk.RESIDUAL_ERROR;
import static dev.gatun.ops.sequence.MemoryDesk.SCALED;
import static dev.gatun.ops.sequence.MemoryDesk.TIMES;
import static dev.gatun.ops.sequence.MemoryDesk.TIMES_PLUS;

import dev.gatun.engine.Args;
import dev.gatun.ops.sequence.MemoryDesk.Block;

/**
 * One chunk of {@link MemoryChunk} on a thread's desk, in the notation there: the network on the keys, the reads, and what is
 * written. Somebody lays down W, S, queries, keys, values and shares first.
 */
class MemorySweep {

    private static final double[] TWICE = {2};

    final MemoryDesk desk;
    final boolean residual;
    final int layers;
    final int keys;
    final int queries;
    final Block[] w;
    final Block[] s;
    final Block[] x;
    final Block[] xTurned;
    final Block[] z;
    /** gelu' and gelu'' of z. */
    final Block[] slope;
    final Block[] bend;
    final Block[] delta;
    final Block[] p;
    final Block[] r;
    final Block[] read;
    final Block[] readSlope;
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
    private final Block[] readShare;
    private final Block[] weighed;
    /** The last share of S that momentum keeps. */
    float nu;

    /** Room for a chunk of so many keys and queries; the weights are inputs from one on. */
    MemorySweep(Args a, int first, MemoryChunk op, int keys, int queries, MatrixSteps steps) {
        this.desk = new MemoryDesk(steps);
        this.residual = op.residual();
        this.layers = op.layers();
        this.keys = keys;
        this.queries = queries;
        w = new Block[layers];
        s = new Block[layers];
        x = new Block[layers];
        xTurned = new Block[layers];
        z = new Block[layers];
        slope = new Block[layers];
        bend = new Block[layers];
        delta = new Block[layers];
        p = new Block[layers];
        r = new Block[layers];
        read = new Block[layers];
        readSlope = new Block[layers];
        products = new Block[layers];
        readShare = new Block[layers];
        weighed = new Block[layers];
        for (int i = 0; i < layers; i++) {
            int out = (int) a.shape(first + i).dim(2);
            int in = (int) a.shape(first + i).last();
            w[i] = desk.block(out, in);
            s[i] = desk.block(out, in);
            x[i] = desk.block(in, keys);
            xTurned[i] = desk.block(keys, in);
            z[i] = desk.block(out, keys);
            slope[i] = desk.block(out, keys);
            bend[i] = desk.block(out, keys);
            delta[i] = desk.block(out, keys);
            p[i] = desk.block(out, keys);
            r[i] = desk.block(in, queries);
            read[i] = desk.block(out, queries);
            readSlope[i] = desk.block(out, queries);
            products[i] = desk.block(keys, queries);
            readShare[i] = desk.block(in, queries);
            weighed[i] = desk.block(out, keys);
        }
        int size = w[layers - 1].height();
        values = desk.block(size, keys);
        valueRows = desk.block(keys, size);
        queryRows = desk.block(queries, w[0].width());
        g = desk.block(queries, keys);
        gTurned = desk.block(keys, queries);
        f = desk.block(1, queries);
        beta = desk.block(1, queries);
        gEnd = desk.block(1, keys);
        m = desk.block(1, keys);
        masked = desk.block(keys, queries);
    }

    float betaEnd() {
        return beta.get(desk.s, 0, queries - 1);
    }

    float fEnd() {
        return f.get(desk.s, 0, queries - 1);
    }

    /** The network on the keys, and its gradients. */
    void keys() {
        for (int i = 0; i < layers; i++) {
            desk.product(w[i], x[i], z[i], 1, false);
            if (i < layers - 1) {
                desk.run(CURVES, z[i], x[i + 1], slope[i], bend[i]);
                desk.turn(x[i + 1], xTurned[i + 1]);
            }
        }
        int top = layers - 1;
        if (residual) {
            desk.run(RESIDUAL_ERROR, z[top], values, x[0], delta[top]);
        } else {
            desk.run(ERROR, z[top], values, delta[top]);
        }
        for (int i = top; i > 0; i--) {
            desk.turnedProduct(w[i], delta[i], p[i - 1], 1, false);
            desk.run(TIMES, slope[i - 1], p[i - 1], delta[i - 1]);
        }
    }

    /** The network on the queries, with the weights of each. */
    void queries() {
        for (int i = 0; i < layers; i++) {
            desk.turnedProduct(x[i], r[i], products[i], 1, false);
            desk.run(TIMES, products[i], gTurned, masked);
            desk.scaleColumns(r[i], beta, readShare[i]);
            desk.product(w[i], readShare[i], read[i], 1, false);
            desk.scaleColumns(r[i], f, readShare[i]);
            desk.product(s[i], readShare[i], read[i], 1, true);
            desk.product(delta[i], masked, read[i], -1, true);
            if (i < layers - 1) {
                desk.run(CURVES, read[i], r[i + 1], readSlope[i], read[i]);
            }
        }
    }

    /** Outputs of the chunk, one row a query. */
    void outputs(Block rows) {
        Block y = read[layers - 1];
        if (residual) {
            desk.run(PLUS, y, r[0], y);
        }
        desk.turn(y, rows);
    }

    /** W and S after the chunk, in their place. */
    void write() {
        double[] shares = {betaEnd(), fEnd()};
        for (int i = 0; i < layers; i++) {
            desk.run(BLEND, shares, w[i], s[i], w[i]);
            desk.scaleColumns(delta[i], gEnd, weighed[i]);
            desk.product(weighed[i], xTurned[i], w[i], -1, true);
            desk.run(SCALED, new double[] {nu}, s[i], s[i]);
            desk.scaleColumns(delta[i], m, weighed[i]);
            desk.product(weighed[i], xTurned[i], s[i], -1, true);
        }
    }

    /** The same chunk's gradients. */
    static final class Slopes extends MemorySweep {

        /** Gradients of W and S after the chunk, then of those before it. */
        final Block[] gw;
        final Block[] gs;
        final Block[] dw;
        final Block[] ds;
        final Block[] ddelta;
        /** That of input 0 is the keys' gradient in the end. */
        final Block[] dx;
        final Block[] u;
        final Block[] v;
        final Block[] dz;
        private final Block[] byShare;
        private final Block[] throughW;
        private final Block[] throughS;
        private final Block[] rTurned;
        private final Block[] turned;
        final Block yRows;
        private final Block dproducts;
        final Block dgTurned;
        private final Block maskedTurned;
        final Block df;
        final Block dbeta;
        final Block dgEnd;
        final Block dm;
        /** Gradients of the last shares of W and of S, and of ν. */
        float dbetaEnd;
        float dfEnd;
        float dnu;

        Slopes(Args a, int first, MemoryChunk op, int keys, int queries, MatrixSteps steps) {
            super(a, first, op, keys, queries, steps);
            gw = new Block[layers];
            gs = new Block[layers];
            dw = new Block[layers];
            ds = new Block[layers];
            ddelta = new Block[layers];
            dx = new Block[layers];
            u = new Block[layers];
            v = new Block[layers];
            dz = new Block[layers];
            byShare = new Block[layers];
            throughW = new Block[layers];
            throughS = new Block[layers];
            rTurned = new Block[layers];
            turned = new Block[layers];
            for (int i = 0; i < layers; i++) {
                int out = w[i].height();
                int in = w[i].width();
                gw[i] = desk.block(out, in);
                gs[i] = desk.block(out, in);
                dw[i] = desk.block(out, in);
                ds[i] = desk.block(out, in);
                ddelta[i] = desk.block(out, keys);
                dx[i] = desk.block(in, keys);
                u[i] = desk.block(out, keys);
                v[i] = desk.block(out, keys);
                dz[i] = desk.block(out, queries);
                byShare[i] = desk.block(out, queries);
                throughW[i] = desk.block(in, queries);
                throughS[i] = desk.block(in, queries);
                rTurned[i] = i == 0 ? queryRows : desk.block(queries, in);
                turned[i] = desk.block(keys, out);
            }
            yRows = desk.block(queries, w[layers - 1].height());
            dproducts = desk.block(keys, queries);
            dgTurned = desk.block(keys, queries);
            maskedTurned = desk.block(queries, keys);
            df = desk.block(1, queries);
            dbeta = desk.block(1, queries);
            dgEnd = desk.block(1, keys);
            dm = desk.block(1, keys);
        }

        /** All gradients of the chunk, from gw, gs and yRows; the network has been on keys and queries. */
        void back() {
            reads();
            network();
        }

        /** Through the new weights and the reads. */
        private void reads() {
            for (Block sums : new Block[] {df, dbeta, dgEnd, dm, dgTurned}) {
                desk.clear(sums);
            }
            dbetaEnd = 0;
            dfEnd = 0;
            dnu = 0;
            desk.turn(yRows, dz[layers - 1]);
            double[] beta = {betaEnd()};
            double[] blend = {fEnd(), nu};
            for (int i = layers - 1; i >= 0; i--) {
                desk.product(gw[i], x[i], u[i], 1, false);
                desk.product(gs[i], x[i], v[i], 1, false);
                desk.addDots(u[i], delta[i], dgEnd);
                desk.addDots(v[i], delta[i], dm);
                desk.mixColumns(u[i], gEnd, v[i], m, ddelta[i]);
                desk.run(MINUS, ddelta[i], ddelta[i]);
                desk.scaleColumns(delta[i], gEnd, u[i]);
                desk.turnedProduct(gw[i], u[i], dx[i], -1, false);
                desk.scaleColumns(delta[i], m, v[i]);
                desk.turnedProduct(gs[i], v[i], dx[i], -1, true);
                desk.run(SCALED, beta, gw[i], dw[i]);
                desk.run(BLEND, blend, gw[i], gs[i], ds[i]);
                dbetaEnd += desk.dot(gw[i], w[i]);
                dfEnd += desk.dot(gw[i], s[i]);
                dnu += desk.dot(gs[i], s[i]);

                desk.turnedProduct(w[i], dz[i], throughW[i], 1, false);
                desk.turnedProduct(s[i], dz[i], throughS[i], 1, false);
                desk.addDots(r[i], throughW[i], dbeta);
                desk.addDots(r[i], throughS[i], df);
                if (i > 0) {
                    desk.turn(r[i], rTurned[i]);
                }
                desk.scaleColumns(dz[i], this.beta, byShare[i]);
                desk.product(byShare[i], rTurned[i], dw[i], 1, true);
                desk.scaleColumns(dz[i], f, byShare[i]);
                desk.product(byShare[i], rTurned[i], ds[i], 1, true);

                desk.turnedProduct(delta[i], dz[i], dproducts, -1, false);
                desk.run(TIMES_PLUS, dproducts, products[i], dgTurned, dgTurned);
                desk.run(TIMES, products[i], gTurned, masked);
                desk.turn(masked, maskedTurned);
                desk.product(dz[i], maskedTurned, ddelta[i], -1, true);
                desk.run(TIMES, dproducts, gTurned, dproducts);
                desk.turn(dproducts, maskedTurned);
                desk.product(r[i], maskedTurned, dx[i], 1, true);
                desk.mixColumns(throughW[i], this.beta, throughS[i], f, throughW[i]);
                desk.product(x[i], dproducts, throughW[i], 1, true);
                if (i > 0) {
                    desk.run(TIMES, readSlope[i - 1], throughW[i], dz[i - 1]);
                }
            }
        }

        /** Through the keys' gradients upwards, then through the network on the keys downwards. */
        private void network() {
            int top = layers - 1;
            for (int i = 0; i < top; i++) {
                desk.run(TIMES, slope[i], ddelta[i], u[i]);
                desk.run(BEND, bend[i], ddelta[i], p[i], v[i]);
                desk.turn(u[i], turned[i]);
                desk.product(delta[i + 1], turned[i], dw[i + 1], 1, true);
                desk.product(w[i + 1], u[i], ddelta[i + 1], 1, true);
            }
            desk.run(SCALED, TWICE, ddelta[top], u[top]);
            for (int i = top; i >= 0; i--) {
                desk.product(u[i], xTurned[i], dw[i], 1, true);
                desk.turnedProduct(w[i], u[i], dx[i], 1, true);
                if (i > 0) {
                    desk.run(TIMES_PLUS, slope[i - 1], dx[i], v[i - 1], u[i - 1]);
                }
            }
            // u of the top is the gradient of the network's output on the keys, and against that of the values
            if (residual) {
                desk.run(PLUS, dx[0], u[top], dx[0]);
            }
        }

        /** The gradients of W and S before the chunk become those after the one before it. */
        void step() {
            for (int i = 0; i < layers; i++) {
                Block swap = gw[i];
                gw[i] = dw[i];
                dw[i] = swap;
                swap = gs[i];
                gs[i] = ds[i];
                ds[i] = swap;
            }
        }

        /** Gradient of the queries, one row each, where the queries were. */
        Block queryRows() {
            if (residual) {
                desk.run(PLUS, throughW[0], dz[layers - 1], throughW[0]);
            }
            desk.turn(throughW[0], queryRows);
            return queryRows;
        }

        /** Gradient of the keys, one row each, where the keys were. */
        Block keyRows() {
            desk.turn(dx[0], xTurned[0]);
            return xTurned[0];
        }

        /** Gradient of the values, one row each, where the values were. */
        Block valueRows() {
            desk.run(MINUS, u[layers - 1], v[layers - 1]);
            desk.turn(v[layers - 1], valueRows);
            return valueRows;
        }
    }
}
