package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecaySpace.CHUNK;
import static dev.gatun.ops.sequence.DecaySteps.ROW;

import dev.gatun.engine.Args;
import java.lang.foreign.MemorySegment;

/**
 * {@link DecayChunk} with one decay a step, and its gradient, in F32: one head at a time, chunk by chunk, in scratch memory of fixed size.
 *
 * <p>Forward, with P the tile of products {@code <q_t, k_i>} times the decays between: {@code Y = P V + exp(b) Q S} and
 * {@code S' = exp(b_C) S + (K exp(b_C - b))ᵀ V}. Backward, the states before each chunk are computed again, transposed, and chunks are taken from
 * the last to the first with the gradient of S carried along.
 */
final class DecayTiles {

    private DecayTiles() {}

    /** Rows of a head of a tensor with strides: memory, first byte, bytes from row to row. */
    record Head(MemorySegment at, long start, long rowBytes, int width) {

        /** Rows {@code [T, width]} of {@code [B, H, T, width]}. */
        static Head in(Args a, int input, long batch, long head) {
            long[] strides = a.strides(input);
            int width = strides.length == 4 ? (int) a.shape(input).last() : 1;
            return new Head(a.in(input), (batch * strides[0] + head * strides[1]) * 4, strides[2] * 4, width);
        }

        static Head out(MemorySegment at, long index, long rows, long width) {
            return new Head(at, index * rows * width * 4, width * 4, (int) width);
        }

        long row(long t) {
            return start + t * rowBytes;
        }

        float number(long t) {
            return at.get(AttentionSteps.F, row(t));
        }

        void number(long t, float x) {
            at.set(AttentionSteps.F, row(t), x);
        }
    }

    static long chunks(long time) {
        return Math.ceilDiv(time, CHUNK);
    }

    /** A chunk of a head takes some microseconds, a single step hardly one. */
    static double nanos(Args a, double each) {
        if (a.shape(2).dim(2) == 1) {
            return 0.3 * a.shape(0).last() * a.shape(2).last();
        }
        return each * (1 + chunks(a.shape(2).dim(2))) * DecaySpace.blocks((int) a.shape(0).last()) * DecaySpace.blocks((int) a.shape(2).last());
    }

    // ---- forward ----

    /** Items are heads. */
    static long items(Args a) {
        return a.shape(2).dim(0) * a.shape(2).dim(1);
    }

    static void forward(Args a, long from, long to, DecayForms forms) {
        AttentionSteps products = forms.products();
        DecaySteps steps = forms.steps();
        long heads = a.shape(2).dim(1);
        long time = a.shape(2).dim(2);
        int keys = (int) a.shape(0).last();
        int values = (int) a.shape(2).last();
        long group = heads / a.shape(0).dim(1);
        float scale = (float) a.op(DecayChunk.class).scaleFor(keys);
        DecaySpace x = new DecaySpace(forms);
        long qs = x.matrix(keys);
        long turned = x.state(keys, CHUNK);
        long ks = x.matrix(keys);
        long vs = x.matrix(values);
        long ys = x.matrix(values);
        long tile = x.matrix(CHUNK);
        long decays = x.matrix(CHUNK);
        long state = x.state(keys, values);
        Gates gates = new Gates(x, keys);
        MemorySegment s = x.open(a);
        for (long item = from; item < to; item++) {
            long batch = item / heads;
            long head = item % heads;
            Head q = Head.in(a, 0, batch, head / group);
            Head k = Head.in(a, 1, batch, head / group);
            Head v = Head.in(a, 2, batch, head);
            Head g = Head.in(a, 3, batch, head);
            Head w = a.inputs() > 5 ? Head.in(a, 5, batch, head) : null;
            Head y = Head.out(a.out(0), item, time, values);
            x.load(a.in(4), item * keys * values * 4, keys, values, state);
            for (long t = 0; t < time; t += CHUNK) {
                int n = (int) Math.min(CHUNK, time - t);
                x.fetch(q, t, n, qs);
                x.fetch(k, t, n, ks);
                x.fetch(v, t, n, vs);
                gates.read(g, w, t, n);
                if (w != null) {
                    products.fade(s, vs, gates.weight, n, values);
                }
                x.turn(qs, n, keys, turned);
                x.tile(ks, turned, tile, n, keys);
                steps.weights(s, gates.g, gates.zeros, gates.zeros, n, decays);
                steps.weigh(s, tile, gates.zeros, decays, n);
                x.times(qs, state, DecaySpace.tall(keys), ys, n, values, keys);
                products.fade(s, ys, gates.since, n, values);
                x.read(tile, vs, ys, n, values);
                x.put(ys, scale, y, t, n);
                products.fade(s, ks, gates.until, n, keys);
                x.fadeState(state, gates.whole, keys, values);
                x.write(ks, vs, state, keys, values, n);
            }
            x.store(state, keys, values, a.out(1), item * keys * values * 4);
        }
    }

