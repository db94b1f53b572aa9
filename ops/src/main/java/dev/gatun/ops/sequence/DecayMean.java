package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * A mean of values with weights that fade: for each head, with a state of {@code C [K, V]} and {@code n [K]},
 *
 * <pre>
 * C_t = exp(f_t) C_{t-1} + exp(i_t) k_t v_tᵀ       n_t = exp(f_t) n_{t-1} + exp(i_t) k_t
 * h_t = C_tᵀ q_t / den(n_tᵀ q_t)                   with scale * q_t for q_t in both
 * </pre>
 *
 * This is the cell of the mLSTM (Beck et al. 2024, arXiv 2405.04517, equations 19 to 27), with exponential or bounded input
 * gate, and normalised linear attention (Katharopoulos et al. 2020, arXiv 2006.16236, equations 18 to 20; f = i = 0).
 *
 * <p>Inputs are q and k {@code [B, H, T, K]}, v {@code [B, H, T, V]}, the logarithms of both gates {@code [B, H, T]}, and the
 * state before, C {@code [B, H, K, V]}, n {@code [B, H, K]} and m {@code [B, H]}; outputs are h {@code [B, H, T, V]} and
 * the state after. For {@link Weights#STABLE}, C and n are kept divided by {@code exp(m)}, where {@code m_t = max(f_t + m_{t-1}, i_t)};
 * otherwise m is handed on as it is. Log forget gates are at most 0.
 *
 * <p>Gradients are true ones: they pass the denominator, and m where the outputs depend on it.
 *
 * @param weights what the denominator is, and whether m moves
 * @param scale factor on q; 0 stands for one over the square root of K
 * @param eps added to the denominator
 */
public record DecayMean(Weights weights, double scale, double eps) implements Composed {

    /** Kinds of weights, and the denominator for {@code u = nᵀ q} that goes with them. */
    public enum Weights {
        /** Positive products of queries and keys: {@code u + eps}. */
        POSITIVE,
        /** Any products, input gates at most 1: {@code max(|u|, 1) + eps}. */
        BOUNDED,
        /** Any products, input gates of any size, kept finite by m: {@code max(|u|, exp(-m)) + eps}. */
        STABLE
    }

    /** The state: sums of weighted {@code k vᵀ} and k, relative to the exponential of m. */
    public record State(Tensor c, Tensor n, Tensor m) {

        /** The state before any step. */
        public static State empty(DType dtype, long batch, long heads, long keySize, long valueSize) {
            return new State(Tensor.zeros(dtype, Shape.of(batch, heads, keySize, valueSize)),
                    Tensor.zeros(dtype, Shape.of(batch, heads, keySize)), Tensor.zeros(dtype, Shape.of(batch, heads)));
        }
    }

    /** What the op computes: means {@code [B, H, T, V]} and the state after them. */
    public record Result(Tensor h, State state) {}

    /** Steps that the plain form takes at once. */
    static final long CHUNK = 64;

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> takes(a) && DecayForms.answers()).strided(), plain().when(DecayMean::takes).strided(),
            fast().when(a -> usual(a) && DecayForms.answers()), plain().when(DecayMean::usual));

    private static Kernel fast() {
        return Kernel.vector(DecayTiles::items, (a, from, to) -> forward(a, from, to, DecayForms.WARM.fast()))
                .costing(a -> DecayTiles.nanos(a, 12_000)).warmsItself();
    }

    private static Kernel plain() {
        return Kernel.scalar(DecayTiles::items, (a, from, to) -> forward(a, from, to, DecayForms.PLAIN))
                .costing(a -> DecayTiles.nanos(a, 12_000));
    }

    private static void forward(Args a, long from, long to, DecayForms forms) {
        if (a.shape(2).dim(2) == 1) {
            DecayStep.mean(a, from, to, forms);
        } else {
            MeanTiles.forward(a, from, to, forms);
        }
    }

    private static boolean usual(Args a) {
        return a.isF32() && a.op(DecayMean.class).tiled();
    }

    private static boolean takes(Args a) {
        return usual(a) && DecayChunk.neighbours(a, 0, 1, 2) && a.contiguous(5) && a.contiguous(6) && a.contiguous(7);
    }

    /** Whether means do not depend on m: then no gradient of the level inside the sequence is needed. */
    boolean tiled() {
        return weights != Weights.STABLE || eps == 0;
    }

    /** Beyond this the exponential of -m is no longer a number of the type. */
    private static double largestExponent(DType dtype) {
        return dtype == DType.F64 ? 700 : 87;
    }

    /** Means with these logarithms of gates, after this state. */
    public Result of(Tensor q, Tensor k, Tensor v, Tensor logInput, Tensor logForget, State past) {
        List<Tensor> out = applyAll(q, k, v, logInput, logForget, past.c, past.n, past.m);
        return new Result(out.get(0), new State(out.get(1), out.get(2), out.get(3)));
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "logInput", "logForget", "c", "n", "m");
    }

    double scaleFor(long keySize) {
        return scale == 0 ? 1 / Math.sqrt(Math.max(1, keySize)) : scale;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        for (Spec each : in) {
            Elementwise.real(in[0].dtype(), each.dtype());
        }
        Shape q = in[0].shape();
        Shape v = in[2].shape();
        if (q.rank() != 4 || v.rank() != 4) {
            throw new ShapeException("q is [B, H, T, K] and v [B, H, T, V], not " + q + " and " + v);
        }
        in[0].require("k", in[1]);
        if (!v.drop(-1).equals(q.drop(-1))) {
            throw new ShapeException("v must be " + q.drop(-1) + " and V for q " + q + ", is " + v);
        }
        Shape steps = q.drop(-1);
        in[0].with(steps).require("logInput", in[3]);
        in[0].with(steps).require("logForget", in[4]);
        in[0].with(Shape.of(q.dim(0), q.dim(1), q.dim(3), v.dim(3))).require("c", in[5]);
        in[0].with(Shape.of(q.dim(0), q.dim(1), q.dim(3))).require("n", in[6]);
        in[0].with(Shape.of(q.dim(0), q.dim(1))).require("m", in[7]);
        return List.of(in[2], in[5], in[6], in[7]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        if (!tiled()) {
            return b.through(this::compose);
        }
        Tensor[] in = new Tensor[13];
        for (int i = 0; i < 8; i++) {
            in[i] = b.in(i);
        }
        in[8] = b.out(0);
        for (int i = 0; i < 4; i++) {
            in[9 + i] = b.g(i);
        }
        return new DecayMeanGrad(this).applyAll(in);
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor c = in[5];
        Tensor n = in[6].insertAxis(-1);
        Tensor m = in[7].insertAxis(-1).insertAxis(-1);
        long time = in[0].dim(2);
        List<Tensor> hs = new ArrayList<>();
        for (long t = 0; t < time; t += CHUNK) {
            long end = Math.min(t + CHUNK, time);
            Tensor q = in[0].slice(2, t, end).mul(scaleFor(in[0].dim(3)));
            Tensor k = in[1].slice(2, t, end);
            Tensor v = in[2].slice(2, t, end);
            Exponents e = exponents(in[3].slice(2, t, end), in[4].slice(2, t, end), m);
            // With eps 0 the mean does not depend on m, so no gradient needs to go there.
            Tensor mu = eps == 0 ? e.level.detach() : e.level;
            Tensor scores = q.matmul(k.transpose()).mul(e.own.sub(mu).exp());
            Tensor past = e.past.sub(mu).exp();
            Tensor sum = scores.matmul(v).add(past.mul(q.matmul(c)));
            Tensor u = scores.sum(-1).add(past.mul(q.matmul(n)));
            hs.add(sum.div(denominator(u, mu)));

            long last = end - t - 1;
            Tensor level = e.level.slice(2, last, last + 1);
            Tensor kept = e.past.slice(2, last, last + 1).sub(level).exp();
            Tensor written = k.mul(e.own.slice(2, last, last + 1).sub(level).exp().transpose()).transpose();
            m = after(e, m);
            c = kept.mul(c).add(written.matmul(v));
            n = kept.mul(n).add(written.sum(-1));
        }
        return List.of(time == 0 ? in[2] : Tensor.concat(2, hs), c, n.dropAxis(-1), m.dropAxis(-1).dropAxis(-1));
    }

    Tensor denominator(Tensor u, Tensor mu) {
        return weights == Weights.POSITIVE ? u.add(eps) : u.abs().max(bound(mu)).add(eps);
    }

    /** What the denominator is at least: 1 in units of the exponential of the level. */
    Tensor bound(Tensor level) {
        return level.neg().min(largestExponent(level.dtype())).exp();
    }

    /** m after a chunk. */
    Tensor after(Exponents e, Tensor m) {
        long last = e.level.dim(2) - 1;
        return weights == Weights.STABLE ? e.level.slice(2, last, last + 1) : m;
    }

    /**
     * Logarithms of weights inside a chunk: of what is written at step i and read at step t, {@code [B, H, C, C]} and -inf for later
     * i; of what was there before, {@code [B, H, C, 1]}; and the level they are taken relative to, {@code [B, H, C, 1]}.
     */
    record Exponents(Tensor own, Tensor past, Tensor level) {}

    Exponents exponents(Tensor i, Tensor f, Tensor m) {
        long steps = f.dim(2);
        Shape square = f.shape().insert(-1, steps);
        Tensor never = Tensor.full(f.dtype(), Shape.of(), Double.NEGATIVE_INFINITY);
        Tensor earlier = Tensor.ones(f.dtype(), Shape.of(steps, steps)).lowerTriangle().gt(0);
        // Each exponent is a sum of its own steps, never a difference of longer sums.
        Tensor between = f.insertAxis(-1).expand(square).lowerTriangle(-1).cumsum(2);
        Tensor own = earlier.select(between.add(i.insertAxis(-2)), never);
        Tensor past = f.cumsum(2).insertAxis(-1);
        if (weights != Weights.STABLE) {
            return new Exponents(own, past, Tensor.zeros(f.dtype(), past.shape()));
        }
        past = past.add(m);
        return new Exponents(own, past, past.max(own.max(-1)));
    }

    public static List<Sample> samples() {
        return List.of(
                sample(new DecayMean(Weights.STABLE, 0, 0), 2, 2, 5, 3, 4),
                sample(new DecayMean(Weights.STABLE, 0, 1e-2), 1, 2, 4, 3, 2),
                sample(new DecayMean(Weights.BOUNDED, 0, 0), 1, 2, 6, 4, 3),
                positive(sample(new DecayMean(Weights.POSITIVE, 1, 1e-6), 1, 2, 7, 3, 2)),
                sample(new DecayMean(Weights.STABLE, 0, 0), 1, 1, 1, 2, 3),
                sample(new DecayMean(Weights.STABLE, 0, 0), 1, 1, 70, 5, 17),
                positive(sample(new DecayMean(Weights.POSITIVE, 1, 1e-6), 1, 1, 70, 17, 5)));
    }

    private static Sample sample(DecayMean op, long batch, long heads, long time, long key, long value) {
        Shape q = Shape.of(batch, heads, time, key);
        Shape steps = q.drop(-1);
        Sample sample = Sample.of(op, q, q, q.with(3, value), steps, steps, Shape.of(batch, heads, key, value),
                Shape.of(batch, heads, key), Shape.of(batch, heads)).range(4, -1.5, 0);
        return op.weights == Weights.STABLE ? sample : sample.range(3, -1.5, 0).range(7, -0.1, 0.1);
    }

    /** Queries, keys and the sum of keys are positive. */
    private static Sample positive(Sample sample) {
        return sample.range(0, 0.1, 2).range(1, 0.1, 2).range(6, 0.1, 2);
    }
}
