package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Cumulative;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Gradients of {@link DecayMean} with respect to its eight inputs, from those, its output h, and the gradients of its four outputs. With
 * {@code den} the denominator and {@code u = nᵀ q}, numerators have the gradient {@code dh / den}, and u has {@code -<h, dh> sign(u) / den}
 * where it is the denominator, else 0. What follows is the gradient of {@link DecayChunk} with one more column of values,
 * equal to 1. For input gates, {@code di_t = <k_t, dk_t>}. m is a mere unit: nothing that the outputs mean depends on it, so
 * its gradient is what the state's gradient has along the state.
 */
public record DecayMeanGrad(DecayMean of) implements Composed {

    public DecayMeanGrad {
        if (!of.tiled()) {
            throw new IllegalArgumentException("decayMeanGrad: with eps " + of.eps() + " means depend on m, whose gradient this op leaves out");
        }
    }

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> takes(a) && DecayForms.answers()).strided(), plain().when(DecayMeanGrad::takes).strided(),
            fast().when(a -> usual(a) && DecayForms.answers()), plain().when(DecayMeanGrad::usual));

    private static Kernel fast() {
        return Kernel.vector(DecayTiles::items, (a, from, to) -> MeanTiles.backward(a, from, to, DecayForms.WARM.fast()))
                .costing(a -> DecayTiles.nanos(a, 30_000)).workspace(MeanTiles::workspace).warmsItself();
    }

    private static Kernel plain() {
        return Kernel.scalar(DecayTiles::items, (a, from, to) -> MeanTiles.backward(a, from, to, DecayForms.PLAIN))
                .costing(a -> DecayTiles.nanos(a, 30_000)).workspace(MeanTiles::workspace);
    }

    private static boolean usual(Args a) {
        return a.isF32() && a.op(DecayMeanGrad.class).of.tiled();
    }

    private static boolean takes(Args a) {
        return usual(a) && DecayChunk.neighbours(a, 0, 1, 2, 8, 9) && a.contiguous(5) && a.contiguous(6) && a.contiguous(7)
                && a.contiguous(10) && a.contiguous(11) && a.contiguous(12);
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "logInput", "logForget", "c", "n", "m", "h", "dh", "dc", "dn", "dm");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Spec[] forward = Arrays.copyOf(in, 8);
        List<Spec> out = of.infer(forward);
        out.get(0).require("h", in[8]);
        for (int i = 0; i < 4; i++) {
            out.get(i).require(arguments().get(9 + i), in[9 + i]);
        }
        return List.of(forward);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** What the forward direction knows of a chunk: its inputs, the state before it and its weights. */
    private record Chunk(Tensor q, Tensor k, Tensor v, Tensor c, Tensor n, DecayMean.Exponents e) {

        Tensor weights() {
            return e.own().sub(e.level()).exp();
        }

        Tensor since() {
            return e.past().sub(e.level()).exp();
        }

        Tensor last(Tensor x) {
            return x.slice(2, x.dim(2) - 1, x.dim(2));
        }

        Tensor until() {
            return last(weights()).transpose();
        }
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        long time = in[0].dim(2);
        int count = (int) Math.ceilDiv(time, DecayMean.CHUNK);
        double scale = of.scaleFor(in[0].dim(3));
        List<Chunk> chunks = new ArrayList<>();
        Tensor c = in[5];
        Tensor n = in[6].insertAxis(-1);
        Tensor m = in[7].insertAxis(-1).insertAxis(-1);
        for (int j = 0; j < count; j++) {
            DecayMean.Exponents e = of.exponents(part(in[3], j), part(in[4], j), m);
            Chunk chunk = new Chunk(part(in[0], j).mul(scale), part(in[1], j), part(in[2], j), c, n, e);
            chunks.add(chunk);
            Tensor written = chunk.k.mul(chunk.until()).transpose();
            Tensor whole = chunk.last(chunk.since());
            c = whole.mul(c).add(written.matmul(chunk.v));
            n = whole.mul(n).add(written.sum(-1));
            m = of.after(e, m);
        }
        Tensor dc = in[10];
        Tensor dn = in[11].insertAxis(-1);
        Tensor dm = in[12];
        if (of.weights() == DecayMean.Weights.STABLE) {
            dm = dm.sub(along(c, dc, n, dn));
        }
        Tensor[][] parts = new Tensor[5][count];
        for (int j = count - 1; j >= 0; j--) {
            Chunk one = chunks.get(j);
            Tensor q = one.q;
            Tensor k = one.k;
            Tensor weights = one.weights();
            Tensor since = one.since();
            Tensor until = one.until();
            Tensor scores = q.matmul(k.transpose()).mul(weights);
            Tensor u = scores.sum(-1).add(since.mul(q.matmul(one.n)));
            Tensor den = of.denominator(u, one.e.level());
            Tensor dh = part(in[9], j).div(den);
            Tensor du = sumSlope(u, one.e.level(), part(in[8], j).mul(dh).sum(-1).neg());
            Tensor dScores = dh.matmul(one.v.transpose()).add(du).mul(weights);
            Tensor read = since.mul(dh.matmul(one.c.transpose()).add(du.matmul(one.n.transpose())));
            Tensor left = until.mul(one.v.matmul(dc.transpose()).add(dn.transpose()));
            Tensor dk = left.add(dScores.transpose().matmul(q));
            Tensor crossing = DecayChunkGrad.crossing(dScores.mul(q.matmul(k.transpose())));
            Tensor whole = one.last(since);
            Tensor before = whole.mul(along(one.c, dc, one.n, dn).insertAxis(-1).insertAxis(-1));
            parts[0][j] = read.add(dScores.matmul(k)).mul(scale);
            parts[1][j] = dk;
            parts[2][j] = until.mul(k).matmul(dc).add(scores.transpose().matmul(dh));
            parts[3][j] = k.mul(dk).sum(-1).dropAxis(-1);
            parts[4][j] = DecayChunkGrad.fades(crossing, q.mul(read).sum(-1), k.mul(left).sum(-1), before).dropAxis(-1);
            Tensor asked = q.mul(since).transpose();
            dc = whole.mul(dc).add(asked.matmul(dh));
            dn = whole.mul(dn).add(asked.matmul(du));
            c = one.c;
            n = one.n;
        }
        Tensor di = joined(parts[3], in[3]);
        Tensor df = joined(parts[4], in[4]);
        if (of.weights() == DecayMean.Weights.STABLE) {
            // The last level goes back to the step that set it, and to the decays since.
            Tensor level = dm.insertAxis(-1);
            Tensor fromStart = in[7].insertAxis(-1).add(in[4].sum(-1));
            Tensor fromStep = new Cumulative(2, true).apply(in[4]).sub(in[4]).add(in[3]);
            Tensor top = time == 0 ? fromStart : fromStep.max(-1).max(fromStart);
            Tensor kept = fromStart.eq(top).select(level, level.mul(0));
            Tensor set = fromStep.eq(top).select(level, level.mul(0));
            di = di.add(set);
            df = df.add(set.cumsum(2).sub(set).add(kept));
            dm = kept.dropAxis(-1).add(along(c, dc, n, dn));
        }
        return List.of(joined(parts[0], in[0]), joined(parts[1], in[1]), joined(parts[2], in[2]), di, df, dc, dn.dropAxis(-1), dm);
    }

    /** {@code <c, dc> + <n, dn>} for each head. */
    private static Tensor along(Tensor c, Tensor dc, Tensor n, Tensor dn) {
        return c.mul(dc).sum(-2, -1).add(n.mul(dn).sum(-2, -1)).dropAxis(-1).dropAxis(-1);
    }

    private Tensor sumSlope(Tensor u, Tensor level, Tensor slope) {
        if (of.weights() == DecayMean.Weights.POSITIVE) {
            return slope;
        }
        Tensor bound = of.bound(level);
        return u.abs().gt(bound).select(u.sign().mul(slope), slope.mul(0));
    }

    private static Tensor part(Tensor x, int chunk) {
        long t = chunk * DecayMean.CHUNK;
        return x.slice(2, t, Math.min(t + DecayMean.CHUNK, x.dim(2)));
    }

    private static Tensor joined(Tensor[] parts, Tensor like) {
        return parts.length == 0 ? like.mul(0) : Tensor.concat(2, Arrays.asList(parts));
    }

    public static List<Sample> samples() {
        return DecayMean.samples().stream().filter(sample -> ((DecayMean) sample.op()).tiled()).map(DecayMeanGrad::sample).toList();
    }

    private static Sample sample(Sample forward) {
        List<Shape> in = new ArrayList<>(forward.inputs().stream().map(Sample.Input::shape).toList());
        in.addAll(List.of(in.get(2), in.get(2), in.get(5), in.get(6), in.get(7)));
        Sample sample = Sample.of(new DecayMeanGrad((DecayMean) forward.op()), in.toArray(Shape[]::new));
        for (int i = 0; i < 8; i++) {
            sample = sample.range(i, forward.inputs().get(i).from(), forward.inputs().get(i).to());
        }
        return sample;
    }
}
