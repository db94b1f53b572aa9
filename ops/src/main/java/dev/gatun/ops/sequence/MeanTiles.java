package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecaySpace.CHUNK;
import static dev.gatun.ops.sequence.DecaySteps.ROW;

import dev.gatun.engine.Args;
import dev.gatun.ops.sequence.DecayMean.Weights;
import dev.gatun.ops.sequence.DecayTiles.Head;
import java.lang.foreign.MemorySegment;

/**
 * {@link DecayMean} and its gradient in F32: as {@link DecayTiles}, with a level for each step that keeps weights finite, a vector n
 * beside each state, and outputs divided by the sums of their weights. Inputs are q, k, v, log input gates, log forget gates, C, n and m.
 */
final class MeanTiles {

    /** exp(-m) stays a number. */
    private static final float LARGEST = 87;

    private final Args a;
    private final AttentionSteps products;
    private final DecaySteps steps;
    private final DecayMean op;
    private final int keys;
    private final int values;
    private final long time;
    private final float scale;

    private final DecaySpace x;
    private final long qs;
    private final long ks;
    private final long vs;
    private final long hs;
    private final long gs;
    private final long turnedQ;
    private final long turnedG;
    private final long product;
    private final long tile;
    private final long slopes;
    private final long weights;
    private final long state;
    private final long turnedState;
    private final long slope;
    private final long turnedSlope;
    private final long sum;
    private final long sumSlope;
    private final long forget;
    private final long input;
    private final long level;
    private final long since;
    private final long until;
    private final long zeros;
    private final long ones;
    private final long u;
    private final long inverse;
    private final long lift;
    private final long diagonal;
    private final long read;
    private final long between;
    private final long lane;
    private final long late;
    private final long whole;
    private final MemorySegment s;

    /** m before the chunk at hand, and after it. */
    private float before;
    private float after;

    private MeanTiles(Args a, DecayForms forms, DecayMean op, boolean backward) {
        this.a = a;
        this.products = forms.products();
        this.steps = forms.steps();
        this.op = op;
        this.keys = (int) a.shape(0).last();
        this.values = (int) a.shape(2).last();
        this.time = a.shape(2).dim(2);
        this.scale = (float) op.scaleFor(keys);
        this.x = new DecaySpace(forms);
        this.qs = x.matrix(keys);
        this.ks = x.matrix(keys);
        this.vs = x.matrix(values);
        this.hs = x.matrix(Math.max(keys, values));
        this.turnedQ = x.state(keys, CHUNK);
        this.tile = x.matrix(CHUNK);
        this.weights = x.matrix(CHUNK);
        this.state = x.state(keys, values);
        this.sum = x.matrix(keys);
        this.forget = x.row();
        this.input = x.row();
        this.level = x.row();
        this.since = x.row();
        this.until = x.row();
        this.zeros = x.row();
        this.ones = x.row();
        this.u = x.row();
        this.inverse = x.row();
        this.late = x.row();
        this.whole = x.numbers(Math.max(keys, values));
        this.gs = backward ? x.matrix(values) : 0;
        this.turnedG = backward ? x.state(values, CHUNK) : 0;
        this.product = backward ? x.matrix(Math.max(keys, values)) : 0;
        this.slopes = backward ? x.matrix(CHUNK) : 0;
        this.turnedState = backward ? x.state(values, keys) : 0;
        this.slope = state;
        this.turnedSlope = backward ? x.state(values, keys) : 0;
        this.sumSlope = backward ? x.matrix(keys) : 0;
        this.lift = x.row();
        this.diagonal = x.row();
        this.read = x.row();
        this.between = x.row();
        this.lane = x.row();
        this.s = x.open(a);
        products.fill(s, zeros, DecaySteps.SIDE, 0);
        products.fill(s, ones, DecaySteps.SIDE, 1);
    }

    // ---- what both directions do with a chunk ----

    private boolean stable() {
        return op.weights() == Weights.STABLE;
    }

    /** A row of keys, in blocks as matrices have them. */
    private void loadVector(MemorySegment from, long at, long to) {
        products.fill(s, to, (int) (DecaySpace.blocks(keys) * DecaySteps.BLOCK / 4), 0);
        products.pack(from, at, keys * 4L, 1, keys, s, to);
    }