    /** The decays of a chunk: logarithms g, from before the chunk to each step, from each step to the end, and over the chunk for each row of a state. */
    static final class Gates {
        private final DecaySpace x;
        private final int rows;
        final long g;
        final long zeros;
        final long ones;
        final long weight;
        final long since;
        final long until;
        final long whole;

        Gates(DecaySpace x, int rows) {
            this.x = x;
            this.rows = rows;
            this.g = x.row();
            this.zeros = x.row();
            this.ones = x.row();
            this.weight = x.row();
            this.since = x.row();
            this.until = x.row();
            this.whole = x.numbers(rows);
        }

        void read(Head decays, Head weights, long t, int n) {
            float sum = 0;
            for (int i = 0; i < n; i++) {
                float decay = decays.number(t + i);
                x.set(g, i, decay);
                sum += decay;
                x.set(since, i, sum);
                if (weights != null) {
                    x.set(weight, i, weights.number(t + i));
                }
            }
            x.set(g, n, 0);
            sum = 0;
            for (int i = n - 1; i >= 0; i--) {
                x.set(until, i, sum);
                sum += x.get(g, i);
            }
            x.products.fill(x.memory(), zeros, DecaySteps.SIDE, 0);
            x.products.fill(x.memory(), ones, DecaySteps.SIDE, 1);
            x.steps.exp(x.memory(), since, n);
            x.steps.exp(x.memory(), until, n);
            x.fill(whole, rows, x.get(since, n - 1));
        }
    }

    // ---- backward ----

    /**
     * Gradients of log decays. Decay j fades what was there before the chunk, and what is written before j, as far as either is read from j on or left at the
     * end. Only such terms are summed: differences of sums with others would be lost where decays are strong.
     *
     * @param before what is left at the end of the state before is worth
     * @param left what is left at the end of each step's writing is worth; overwritten
     * @param read what each step reads of the state before
     * @param between what is read across each decay inside the chunk
     */
    static void slopes(DecaySpace x, int n, double before, long left, long read, long between, Head to, long t) {
        for (int j = 0; j < n; j++) {
            float next = x.get(left, j);
            x.set(left, j, (float) before);
            before += next;
        }
        double since = 0;
        for (int j = n - 1; j >= 0; j--) {
            since += x.get(read, j);
            to.number(t + j, (float) (since + x.get(between, j) + x.get(left, j)));
        }
    }

    /** Bytes of the states before all chunks of all heads, and of each head's share of dq and dk where heads share queries. */
    static long workspace(Args a) {
        return borders(a) + (shared(a) ? 2 * items(a) * a.shape(2).dim(2) * a.shape(0).last() * 4 : 0);
    }

    private static long borders(Args a) {
        return items(a) * chunks(a.shape(2).dim(2)) * DecaySpace.stateBytes((int) a.shape(2).last(), (int) a.shape(0).last());
    }

    private static boolean shared(Args a) {
        return a.shape(0).dim(1) != a.shape(2).dim(1);
    }

    static void backward(Args a, long from, long to, DecayForms forms) {
        Backward b = new Backward(a, forms);
        for (long item = from; item < to; item++) {
            b.head(item);
        }
    }

    /** The gradient of one head after the other. */
    private static final class Backward {
        private final Args a;
        private final AttentionSteps products;
        private final DecaySteps steps;
        private final int keys;
        private final int values;
        private final long time;
        private final float scale;
        private final DecaySpace x;
        private final long qs;
        private final long ks;
        private final long vs;
        private final long gs;
        private final long turnedQ;
        private final long turnedG;
        private final long sum;
        private final long product;
        private final long tile;
        private final long slopes;
        private final long decays;
        private final long turnedState;
        private final long slope;
        private final long turnedSlope;
        private final long diagonal;
        private final long read;
        private final long between;
        private final long late;
        private final Gates gates;
        private final MemorySegment s;

