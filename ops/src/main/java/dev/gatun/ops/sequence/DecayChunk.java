package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecayMatrix.decayMatrix;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
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
 * A sum of outer products that fades, read at every step: with a state {@code S [K, V]} for each head,
 *
 * <pre>
 * S_t = exp(g_t) S_{t-1} + w_t k_t v_tᵀ          y_t = scale S_tᵀ q_t
 * </pre>
 *
 * This is linear attention (g = 0), retention (Sun et al. 2023, arXiv 2307.08621), gated linear attention (Yang et al. 2023,
 * arXiv 2312.06635; g has a number for each row of S) and Mamba-2 (Dao and Gu 2024, arXiv 2405.21060).
 *
 * <p>Inputs are q and k {@code [B, G, T, K]}, v {@code [B, H, T, V]}, log decays g {@code [B, H, T]} or, one for each row,
 * {@code [B, H, T, K]}, the state before {@code [B, H, K, V]}, and perhaps weights w {@code [B, H, T]}. H is a multiple of G;
 * neighbouring heads share queries and keys. Outputs are y {@code [B, H, T, V]} and the state after the last step. Decays are
 * at most 1, so g is at most 0.
 *
 * <p>Steps are taken in chunks: what was there before acts through S, what came since through a masked product, with
 * {@code b} the sums of g since the chunk began, {@code y_t = scale (sum over i <= t of <q_t, k_i> exp(b_t - b_i) w_i v_i + exp(b_t) Sᵀ q_t)}.
 * Memory is that of the inputs and of the states between chunks.
 *
 * @param scale factor on the outputs; 0 stands for one over the square root of K
 */
public record DecayChunk(double scale) implements Composed {

    /** What the op computes: outputs {@code [B, H, T, V]} and the state {@code [B, H, K, V]} after them. */
    public record Result(Tensor y, Tensor state) {}

    /** Steps that the plain form takes at once. */
    private static final long CHUNK = 64;
    private static final long CHANNEL_CHUNK = 16;

    private static final List<Kernel> KERNELS = List.of(
            fast().when(a -> takes(a) && DecayForms.answers()).strided(), plain().when(DecayChunk::takes).strided(),
            fast().when(a -> usual(a) && DecayForms.answers()), plain().when(DecayChunk::usual));

    private static Kernel fast() {
        return Kernel.vector(DecayTiles::items,
                (a, from, to) -> forward(a, from, to, DecayForms.WARM.fast()))
                .costing(a -> DecayTiles.nanos(a, 10_000)).warmsItself();
    }

    private static Kernel plain() {
        return Kernel.scalar(DecayTiles::items, (a, from, to) -> forward(a, from, to, DecayForms.PLAIN))
                .costing(a -> DecayTiles.nanos(a, 10_000));
    }

    private static void forward(Args a, long from, long to, DecayForms forms) {
        if (a.shape(2).dim(2) == 1) {
            DecayStep.chunk(a, from, to, forms);
        } else if (a.shape(3).rank() == 3) {
            DecayTiles.forward(a, from, to, forms);
        } else {
            ChannelTiles.forward(a, from, to, forms);
        }
    }

    /** With a decay for each channel, heads of their own and no weights are what there are loops for. */
    private static boolean usual(Args a) {
        return a.isF32() && (a.shape(3).rank() == 3 || a.shape(0).dim(1) == a.shape(2).dim(1) && a.inputs() == 5);
    }

    private static boolean takes(Args a) {
        return usual(a) && neighbours(a, 0, 1, 2, 3) && a.contiguous(4);
    }

    /** Whether rows of inputs with four axes can be taken where they are: their numbers must be neighbours. */
    static boolean neighbours(Args a, int... inputs) {
        for (int input : inputs) {
            if (a.shape(input).rank() == 4 && a.shape(input).last() > 1 && a.strides(input)[3] != 1) {
                return false;
            }
        }
        return true;
    }

    /** Reads and fades; the weights may be null. */
    public static Result decayChunk(Tensor q, Tensor k, Tensor v, Tensor logDecay, Tensor state, Tensor weight, double scale) {
        DecayChunk op = new DecayChunk(scale);
        List<Tensor> out = weight == null ? op.applyAll(q, k, v, logDecay, state) : op.applyAll(q, k, v, logDecay, state, weight);
        return new Result(out.get(0), out.get(1));
    }

