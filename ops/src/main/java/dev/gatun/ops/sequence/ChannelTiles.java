package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecaySteps.BLOCK;
import static dev.gatun.ops.sequence.DecaySteps.ROW;
import static dev.gatun.ops.sequence.DecaySteps.SIDE;

import dev.gatun.engine.Args;
import dev.gatun.ops.sequence.DecayTiles.Head;
import java.lang.foreign.MemorySegment;

/**
 * {@link DecayChunk} with a decay for each channel, and its gradient, in F32: as {@link DecayTiles}, in chunks of 16 steps. What is written and
 * read inside a chunk is taken pair by pair, with the decays between the two as running products; everything else is
 * matrix products, as decays from the chunk's start and to its end are numbers of a row.
 */
final class ChannelTiles {

    /** Steps in a chunk. */
    private static final int CHUNK = 16;

    private final Args a;
    private final AttentionSteps products;
    private final DecaySteps steps;
    private final ChannelSteps channels;
    private final int keys;
    private final int values;
    private final long time;
    private final float scale;

    private final DecaySpace x;
    private final long qs;
    private final long ks;
    private final long vs;
    private final long as;
    private final long since;
    private final long until;
    private final long faded;
    private final long ys;
    private final long tile;
    private final long state;
    private final long whole;
    private final long late;
    private final long gs;
    private final long dks;
    private final long slopes;
    private final long turnedG;
    private final long turnedState;
    private final long turnedSlope;
    private final long worth;
    private final long inside;
    private final long diagonal;
    private final long ones;
    private final MemorySegment s;

    private ChannelTiles(Args a, DecayForms forms, DecayChunk op, boolean backward) {
        this.a = a;
        this.products = forms.products();
        this.steps = forms.steps();
        this.channels = forms.channels();
        this.keys = (int) a.shape(0).last();
        this.values = (int) a.shape(2).last();
        this.time = a.shape(2).dim(2);
        this.scale = (float) op.scaleFor(keys);
        this.x = new DecaySpace(forms);
        this.qs = x.matrix(keys);
        this.ks = x.matrix(keys);
        this.as = x.matrix(keys);
        this.since = x.matrix(keys);
        this.until = x.matrix(keys);
        this.faded = x.matrix(keys);
        this.worth = x.matrix(keys);
        this.inside = x.matrix(keys);
        this.vs = x.matrix(values);
        this.ys = x.matrix(Math.max(keys, values));
        this.tile = x.matrix(CHUNK);
        this.state = x.state(keys, values);
        this.whole = x.numbers(keys);
        this.late = x.row();
        this.diagonal = x.row();
        this.ones = x.row();
        this.gs = backward ? x.matrix(values) : 0;
        this.dks = backward ? x.matrix(Math.max(keys, values)) : 0;
        this.slopes = backward ? x.matrix(CHUNK) : 0;
        this.turnedG = backward ? x.state(values, CHUNK) : 0;
        this.turnedState = backward ? x.state(values, keys) : 0;
        this.turnedSlope = backward ? x.state(values, keys) : 0;
        this.s = x.open(a);
        // Channels behind the last one are 0 and stay so.
        products.fill(s, qs, (int) ((worth - qs) / 4), 0);
        products.fill(s, ones, SIDE, 1);
    }

    /** Decays of a chunk: each step's, from before the chunk, to its end, and over all of it. */
    private void decays(Head g, long t, int n) {
        x.fetch(g, t, n, as);
        for (int d = 0; d < keys; d += SIDE) {
            for (int r = 0; r < n; r++) {
                steps.exp(s, as + d / SIDE * BLOCK + r * ROW, Math.min(SIDE, keys - d));
            }
        }
        channels.running(s, as, n, keys, since, until);
        for (int d = 0; d < keys; d += SIDE) {
            MemorySegment.copy(s, since + d / SIDE * BLOCK + (n - 1) * ROW, s, whole + d * 4L, ROW);
        }
    }

    // ---- forward ----

    static void forward(Args a, long from, long to, DecayForms forms) {
        ChannelTiles tiles = new ChannelTiles(a, forms, a.op(DecayChunk.class), false);
        for (long item = from; item < to; item++) {
            tiles.forward(item);
        }
    }

    private void forward(long item) {
        long heads = a.shape(2).dim(1);
        Head q = Head.in(a, 0, item / heads, item % heads);
        Head k = Head.in(a, 1, item / heads, item % heads);
        Head v = Head.in(a, 2, item / heads, item % heads);
        Head g = Head.in(a, 3, item / heads, item % heads);
        Head y = Head.out(a.out(0), item, time, values);
        x.load(a.in(4), item * keys * values * 4, keys, values, state);
        for (long t = 0; t < time; t += CHUNK) {
            int n = (int) Math.min(CHUNK, time - t);
            x.fetch(q, t, n, qs);
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            decays(g, t, n);
            channels.pairs(s, qs, ks, as, n, keys, tile);
            channels.multiply(s, qs, since, n, keys, faded);
            x.times(faded, state, DecaySpace.tall(keys), ys, n, values, keys);
            x.read(tile, vs, ys, n, values);
            x.put(ys, scale, y, t, n);
            channels.multiply(s, ks, until, n, keys, faded);
            x.fadeState(state, whole, keys, values);
            x.write(faded, vs, state, keys, values, n);
        }
        x.store(state, keys, values, a.out(1), item * keys * values * 4);
    }

    // ---- backward ----

    private static long chunks(long time) {
        return Math.ceilDiv(time, CHUNK);
    }