        Backward(Args a, DecayForms forms) {
            this.a = a;
            this.products = forms.products();
            this.steps = forms.steps();
            this.keys = (int) a.shape(0).last();
            this.values = (int) a.shape(2).last();
            this.time = a.shape(2).dim(2);
            this.scale = (float) a.op(DecayChunkGrad.class).of().scaleFor(keys);
            this.x = new DecaySpace(forms);
            this.qs = x.matrix(keys);
            this.ks = x.matrix(keys);
            this.vs = x.matrix(values);
            this.gs = x.matrix(values);
            this.turnedQ = x.state(keys, CHUNK);
            this.turnedG = x.state(values, CHUNK);
            this.sum = x.matrix(Math.max(keys, values));
            this.product = x.matrix(Math.max(keys, values));
            this.tile = x.matrix(CHUNK);
            this.slopes = x.matrix(CHUNK);
            this.decays = x.matrix(CHUNK);
            this.turnedState = x.state(values, keys);
            this.slope = x.state(keys, values);
            this.turnedSlope = x.state(values, keys);
            this.diagonal = x.row();
            this.read = x.row();
            this.between = x.row();
            this.late = x.row();
            this.gates = new Gates(x, Math.max(keys, values));
            this.s = x.open(a);
        }

        void head(long item) {
            long heads = a.shape(2).dim(1);
            long batch = item / heads;
            long head = item % heads;
            long group = heads / a.shape(0).dim(1);
            Head q = Head.in(a, 0, batch, head / group);
            Head k = Head.in(a, 1, batch, head / group);
            Head v = Head.in(a, 2, batch, head);
            Head g = Head.in(a, 3, batch, head);
            Head w = a.inputs() > 7 ? Head.in(a, 7, batch, head) : null;
            Head dy = Head.in(a, 5, batch, head);
            boolean shared = shared(a);
            MemorySegment shares = a.workspace().asSlice(borders(a));
            Head dq = Head.out(shared ? shares : a.out(0), item, time, keys);
            Head dk = Head.out(shared ? shares.asSlice(items(a) * time * keys * 4) : a.out(1), item, time, keys);
            Head dv = Head.out(a.out(2), item, time, values);
            Head dg = Head.out(a.out(3), item, time, 1);
            Head dw = w == null ? null : Head.out(a.out(5), item, time, 1);
            states(item, k, v, g, w);
            x.load(a.in(6), item * keys * values * 4, keys, values, slope);
            for (long c = chunks(time) - 1; c >= 0; c--) {
                long t = c * CHUNK;
                int n = (int) Math.min(CHUNK, time - t);
                load(k, v, g, w, t, n);
                x.fetch(q, t, n, qs);
                x.fetch(dy, t, n, gs);
                x.fill(late, n, scale);
                products.fade(s, gs, late, n, values);
                MemorySegment.copy(a.workspace(), border(item, c), s, turnedState, DecaySpace.stateBytes(values, keys));
                chunk(t, n, v, w, dq, dk, dv, dg, dw);
            }
            x.store(slope, keys, values, a.out(4), item * keys * values * 4);
        }

        private void load(Head k, Head v, Head g, Head w, long t, int n) {
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            gates.read(g, w, t, n);
            if (w != null) {
                products.fade(s, vs, gates.weight, n, values);
            }
        }

        private long border(long item, long chunk) {
            return (item * chunks(time) + chunk) * DecaySpace.stateBytes(values, keys);
        }

        /** The states before all chunks, transposed, into the workspace. */
        private void states(long item, Head k, Head v, Head g, Head w) {
            x.load(a.in(4), item * keys * values * 4, keys, values, slope);
            products.fill(s, turnedState, (int) (DecaySpace.stateBytes(values, keys) / 4), 0);
            x.turnState(slope, keys, values, turnedState);
            for (long c = 0; c < chunks(time); c++) {
                MemorySegment.copy(s, turnedState, a.workspace(), border(item, c), DecaySpace.stateBytes(values, keys));
                long t = c * CHUNK;
                if (t + CHUNK < time) {
                    load(k, v, g, w, t, CHUNK);
                    products.fade(s, ks, gates.until, CHUNK, keys);
                    x.fadeState(turnedState, gates.whole, values, keys);
                    x.write(vs, ks, turnedState, values, keys, CHUNK);
                }
            }
        }