    @Override
    public List<String> arguments() {
        return List.of("q", "k", "v", "logDecay", "state", "weight");
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
            throw new ShapeException("q is [B, G, T, K] and v [B, H, T, V], not " + q + " and " + v);
        }
        in[0].require("k", in[1]);
        if (v.dim(0) != q.dim(0) || v.dim(2) != q.dim(2)) {
            throw new ShapeException("v must be [" + q.dim(0) + ", H, " + q.dim(2) + ", V] for q " + q + ", is " + v);
        }
        if (q.dim(1) < 1 || v.dim(1) % q.dim(1) != 0) {
            throw new ShapeException(v.dim(1) + " heads do not divide into " + q.dim(1) + " groups of queries and keys");
        }
        Shape steps = v.drop(-1);
        Shape channels = v.with(3, q.dim(3));
        if (!in[3].shape().equals(steps) && !in[3].shape().equals(channels)) {
            throw new ShapeException("the log decay must be " + steps + " or " + channels + ", is " + in[3].shape());
        }
        in[2].with(Shape.of(v.dim(0), v.dim(1), q.dim(3), v.dim(3))).require("the state", in[4]);
        if (in.length > 5) {
            in[2].with(steps).require("the weight", in[5]);
        }
        return List.of(in[2], in[4]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        List<Tensor> in = new ArrayList<>(List.of(b.in(0), b.in(1), b.in(2), b.in(3), b.in(4), b.g(0), b.g(1)));
        if (b.inputs() > 5) {
            in.add(b.in(5));
        }
        return new DecayChunkGrad(this).applyAll(in.toArray(Tensor[]::new));
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor q = headed(in[0], in[2]);
        Tensor k = headed(in[1], in[2]);
        Tensor v = in.length > 5 ? in[2].mul(in[5].insertAxis(-1)) : in[2];
        Tensor g = in[3];
        Tensor state = in[4];
        boolean channels = g.shape().rank() == 4;
        long chunk = channels ? CHANNEL_CHUNK : CHUNK;
        long time = q.dim(2);
        List<Tensor> ys = new ArrayList<>();
        for (long t = 0; t < time; t += chunk) {
            long end = Math.min(t + chunk, time);
            Fading fading = Fading.of(g.slice(2, t, end), channels);
            Tensor qs = q.slice(2, t, end);
            Tensor ks = k.slice(2, t, end);
            Tensor vs = v.slice(2, t, end);
            Tensor y = fading.scores(qs, ks).matmul(vs).add(qs.mul(fading.since).matmul(state));
            ys.add(y.mul(scaleFor(q.dim(3))));
            state = fading.whole.mul(state).add(ks.mul(fading.until).transpose().matmul(vs));
        }
        return List.of(time == 0 ? in[2] : Tensor.concat(2, ys), state);
    }

    /** Queries or keys for each head of v. */
    static Tensor headed(Tensor x, Tensor v) {
        if (x.dim(1) == v.dim(1)) {
            return x;
        }
        Shape shape = x.shape();
        Shape wide = Shape.of(shape.dim(0), shape.dim(1), v.dim(1) / shape.dim(1), shape.dim(2), shape.dim(3));
        return x.insertAxis(2).expand(wide).reshape(shape.with(1, v.dim(1)));
    }

    /**
     * Decays inside a chunk: between any two steps ({@code [B, H, C, C]}, or {@code [B, H, K, C, C]} by channel), from before the
     * chunk to each step and from each step to the end ({@code [B, H, C, 1 or K]}), and over the whole chunk ({@code [B, H, 1 or K, 1]}).
     */
    record Fading(boolean channels, Tensor between, Tensor since, Tensor until, Tensor whole) {

        static Fading of(Tensor g, boolean channels) {
            long last = g.dim(2) - 1;
            Tensor between = decayMatrix(channels ? g.transpose() : g);
            Tensor since = g.cumsum(2).exp();
            Tensor until = between.slice(-2, last, last + 1).dropAxis(-2);
            if (channels) {
                return new Fading(true, between, since, until.transpose(), since.slice(2, last, last + 1).transpose());
            }
            since = since.insertAxis(-1);
            return new Fading(false, between, since, until.insertAxis(-1), since.slice(2, last, last + 1));
        }

        /** Products of queries and earlier keys, faded: {@code [B, H, C, C]}. */
        Tensor scores(Tensor q, Tensor k) {
            if (!channels) {
                return q.matmul(k.transpose()).mul(between);
            }
            return q.transpose().insertAxis(-1).mul(k.transpose().insertAxis(-2)).mul(between).sum(2).dropAxis(2);
        }
    }

    public static List<Sample> samples() {
        return List.of(
                sample(1, 2, 2, 5, 3, 4, false, false),
                sample(1, 1, 2, 1, 3, 2, false, true),
                sample(2, 2, 4, 7, 3, 2, true, false),
                sample(1, 1, 1, 70, 5, 17, false, true),
                sample(1, 1, 2, 35, 17, 3, true, true),
                sample(1, 2, 2, 35, 17, 3, true, false),
                sample(1, 1, 1, 20, 70, 66, true, false),
                sample(1, 1, 1, 35, 66, 70, false, false));
    }

    private static Sample sample(long batch, long groups, long heads, long time, long key, long value, boolean channels, boolean weighted) {
        Shape q = Shape.of(batch, groups, time, key);
        Shape v = Shape.of(batch, heads, time, value);
        Shape g = channels ? v.with(3, key) : v.drop(-1);
        Shape state = Shape.of(batch, heads, key, value);
        DecayChunk op = new DecayChunk(weighted ? 0.7 : 0);
        Sample sample = weighted ? Sample.of(op, q, q, v, g, state, v.drop(-1)) : Sample.of(op, q, q, v, g, state);
        return sample.range(3, -1.5, 0);
    }
}