    /** Gates of a chunk: levels, and weights from before the chunk to each step, and from each step to the end. */
    private void gates(Head i, Head f, long t, int n) {
        float b = 0;
        for (int j = 0; j < n; j++) {
            float decay = f.number(t + j);
            b += decay;
            x.set(forget, j, decay);
            x.set(input, j, i.number(t + j));
            x.set(since, j, b + (stable() ? before : 0));
            x.set(level, j, stable() ? b + before : 0);
        }
        x.set(forget, n, 0);
        if (stable()) {
            steps.rise(s, forget, input, n, level);
        }
        after = stable() ? x.get(level, n - 1) : before;
        float top = x.get(level, n - 1);
        float rest = 0;
        for (int j = n - 1; j >= 0; j--) {
            x.set(until, j, rest + x.get(input, j) - top);
            rest += x.get(forget, j);
            x.set(since, j, x.get(since, j) - x.get(level, j));
        }
        steps.exp(s, since, n);
        steps.exp(s, until, n);
        x.fill(whole, Math.max(keys, values), x.get(since, n - 1));
    }

    /** Weighted products of the chunk's queries and keys, with the scale on queries. */
    private void scores(Head q, long t, int n) {
        x.fetch(q, t, n, qs);
        x.fill(late, n, scale);
        products.fade(s, qs, late, n, keys);
        x.turn(qs, n, keys, turnedQ);
        x.tile(ks, turnedQ, tile, n, keys);
        steps.weights(s, forget, input, level, n, weights);
        steps.weigh(s, tile, zeros, weights, n);
    }

    /** Sums of weights u, and the inverses of denominators. */
    private void denominators(int n) {
        steps.sums(s, tile, n, u);
        steps.dots(s, qs, sum, 0, n, keys, late);
        for (int j = 0; j < n; j++) {
            x.set(u, j, x.get(u, j) + x.get(since, j) * x.get(late, j));
            x.set(late, j, Math.min(-x.get(level, j), LARGEST));
        }
        steps.exp(s, late, n);
        float eps = (float) op.eps();
        for (int j = 0; j < n; j++) {
            float weight = x.get(u, j);
            float den = op.weights() == Weights.POSITIVE ? weight + eps : Math.max(Math.abs(weight), x.get(late, j)) + eps;
            x.set(inverse, j, 1 / den);
        }
    }

    // ---- forward ----

    static void forward(Args a, long from, long to, DecayForms forms) {
        MeanTiles tiles = new MeanTiles(a, forms, a.op(DecayMean.class), false);
        for (long item = from; item < to; item++) {
            tiles.forward(item);
        }
    }

    private void forward(long item) {
        long heads = a.shape(2).dim(1);
        Head q = Head.in(a, 0, item / heads, item % heads);
        Head k = Head.in(a, 1, item / heads, item % heads);
        Head v = Head.in(a, 2, item / heads, item % heads);
        Head i = Head.in(a, 3, item / heads, item % heads);
        Head f = Head.in(a, 4, item / heads, item % heads);
        Head h = Head.out(a.out(0), item, time, values);
        x.load(a.in(5), item * keys * values * 4, keys, values, state);
        loadVector(a.in(6), item * keys * 4, sum);
        before = a.in(7).get(AttentionSteps.F, item * 4);
        for (long t = 0; t < time; t += CHUNK) {
            int n = (int) Math.min(CHUNK, time - t);
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            gates(i, f, t, n);
            scores(q, t, n);
            denominators(n);
            x.times(qs, state, DecaySpace.tall(keys), hs, n, values, keys);
            products.fade(s, hs, since, n, values);
            x.read(tile, vs, hs, n, values);
            for (int r = 0; r < n; r++) {
                products.unpack(s, hs + r * ROW, x.get(inverse, r), values, h.at(), h.row(t + r));
            }
            products.fade(s, ks, until, n, keys);
            x.fadeState(state, whole, keys, values);
            x.write(ks, vs, state, keys, values, n);
            products.fade(s, sum, whole, 1, keys);
            steps.gather(s, ks, ones, n, keys, sum);
            before = after;
        }
        x.store(state, keys, values, a.out(1), item * keys * values * 4);
        products.unpack(s, sum, 1, keys, a.out(2), item * keys * 4);
        a.out(3).set(AttentionSteps.F, item * 4, before);
    }

    // ---- backward ----

    /** What is kept of the state before a chunk: Cᵀ, n and m. */
    private static long borderBytes(Args a) {
        int keys = (int) a.shape(0).last();
        return DecaySpace.stateBytes((int) a.shape(2).last(), keys) + (DecaySpace.blocks(keys) * DecaySteps.SIDE + 16) * 4;
    }

    static long workspace(Args a) {
        return DecayTiles.items(a) * (DecayTiles.chunks(a.shape(2).dim(2)) + 1) * borderBytes(a);
    }