    static long workspace(Args a) {
        return DecayTiles.items(a) * chunks(a.shape(2).dim(2)) * DecaySpace.stateBytes((int) a.shape(2).last(), (int) a.shape(0).last());
    }

    private long border(long item, long chunk) {
        return (item * chunks(time) + chunk) * DecaySpace.stateBytes(values, keys);
    }

    static void backward(Args a, long from, long to, DecayForms forms) {
        ChannelTiles tiles = new ChannelTiles(a, forms, a.op(DecayChunkGrad.class).of(), true);
        for (long item = from; item < to; item++) {
            tiles.backward(item);
        }
    }

    private void backward(long item) {
        long heads = a.shape(2).dim(1);
        Head q = Head.in(a, 0, item / heads, item % heads);
        Head k = Head.in(a, 1, item / heads, item % heads);
        Head v = Head.in(a, 2, item / heads, item % heads);
        Head g = Head.in(a, 3, item / heads, item % heads);
        Head dy = Head.in(a, 5, item / heads, item % heads);
        Head dq = Head.out(a.out(0), item, time, keys);
        Head dk = Head.out(a.out(1), item, time, keys);
        Head dv = Head.out(a.out(2), item, time, values);
        Head dg = Head.out(a.out(3), item, time, keys);
        states(item, k, v, g);
        x.load(a.in(6), item * keys * values * 4, keys, values, state);
        for (long c = chunks(time) - 1; c >= 0; c--) {
            long t = c * CHUNK;
            int n = (int) Math.min(CHUNK, time - t);
            x.fetch(q, t, n, qs);
            x.fetch(k, t, n, ks);
            x.fetch(v, t, n, vs);
            x.fetch(dy, t, n, gs);
            x.fill(late, n, scale);
            products.fade(s, gs, late, n, values);
            decays(g, t, n);
            MemorySegment.copy(a.workspace(), border(item, c), s, turnedState, DecaySpace.stateBytes(values, keys));
            chunk(t, n, dq, dk, dv, dg);
        }
        x.store(state, keys, values, a.out(4), item * keys * values * 4);
    }

    /** The states before all chunks, transposed, into the workspace. */
    private void states(long item, Head k, Head v, Head g) {
        x.load(a.in(4), item * keys * values * 4, keys, values, state);
        for (long c = 0; c < chunks(time); c++) {
            x.turnState(state, keys, values, turnedState);
            MemorySegment.copy(s, turnedState, a.workspace(), border(item, c), DecaySpace.stateBytes(values, keys));
            long t = c * CHUNK;
            if (t + CHUNK < time) {
                x.fetch(k, t, CHUNK, ks);
                x.fetch(v, t, CHUNK, vs);
                decays(g, t, CHUNK);
                channels.multiply(s, ks, until, CHUNK, keys, faded);
                x.fadeState(state, whole, keys, values);
                x.write(faded, vs, state, keys, values, CHUNK);
            }
        }
    }

    private void chunk(long t, int n, Head dq, Head dk, Head dv, Head dg) {
        x.turn(gs, n, values, turnedG);
        x.turnState(state, keys, values, turnedSlope);
        x.tile(vs, turnedG, slopes, n, values);
        x.takeDiagonal(slopes, n, diagonal);
        channels.pairs(s, qs, ks, as, n, keys, tile);

        // dq_t = exp(b_t) S g_t and dk_i = exp(b_C - b_i) dS v_i, then the pairs; what a step both writes and reads comes last
        x.times(gs, turnedState, DecaySpace.tall(values), ys, n, keys, values);
        channels.multiply(s, ys, since, n, keys, ys);
        x.times(vs, turnedSlope, DecaySpace.tall(values), dks, n, keys, values);
        channels.multiply(s, dks, until, n, keys, dks);
        before(n);
        products.fill(s, inside, (int) (DecaySpace.blocks(keys) * BLOCK / 4), 0);
        channels.pairSlopes(s, qs, ks, as, slopes, n, keys, ys, inside);
        channels.decaySlopes(s, qs, ys, ks, inside, dks, worth, n, keys, faded);
        x.put(faded, 1, dg, t, n);
        steps.blend(s, ys, ones, diagonal, ks, ROW, n, keys);
        x.put(ys, 1, dq, t, n);
        steps.blend(s, dks, ones, ones, inside, ROW, n, keys);
        steps.blend(s, dks, ones, diagonal, qs, ROW, n, keys);
        x.put(dks, 1, dk, t, n);

        // dv_i = dSᵀ (exp(b_C - b_i) k_i) + sum of P_ti g_t
        channels.multiply(s, ks, until, n, keys, faded);
        x.times(faded, state, DecaySpace.tall(keys), ys, n, values, keys);
        x.reach(tile, gs, dks, n, values);
        steps.blend(s, ys, ones, ones, dks, ROW, n, values);
        x.put(ys, 1, dv, t, n);

        channels.multiply(s, qs, since, n, keys, faded);
        x.fadeState(state, whole, keys, values);
        x.write(faded, gs, state, keys, values, n);
    }

    /** What is left of the state before the chunk is worth to each channel: {@code exp(b_C)} times the sum over columns of S dS. */
    private void before(int n) {
        for (int d = 0; d < keys; d += SIDE) {
            long block = d / SIDE * DecaySpace.tall(values);
            long row = worth + d / SIDE * BLOCK;
            products.dots(s, turnedState + block, turnedSlope + block, values, row);
            channels.multiply(s, row, since + d / SIDE * BLOCK + (n - 1) * ROW, 1, Math.min(SIDE, keys - d), row);
        }
    }
}