        private void chunk(long t, int n, Head v, Head w, Head dq, Head dk, Head dv, Head dg, Head dw) {
            // P and the slopes of the products, dA = dP decay; what step i both writes and reads does not fade and is kept apart.
            x.turn(qs, n, keys, turnedQ);
            x.turn(gs, n, values, turnedG);
            x.turnState(slope, keys, values, turnedSlope);
            x.tile(ks, turnedQ, tile, n, keys);
            x.tile(vs, turnedG, slopes, n, values);
            steps.weights(s, gates.g, gates.zeros, gates.zeros, n, decays);
            steps.weigh(s, tile, gates.zeros, decays, n);
            steps.crossing(s, tile, slopes, gates.zeros, n, between);
            steps.weigh(s, slopes, gates.zeros, decays, n);
            x.takeDiagonal(slopes, n, diagonal);

            // dq_t = exp(b_t) S g_t + sum of dA_ti k_i
            x.times(gs, turnedState, DecaySpace.tall(values), sum, n, keys, values);
            products.fade(s, sum, gates.since, n, keys);
            steps.dots(s, sum, qs, ROW, n, keys, read);
            x.read(slopes, ks, sum, n, keys);
            steps.blend(s, sum, gates.ones, diagonal, ks, ROW, n, keys);
            x.put(sum, 1, dq, t, n);

            // dk_i = exp(b_C - b_i) dS v_i + sum of dA_ti q_t
            x.times(vs, turnedSlope, DecaySpace.tall(values), sum, n, keys, values);
            products.fade(s, sum, gates.until, n, keys);
            steps.dots(s, sum, ks, ROW, n, keys, late);
            x.reach(slopes, qs, product, n, keys);
            steps.blend(s, sum, gates.ones, gates.ones, product, ROW, n, keys);
            steps.blend(s, sum, gates.ones, diagonal, qs, ROW, n, keys);
            x.put(sum, 1, dk, t, n);

            double before = x.get(gates.since, n - 1) * x.product(turnedState, turnedSlope, values, keys, product);
            slopes(x, n, before, late, read, between, dg, t);

            // dv_i = exp(b_C - b_i) dSᵀ k_i + sum of P_ti g_t
            x.times(ks, slope, DecaySpace.tall(keys), sum, n, values, keys);
            x.reach(tile, gs, product, n, values);
            steps.blend(s, sum, gates.until, gates.ones, product, ROW, n, values);
            if (w != null) {
                x.fetch(v, t, n, vs);
                steps.dots(s, sum, vs, ROW, n, values, late);
                for (int i = 0; i < n; i++) {
                    dw.number(t + i, x.get(late, i));
                }
                products.fade(s, sum, gates.weight, n, values);
            }
            x.put(sum, 1, dv, t, n);

            products.fade(s, qs, gates.since, n, keys);
            x.fadeState(slope, gates.whole, keys, values);
            x.write(qs, gs, slope, keys, values, n);
        }
    }

    /** Items of the last phase are rows of dq and dk, for which the shares of heads are added in order. */
    static long gatherItems(Args a) {
        return shared(a) ? a.shape(0).dim(0) * a.shape(0).dim(1) * a.shape(0).dim(2) : 0;
    }

    static double gatherNanos(Args a) {
        return 0.6 * a.shape(2).dim(1) / Math.max(1, a.shape(0).dim(1)) * a.shape(0).last();
    }

    static void gather(Args a, long from, long to) {
        MemorySegment shares = a.workspace().asSlice(borders(a));
        long time = a.shape(0).dim(2);
        int keys = (int) a.shape(0).last();
        long group = a.shape(2).dim(1) / a.shape(0).dim(1);
        for (int output = 0; output < 2; output++) {
            for (long item = from; item < to; item++) {
                MemorySegment y = a.out(output).asSlice(item * keys * 4, keys * 4L);
                y.fill((byte) 0);
                for (long share = 0; share < group; share++) {
                    long row = output * items(a) * time + (item / time * group + share) * time + item % time;
                    MemorySegment part = shares.asSlice(row * keys * 4, keys * 4L);
                    for (int d = 0; d < keys; d++) {
                        y.set(AttentionSteps.F, d * 4L, y.get(AttentionSteps.F, d * 4L) + part.get(AttentionSteps.F, d * 4L));
                    }
                }
            }
        }
    }
}