    /** Inputs behind those of the op are h, dh, dC, dn and dm; outputs are the gradients of all inputs of the op. */
    static void backward(Args a, long from, long to, DecayForms forms) {
        MeanTiles tiles = new MeanTiles(a, forms, a.op(DecayMeanGrad.class).of(), true);
        for (long item = from; item < to; item++) {
            tiles.backward(item);
        }
    }

    private long border(long item, long chunk) {
        return (item * (DecayTiles.chunks(time) + 1) + chunk) * borderBytes(a);
    }

    /** Keeps the state before a chunk, or takes it up again. */
    private void border(long item, long chunk, boolean keep) {
        MemorySegment kept = a.workspace().asSlice(border(item, chunk), borderBytes(a));
        long bytes = DecaySpace.stateBytes(values, keys);
        long last = bytes + DecaySpace.blocks(keys) * ROW;
        if (keep) {
            MemorySegment.copy(s, turnedState, kept, 0, bytes);
            for (long block = 0; block < DecaySpace.blocks(keys); block++) {
                MemorySegment.copy(s, sum + block * DecaySteps.BLOCK, kept, bytes + block * ROW, ROW);
            }
            kept.set(AttentionSteps.F, last, before);
        } else {
            MemorySegment.copy(kept, 0, s, turnedState, bytes);
            for (long block = 0; block < DecaySpace.blocks(keys); block++) {
                MemorySegment.copy(kept, bytes + block * ROW, s, sum + block * DecaySteps.BLOCK, ROW);
            }
            before = kept.get(AttentionSteps.F, last);
        }
    }

    private void backward(long item) {
        long heads = a.shape(2).dim(1);
        long batch = item / heads;
        long head = item % heads;
        Head q = Head.in(a, 0, batch, head);
        Head k = Head.in(a, 1, batch, head);
        Head v = Head.in(a, 2, batch, head);
        Head i = Head.in(a, 3, batch, head);
        Head f = Head.in(a, 4, batch, head);
        Head h = Head.in(a, 8, batch, head);
        Head dh = Head.in(a, 9, batch, head);
        Head dq = Head.out(a.out(0), item, time, keys);
        Head dk = Head.out(a.out(1), item, time, keys);
        Head dv = Head.out(a.out(2), item, time, values);
        Head di = Head.out(a.out(3), item, time, 1);
        Head df = Head.out(a.out(4), item, time, 1);
        states(item, k, v, i, f);
        x.load(a.in(10), item * keys * values * 4, keys, values, slope);
        loadVector(a.in(11), item * keys * 4, sumSlope);

        // The state after the last chunk stands in the border behind it. What its gradient has along itself is that of the level.
        long chunks = DecayTiles.chunks(time);
        border(item, chunks, false);
        x.turnState(slope, keys, values, turnedSlope);
        float levelSlope = a.in(12).get(AttentionSteps.F, item * 4);
        if (stable()) {
            levelSlope -= (float) inState();
        }
        for (long c = chunks - 1; c >= 0; c--) {
            long t = c * CHUNK;
            int n = (int) Math.min(CHUNK, time - t);
            border(item, c, false);
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            gates(i, f, t, n);
            scores(q, t, n);
            denominators(n);
            outputs(h, dh, t, n);
            chunk(t, n, dq, dk, dv, di, df);
        }
        border(item, 0, false);
        x.turnState(slope, keys, values, turnedSlope);
        float dm = stable() ? (float) inState() : 0;
        x.store(slope, keys, values, a.out(5), item * keys * values * 4);
        products.unpack(s, sumSlope, 1, keys, a.out(6), item * keys * 4);
        a.out(7).set(AttentionSteps.F, item * 4, dm + (stable() ? level(i, f, di, df, levelSlope) : levelSlope));
    }

    /** {@code <C, dC> + <n, dn>} of the state at hand. */
    private double inState() {
        steps.dots(s, sum, sumSlope, 0, 1, keys, late);
        return x.get(late, 0) + x.product(turnedState, turnedSlope, values, keys, product);
    }

    /** The states before all chunks and after the last one, C transposed, into the workspace. */
    private void states(long item, Head k, Head v, Head i, Head f) {
        x.load(a.in(5), item * keys * values * 4, keys, values, slope);
        products.fill(s, turnedState, (int) (DecaySpace.stateBytes(values, keys) / 4), 0);
        x.turnState(slope, keys, values, turnedState);
        loadVector(a.in(6), item * keys * 4, sum);
        before = a.in(7).get(AttentionSteps.F, item * 4);
        border(item, 0, true);
        for (long t = 0; t < time; t += CHUNK) {
            int n = (int) Math.min(CHUNK, time - t);
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            gates(i, f, t, n);
            products.fade(s, ks, until, n, keys);
            x.fadeState(turnedState, whole, values, keys);
            x.write(vs, ks, turnedState, values, keys, n);
            products.fade(s, sum, whole, 1, keys);
            steps.gather(s, ks, ones, n, keys, sum);
            before = after;
            border(item, t / CHUNK + 1, true);
        }
    }

