package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.MemoryDesk.BLEND;
import static dev.gatun.ops.sequence.MemoryDesk.MIX;
import static dev.gatun.ops.sequence.MemoryDesk.PLUS;
import static dev.gatun.ops.sequence.MemoryDesk.SCALED;

import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.ops.sequence.MemoryDesk.Block;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** {@link OrthogonalSteps} and its gradient in F32, one (batch, head) an item, in the coordinates of {@link RowSpace}. */
final class OrthogonalTiles {

    private static final double[] ONE = {1};
    private static final double[] LINEAR = {NewtonSchulz.B};
    private static final double[] BENT = {NewtonSchulz.B, NewtonSchulz.C};

    private OrthogonalTiles() {}

    static List<Kernel> forward() {
        return List.of(
                Kernel.vector(OrthogonalTiles::items, (a, from, to) -> forward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 1)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(OrthogonalTiles::items, (a, from, to) -> forward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 20)));
    }

    static List<Kernel> backward() {
        return List.of(
                Kernel.vector(OrthogonalTiles::items, (a, from, to) -> backward(a, from, to, MatrixForms.fast()))
                        .costing(a -> nanos(a, 3)).when(MatrixForms::answers).warmsItself(),
                Kernel.scalar(OrthogonalTiles::items, (a, from, to) -> backward(a, from, to, MatrixSteps.PLAIN))
                        .costing(a -> nanos(a, 60)));
    }

    private static long items(Args a) {
        return a.shape(0).dim(0) * a.shape(0).dim(1);
    }

    /** At 100 operations a nanosecond. */
    private static double nanos(Args a, double times) {
        double r = a.shape(1).last();
        return 1000 + times * a.shape(0).dim(2) * 0.2 * r * r * (r + a.shape(0).last());
    }

    /** The sums of an item and the iterates of one of them. */
    private static class Sweep {
        final MemoryDesk desk;
        final OrthogonalSteps op;
        final int n;
        final int terms;
        final int r;
        final int c;
        final int time;
        final float eps;
        final RowSpace space;
        final Block shares;
        final Block rows;
        /** Columns of narrow rows, and these times the shares of a sum. */
        final Block narrow;
        final Block scaled;
        final Block weights;
        final Block weightsTurned;
        final Block[] x;
        final Block turned;
        /** A and the polynomial of each step. */
        final Block[] a;
        final Block[] p;
        /** Vectors of r features as rows and columns, weighed columns; vectors of c features and their coordinates as rows and columns. */
        final Block uRows;
        final Block u;
        final Block weighed;
        final Block wRows;
        final Block wPlaces;
        final Block w;
        float length;
        float scale;

        Sweep(Args args, OrthogonalSteps op, MatrixSteps steps, boolean keeps) {
            this.desk = new MemoryDesk(steps);
            this.op = op;
            this.eps = (float) op.eps();
            n = (int) args.shape(0).dim(2);
            terms = (int) args.shape(1).dim(2);
            r = (int) args.shape(1).last();
            c = (int) args.shape(2).last();
            time = (int) args.shape(4).dim(2);
            space = new RowSpace(desk, r + terms, c, r);
            shares = desk.block(n, terms + 1);
            rows = desk.block(terms, r);
            narrow = desk.block(r, terms);
            scaled = desk.block(r, terms);
            weights = desk.block(time, n);
            weightsTurned = desk.block(n, time);
            int count = op.steps();
            x = new Block[count + 1];
            a = new Block[count];
            p = new Block[count];
            for (int i = 0; i <= count; i++) {
                x[i] = i < 2 || keeps ? desk.block(r, space.span) : x[i - 2];
                if (i < count) {
                    a[i] = i == 0 || keeps ? desk.block(r, r) : a[0];
                    p[i] = i == 0 || keeps ? desk.block(r, r) : p[0];
                }
            }
            turned = desk.block(space.span, r);
            uRows = desk.block(time, r);
            u = desk.block(r, time);
            weighed = desk.block(r, time);
            wRows = desk.block(time, c);
            wPlaces = desk.block(time, space.span);
            w = desk.block(space.span, time);
        }

        /** Lays down an item. */
        void load(Args args, long item) {
            desk.load(args.in(0), item, shares);
            desk.load(args.in(1), item, rows);
            desk.turn(rows, narrow);
            desk.clear(space.given);
            desk.put(args.in(3), item * r * c, space.given, 0, r);
            desk.put(args.in(2), item * terms * c, space.given, r, terms);
            space.find();
            desk.load(args.in(4), item, weights);
            desk.turn(weights, weightsTurned);
        }

        /** Vectors of r features. */
        void narrowVectors(MemorySegment vectors, long item) {
            desk.load(vectors, item, uRows);
            desk.turn(uRows, u);
        }

        /** Vectors of c features. */
        void wideVectors(MemorySegment vectors, long item) {
            desk.load(vectors, item, wRows);
            desk.product(wRows, space.basisTurned, wPlaces, 1, false);
            desk.turn(wPlaces, w);
        }

        Block share(int i) {
            return shares.part(i, 1);
        }

        float carried(int i) {
            return shares.get(desk.s, i, terms);
        }

        Block weight(int i) {
            return weightsTurned.part(i, 1);
        }

        float lastWeight(int i) {
            return weights.get(desk.s, time - 1, i);
        }

        /** All iterates of a sum. */
        void iterate(int i) {
            Block start = x[0];
            desk.run(SCALED, new double[] {carried(i)}, space.pastPlaces, start);
            desk.scaleColumns(narrow, share(i), scaled);
            desk.product(scaled, space.places.part(r, terms), start, 1, true);
            length = (float) Math.sqrt(desk.steps.rows().squares(desk.s, start.at(), 0, (int) ((start.end() - start.at()) / 4)));
            scale = 1 / (length + eps);
            desk.run(SCALED, new double[] {scale}, start, start);
            for (int step = 0; step < op.steps(); step++) {
                desk.turn(x[step], turned);
                desk.mirrored(x[step], turned, a[step], 1, false);
                desk.run(SCALED, LINEAR, a[step], p[step]);
                desk.mirrored(a[step], a[step], p[step], (float) NewtonSchulz.C, true);
                for (int j = 0; j < r; j++) {
                    p[step].set(desk.s, j, j, p[step].get(desk.s, j, j) + (float) NewtonSchulz.A);
                }
                desk.product(p[step], x[step], x[step + 1], 1, false);
            }
        }

        Block found() {
            return x[op.steps()];
        }
    }

    static void forward(Args args, long from, long to, MatrixSteps steps) {
        OrthogonalSteps op = args.op(OrthogonalSteps.class);
        Sweep v = new Sweep(args, op, steps, false);
        MemoryDesk desk = v.desk;
        Block weighedW = desk.block(v.space.span, v.time);
        Block total = desk.block(v.r, v.space.span);
        Block y = desk.block(v.r, v.time);
        Block places = desk.block(v.space.span, v.time);
        Block wholeTotal = desk.block(v.r, v.c);
        desk.s = args.scratch(desk.bytes());
        desk.clear(v.x[0]);
        for (long item = from; item < to; item++) {
            v.load(args, item);
            if (op.widens()) {
                v.narrowVectors(args.in(5), item);
            } else {
                v.wideVectors(args.in(5), item);
            }
            for (Block sum : new Block[] {total, y, places}) {
                desk.clear(sum);
            }
            for (int i = 0; i < v.n; i++) {
                v.iterate(i);
                if (op.widens()) {
                    desk.scaleColumns(v.u, v.weight(i), v.weighed);
                    desk.turnedProduct(v.found(), v.weighed, places, 1, true);
                } else {
                    desk.scaleColumns(v.w, v.weight(i), weighedW);
                    desk.product(v.found(), weighedW, y, 1, true);
                }
                desk.run(BLEND, new double[] {v.lastWeight(i), 1}, v.found(), total, total);
            }
            if (op.widens()) {
                desk.turnedProduct(places, v.space.basis, v.wRows, 1, false);
                desk.store(v.wRows, args.out(0), item);
            } else {
                desk.turn(y, v.uRows);
                desk.store(v.uRows, args.out(0), item);
            }
            desk.product(total, v.space.basis, wholeTotal, 1, false);
            desk.store(wholeTotal, args.out(1), item);
        }
    }

    /** The derivative along T, and what it makes of the inputs' gradients. */
    private static final class Slopes extends Sweep {
        private final Block[] q;
        private final Block[] t;
        private final Block bend;
        private final Block half;
        private final Block other;
        private final Block termsTurned;
        private final Block gtotal;
        private final Block gtotalPlaces;
        private final Block met;
        private final Block product;
        private final Block read;
        private final Block dshares;
        private final Block dnarrow;
        private final Block dweights;
        private final Block du;
        private final Block dw;
        /** Gradients of wide and past by coordinates, by vectors w beside the space, and by the gradient of total beside it. */
        private final Block wideIn;
        private final Block wideByW;
        private final Block wideByTotal;
        private final Block pastIn;
        private final Block pastByW;
        private final Block pastByTotal;
        private final Block dwide;
        private final Block dpast;

        Slopes(Args args, OrthogonalSteps op, MatrixSteps steps) {
            super(args, op, steps, true);
            int span = space.span;
            q = new Block[] {desk.block(r, r), desk.block(r, r)};
            t = new Block[] {desk.block(r, span), desk.block(r, span)};
            bend = desk.block(r, r);
            half = desk.block(r, r);
            other = desk.block(r, r);
            termsTurned = desk.block(span, terms);
            gtotal = desk.block(r, c);
            gtotalPlaces = desk.block(r, span);
            met = desk.block(r, terms);
            product = desk.block(r, time);
            read = desk.block(r, time);
            dshares = desk.block(n, terms + 1);
            dnarrow = desk.block(r, terms);
            dweights = desk.block(n, time);
            du = desk.block(r, time);
            dw = desk.block(span, time);
            wideIn = desk.block(terms, span);
            wideByW = desk.block(terms, time);
            wideByTotal = desk.block(terms, r);
            pastIn = desk.block(r, span);
            pastByW = desk.block(r, time);
            pastByTotal = desk.block(r, r);
            dwide = desk.block(terms, c);
            dpast = desk.block(r, c);
        }

        void start(Args args, long item) {
            load(args, item);
            narrowVectors(args.in(op.widens() ? 5 : OrthogonalStepsGrad.INPUTS), item);
            wideVectors(args.in(op.widens() ? OrthogonalStepsGrad.INPUTS : 5), item);
            desk.cutTurned(space.places, r, terms, termsTurned);
            desk.load(args.in(OrthogonalStepsGrad.INPUTS + 1), item, gtotal);
            desk.product(gtotal, space.basisTurned, gtotalPlaces, 1, false);
            for (Block sum : new Block[] {dshares, dnarrow, dweights, du, dw, wideIn, wideByW, wideByTotal, pastIn, pastByW, pastByTotal}) {
                desk.clear(sum);
            }
        }

        /** Adds what flows through one step. */
        void add(int i) {
            iterate(i);
            reads(i);
            if (length == 0) {
                return; // a sum of nothing has no direction
            }
            Block slope = slope(i);
            double share = carried(i);
            desk.product(slope, termsTurned, met, 1, false);
            desk.addDots(narrow, met, dshares.part(i, 1));
            dshares.set(desk.s, i, terms, desk.dot(slope, space.pastPlaces));
            desk.mixColumns(met, share(i), dnarrow);
            desk.turnedProduct(scaled, slope, wideIn, 1, true);
            desk.run(BLEND, new double[] {share, 1}, slope, pastIn, pastIn);
            if (!space.whole) {
                beside(i, share);
            }
        }

        /** The gradients of weights and vectors. */
        private void reads(int i) {
            desk.scaleColumns(u, weight(i), weighed);
            desk.turnedProduct(found(), weighed, dw, 1, true);
            desk.product(found(), w, read, 1, false);
            desk.mixColumns(read, weight(i), du);
            desk.addDots(u, read, dweights.part(i, 1));
            dweights.set(desk.s, i, time - 1, dweights.get(desk.s, i, time - 1) + desk.dot(gtotalPlaces, found()));
        }

        /** The sum's gradient in coordinates. */
        private Block slope(int i) {
            Block now = t[0];
            Block next = t[1];
            desk.product(weighed, wPlaces, now, 1, false);
            desk.run(BLEND, new double[] {lastWeight(i), 1}, gtotalPlaces, now, now);
            for (int step = 0; step < op.steps(); step++) {
                desk.turn(x[step], turned);
                desk.product(now, turned, half, 1, false);
                desk.turn(half, other);
                desk.run(PLUS, half, other, bend);
                desk.product(bend, a[step], half, 1, false);
                desk.turn(half, other);
                desk.run(MIX, BENT, bend, half, other, bend);
                desk.product(p[step], now, next, 1, false);
                desk.product(bend, x[step], next, 1, true);
                Block swap = now;
                now = next;
                next = swap;
            }
            float along = desk.dot(now, x[0]);
            desk.run(BLEND, new double[] {scale, -along / length}, now, x[0], next);
            return next;
        }

        /** Beside the rows' space a step multiplies by all polynomials. */
        private void beside(int i, double share) {
            Block all = q[0];
            Block more = q[1];
            desk.clear(all);
            for (int j = 0; j < r; j++) {
                all.set(desk.s, j, j, scale);
            }
            for (int step = 0; step < op.steps(); step++) {
                if (step == 0) {
                    desk.run(SCALED, new double[] {scale}, p[0], more);
                } else {
                    desk.mirrored(p[step], all, more, 1, false);
                }
                Block swap = all;
                all = more;
                more = swap;
            }
            float last = lastWeight(i);
            desk.product(all, weighed, product, 1, false);
            desk.run(BLEND, new double[] {share, 1}, product, pastByW, pastByW);
            desk.turnedProduct(scaled, product, wideByW, 1, true);
            desk.run(BLEND, new double[] {share * last, 1}, all, pastByTotal, pastByTotal);
            desk.turnedProduct(scaled, all, wideByTotal, last, true);
        }

        void store(Args args, long item) {
            desk.product(wideIn, space.basis, dwide, 1, false);
            desk.product(pastIn, space.basis, dpast, 1, false);
            if (!space.whole) {
                desk.product(wPlaces, space.basis, wRows, -1, true);
                desk.product(gtotalPlaces, space.basis, gtotal, -1, true);
                desk.product(wideByW, wRows, dwide, 1, true);
                desk.product(wideByTotal, gtotal, dwide, 1, true);
                desk.product(pastByW, wRows, dpast, 1, true);
                desk.product(pastByTotal, gtotal, dpast, 1, true);
            }
            desk.turn(dnarrow, rows);
            desk.turn(dweights, weights);
            desk.store(dshares, args.out(0), item);
            desk.store(rows, args.out(1), item);
            desk.store(dwide, args.out(2), item);
            desk.store(dpast, args.out(3), item);
            desk.store(weights, args.out(4), item);
            if (op.widens()) {
                desk.turn(du, uRows);
                desk.store(uRows, args.out(5), item);
            } else {
                desk.turnedProduct(dw, space.basis, wRows, 1, false);
                desk.store(wRows, args.out(5), item);
            }
        }
    }

    static void backward(Args args, long from, long to, MatrixSteps steps) {
        Slopes v = new Slopes(args, args.op(OrthogonalStepsGrad.class).of(), steps);
        v.desk.s = args.scratch(v.desk.bytes());
        v.desk.clear(v.x[0]);
        for (long item = from; item < to; item++) {
            v.start(args, item);
            for (int i = 0; i < v.n; i++) {
                v.add(i);
            }
            v.store(args, item);
        }
    }
}
