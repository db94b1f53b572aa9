package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.F;

import dev.gatun.engine.Args;
import dev.gatun.ops.sequence.DecayMean.Weights;
import dev.gatun.ops.sequence.DecayTiles.Head;
import java.lang.foreign.MemorySegment;

/** A single step of {@link DecayChunk} and {@link DecayMean} in F32, as in writing text: one pass over the state of each head, where it lies. */
final class DecayStep {

    private final Args a;
    private final DecaySteps steps;
    private final int keys;
    private final int values;
    private final long keep;
    private final long write;
    private final long read;
    private final long v;
    private final long y;
    private final MemorySegment s;

    private DecayStep(Args a, DecayForms forms) {
        this.a = a;
        this.steps = forms.steps();
        this.keys = (int) a.shape(0).last();
        this.values = (int) a.shape(2).last();
        DecaySpace x = new DecaySpace(forms);
        this.keep = x.numbers(keys);
        this.write = x.numbers(keys);
        this.read = x.numbers(keys);
        this.v = x.numbers(values);
        this.y = x.numbers(values);
        this.s = x.open(a);
    }

    private static void copy(Head from, float factor, MemorySegment s, long to) {
        for (int d = 0; d < from.width(); d++) {
            s.set(F, to + d * 4L, factor * from.at().get(F, from.start() + d * 4L));
        }
    }

    private void fill(long row, float x) {
        for (int d = 0; d < keys; d++) {
            s.set(F, row + d * 4L, x);
        }
    }

    private void advance(long item, int state, int output) {
        long at = item * keys * values * 4;
        steps.advance(s, a.in(state), at, a.out(output), at, keep, write, read, v, y, keys, values);
    }

    static void chunk(Args a, long from, long to, DecayForms forms) {
        DecayStep step = new DecayStep(a, forms);
        long heads = a.shape(2).dim(1);
        long group = heads / a.shape(0).dim(1);
        float scale = (float) a.op(DecayChunk.class).scaleFor(step.keys);
        for (long item = from; item < to; item++) {
            long batch = item / heads;
            long head = item % heads;
            copy(Head.in(a, 0, batch, head / group), scale, step.s, step.read);
            copy(Head.in(a, 1, batch, head / group), 1, step.s, step.write);
            copy(Head.in(a, 2, batch, head), a.inputs() > 5 ? Head.in(a, 5, batch, head).number(0) : 1, step.s, step.v);
            Head g = Head.in(a, 3, batch, head);
            if (a.shape(3).rank() == 4) {
                copy(g, 1, step.s, step.keep);
                step.steps.exp(step.s, step.keep, step.keys);
            } else {
                step.fill(step.keep, (float) Math.exp(g.number(0)));
            }
            step.advance(item, 4, 1);
            MemorySegment.copy(step.s, step.y, a.out(0), item * step.values * 4, step.values * 4L);
        }
    }

    static void mean(Args a, long from, long to, DecayForms forms) {
        DecayStep step = new DecayStep(a, forms);
        for (long item = from; item < to; item++) {
            step.mean(item, a.op(DecayMean.class));
        }
    }

    private void mean(long item, DecayMean op) {
        long heads = a.shape(2).dim(1);
        boolean stable = op.weights() == Weights.STABLE;
        float m = a.in(7).get(F, item * 4);
        float i = Head.in(a, 3, item / heads, item % heads).number(0);
        float past = Head.in(a, 4, item / heads, item % heads).number(0) + (stable ? m : 0);
        float level = stable ? Math.max(past, i) : 0;
        float kept = (float) Math.exp(past - level);
        copy(Head.in(a, 0, item / heads, item % heads), (float) op.scaleFor(keys), s, read);
        copy(Head.in(a, 1, item / heads, item % heads), (float) Math.exp(i - level), s, write);
        copy(Head.in(a, 2, item / heads, item % heads), 1, s, v);
        fill(keep, kept);
        advance(item, 5, 1);
        float u = 0;
        for (int d = 0; d < keys; d++) {
            long at = (item * keys + d) * 4;
            float n = kept * a.in(6).get(F, at) + s.get(F, write + d * 4L);
            a.out(2).set(F, at, n);
            u += s.get(F, read + d * 4L) * n;
        }
        a.out(3).set(F, item * 4, stable ? level : m);
        double den = op.weights() == Weights.POSITIVE ? u + op.eps() : Math.max(Math.abs(u), Math.exp(-level)) + op.eps();
        float inverse = (float) (1 / den);
        for (int d = 0; d < values; d++) {
            a.out(0).set(F, (item * values + d) * 4, inverse * s.get(F, y + d * 4L));
        }
    }
}