    /** Gradients of numerators and of the sums of weights u. */
    private void outputs(Head h, Head dh, long t, int n) {
        x.fetch(h, t, n, hs);
        x.fetch(dh, t, n, gs);
        products.fade(s, gs, inverse, n, values);
        steps.dots(s, hs, gs, ROW, n, values, lift);
        for (int j = 0; j < n; j++) {
            float weight = x.get(u, j);
            float along = -x.get(lift, j);
            boolean bound = op.weights() != Weights.POSITIVE && Math.abs(weight) <= x.get(late, j);
            x.set(lift, j, bound ? 0 : op.weights() == Weights.POSITIVE || weight > 0 ? along : -along);
        }
    }

    private void chunk(long t, int n, Head dq, Head dk, Head dv, Head di, Head df) {
        x.turn(gs, n, values, turnedG);
        x.turnState(slope, keys, values, turnedSlope);
        x.tile(vs, turnedG, slopes, n, values);
        steps.crossing(s, tile, slopes, lift, n, between);
        steps.weigh(s, slopes, lift, weights, n);
        x.takeDiagonal(slopes, n, diagonal);

        // dq_t = exp(b_t) (C g_t + n du_t) + sum of dA_ti k_i
        x.times(gs, turnedState, DecaySpace.tall(values), hs, n, keys, values);
        steps.blend(s, hs, ones, lift, sum, 0, n, keys);
        products.fade(s, hs, since, n, keys);
        steps.dots(s, hs, qs, ROW, n, keys, read);
        x.read(slopes, ks, hs, n, keys);
        steps.blend(s, hs, ones, diagonal, ks, ROW, n, keys);
        x.put(hs, scale, dq, t, n);

        // dk_i = exp(b_C - b_i) (dC v_i + dn) + sum of dA_ti q_t
        x.times(vs, turnedSlope, DecaySpace.tall(values), hs, n, keys, values);
        steps.blend(s, hs, ones, ones, sumSlope, 0, n, keys);
        products.fade(s, hs, until, n, keys);
        steps.dots(s, hs, ks, ROW, n, keys, late);
        x.reach(slopes, qs, product, n, keys);
        steps.blend(s, hs, ones, ones, product, ROW, n, keys);
        steps.blend(s, hs, ones, diagonal, qs, ROW, n, keys);
        x.put(hs, 1, dk, t, n);

        steps.dots(s, sum, sumSlope, 0, 1, keys, lane);
        double left = x.get(since, n - 1) * (x.get(lane, 0) + x.product(turnedState, turnedSlope, values, keys, product));
        DecayTiles.slopes(x, n, left, late, read, between, df, t);

        // di_i = <k_i, dk_i>
        steps.dots(s, hs, ks, ROW, n, keys, late);
        for (int j = 0; j < n; j++) {
            di.number(t + j, x.get(late, j));
        }

        // dv_i = exp(b_C - b_i) dCᵀ k_i + sum of P_ti g_t
        x.times(ks, slope, DecaySpace.tall(keys), hs, n, values, keys);
        x.reach(tile, gs, product, n, values);
        steps.blend(s, hs, until, ones, product, ROW, n, values);
        x.put(hs, 1, dv, t, n);

        products.fade(s, qs, since, n, keys);
        x.fadeState(slope, whole, keys, values);
        x.write(qs, gs, slope, keys, values, n);
        products.fade(s, sumSlope, whole, 1, keys);
        steps.gather(s, qs, lift, n, keys, sumSlope);
    }

    /** The gradient of the last level goes to the step that set it, and to the decays since; what is left goes to m. */
    private float level(Head i, Head f, Head di, Head df, float slope) {
        if (slope == 0) {
            return 0;
        }
        float m = before;
        long set = -1;
        for (long t = 0; t < time; t++) {
            float kept = m + f.number(t);
            float input = i.number(t);
            set = input > kept ? t : set;
            m = Math.max(kept, input);
        }
        for (long t = set + 1; t < time; t++) {
            df.number(t, df.number(t) + slope);
        }
        if (set < 0) {
            return slope;
        }
        di.number(set, di.number(set) + slope);
        return 0;
    }
}
