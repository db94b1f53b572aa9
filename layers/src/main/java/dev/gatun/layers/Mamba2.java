package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Activations.softplus;
import static dev.gatun.ops.Norms.gateThenRmsNorm;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.CausalConv;
import dev.gatun.ops.sequence.DecayChunk;

/**
 * Mamba-2: a state space with one decay for each head and token. Dao and Gu 2024, arXiv 2405.21060, equation 1 with a scalar A, and
 * section 7.1 for the block. {@code [z; x; B; C; dt] = in u}, all of x, B and C then pass a causal convolution over time and silu, and
 * for each head of P features, with B and C of N features shared by the heads of a group,
 *
 * <pre>
 * Δ_t = clamp(softplus(dt_t + bias), limits)         a number for each head
 * h_t = exp(Δ_t A) h_{t-1} + B_t (Δ_t x_t)ᵀ          [N, P], A = -exp(A_log)
 * s_t = h_tᵀ C_t + D x_t                             [P]
 * y_t = out(rms(s_t ⊙ silu(z_t)) w)
 * </pre>
 *
 * A token costs {@code O(H P N)} at any position; the state has {@code H P N} numbers and the last {@code K-1} inputs of
 * the convolution, {@code (H P + 2 G N)(K-1)}. (B is discretised by Euler's rule, as the authors' code does.)
 */
public final class Mamba2 implements SequenceLayer<Mamba2.State> {

    /**
     * What a Mamba-2 layer is.
     *
     * @param width features of a token
     * @param heads heads
     * @param headSize features of a head, P
     * @param stateSize features of B and C, N
     * @param groups groups of heads that share B and C
     * @param taps taps of the convolution
     * @param leastStep lower limit of Δ
     * @param mostStep upper limit of Δ
     * @param normGroups equal parts of a token that the norm sees by themselves
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long headSize, long stateSize, long groups, long taps, double leastStep,
            double mostStep, long normGroups, long chunk) {

        public Config {
            if (heads < 1 || headSize < 1 || stateSize < 1 || taps < 1) {
                throw new IllegalArgumentException("mamba2: heads, head size, state size and taps must be positive, are " + heads + ", "
                        + headSize + ", " + stateSize + " and " + taps);
            }
            if (groups < 1 || heads % groups != 0) {
                throw new IllegalArgumentException("mamba2: " + heads + " heads do not divide into " + groups + " groups");
            }
            if (normGroups < 1 || heads * headSize % normGroups != 0) {
                throw new IllegalArgumentException("mamba2: " + heads * headSize + " features do not divide into " + normGroups + " groups of the norm");
            }
            if (!(leastStep <= mostStep)) {
                throw new IllegalArgumentException("mamba2: the limits of a step are out of order: " + leastStep + " and " + mostStep);
            }
            Pieces.chunk("mamba2", chunk);
        }

        /** Twice the width in these heads, a state of 64, one group, 4 taps, steps without limits. */
        public static Config of(long width, long heads) {
            if (heads < 1 || 2 * width % heads != 0) {
                throw new IllegalArgumentException("mamba2: twice a width of " + width + " does not divide into " + heads + " heads");
            }
            return new Config(width, heads, 2 * width / heads, 64, 1, 4, 0, Double.POSITIVE_INFINITY, 1, Pieces.CHUNK);
        }

        /** The same with heads and states of other sizes. */
        public Config sizes(long head, long state) {
            return new Config(width, heads, head, state, groups, taps, leastStep, mostStep, normGroups, chunk);
        }

        /** The same with another number of groups that share B and C. */
        public Config groups(long count) {
            return new Config(width, heads, headSize, stateSize, count, taps, leastStep, mostStep, normGroups, chunk);
        }

        /** The same with another number of taps. */
        public Config taps(long count) {
            return new Config(width, heads, headSize, stateSize, groups, count, leastStep, mostStep, normGroups, chunk);
        }

        /** The same with steps kept within limits. */
        public Config steps(double least, double most) {
            return new Config(width, heads, headSize, stateSize, groups, taps, least, most, normGroups, chunk);
        }

        /** The same with a norm over parts of a token. */
        public Config normGroups(long count) {
            return new Config(width, heads, headSize, stateSize, groups, taps, leastStep, mostStep, count, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, headSize, stateSize, groups, taps, leastStep, mostStep, normGroups, tokens);
        }

        private long inner() {
            return heads * headSize;
        }

        private long convolved() {
            return inner() + 2 * groups * stateSize;
        }
    }

    /** The past: {@code hidden [B, H, N, P]}, and the inputs {@code inputs [B, K-1, H P + 2 G N]} that the convolution still needs. */
    public record State(Tensor hidden, Tensor inputs) {}

    /**
     * What {@link #scan} reads beside its inputs.
     *
     * @param a decay rates {@code [H]}, negative
     * @param skip D {@code [H]}
     * @param stepBias added to raw steps {@code [H]}
     * @param leastStep lower limit of Δ
     * @param mostStep upper limit of Δ
     */
    public record Rates(Tensor a, Tensor skip, Tensor stepBias, double leastStep, double mostStep) {}

    private static final double EPS = 1e-5;

    private final Config config;
    private final DType dtype;
    private final Linear in;
    private final ShortConv conv;
    private final Tensor logA;
    private final Tensor skip;
    private final Tensor stepBias;
    private final Tensor norm;
    private final Linear out;

    /**
     * A layer with parameters {@code in}, {@code conv.weight}, {@code conv.bias}, {@code A_log}, {@code D}, {@code dt_bias},
     * {@code norm} and {@code out}.
     */
    public Mamba2(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        this.in = new Linear(p.at("in"), config.width, config.inner() + config.convolved() + config.heads);
        this.conv = new ShortConv(p.at("conv"), config.convolved(), config.taps, true);
        this.logA = p.make("A_log", Shape.of(config.heads),
                (key, spec) -> Random.uniform(key, spec.dtype(), spec.shape(), 1, 16).log());
        this.skip = p.make("D", Shape.of(config.heads), Init.ones());
        this.stepBias = p.make("dt_bias", Shape.of(config.heads), Mamba.stepBias());
        this.norm = p.at("norm").make("weight", Shape.of(config.inner()), Init.ones());
        this.out = new Linear(p.at("out"), config.inner(), config.width);
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, Shape.of(batch, config.heads, config.stateSize, config.headSize)),
                conv.start(batch));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("mamba2", x, config.width);
        long batch = x.dim(0);
        Given.state("mamba2", "hidden", past.hidden, Shape.of(batch, config.heads, config.stateSize, config.headSize), x);
        Given.state("mamba2", "inputs", past.inputs, conv.past(batch), x);
        long inner = config.inner();
        long shared = config.groups * config.stateSize;
        Tensor all = in.forward(x);
        Tensor z = all.slice(2, 0, inner);
        CausalConv.Result filtered = conv.forward(all.slice(2, inner, inner + config.convolved()).contiguous(), past.inputs);
        Tensor steps = all.slice(2, inner + config.convolved(), all.dim(2));
        Given.gate("mamba2", "dt", steps);
        long time = x.dim(1);
        Tensor values = filtered.y().slice(2, 0, inner).reshape(batch, time, config.heads, config.headSize);
        Tensor b = filtered.y().slice(2, inner, inner + shared).reshape(batch, time, config.groups, config.stateSize);
        Tensor c = filtered.y().slice(2, inner + shared, inner + 2 * shared).reshape(batch, time, config.groups, config.stateSize);
        Rates rates = new Rates(logA.exp().neg(), skip, stepBias, config.leastStep, config.mostStep);
        Step<Tensor> scanned = scan(values, steps, b, c, rates, past.hidden, config.chunk, form);
        Tensor y = normed(scanned.y().reshape(batch, time, inner), z);
        return new Step<>(out.forward(y), new State(scanned.state(), filtered.state()));
    }

    private Tensor normed(Tensor y, Tensor z) {
        Shape parts = y.shape().with(-1, config.normGroups).insert(-1, config.inner() / config.normGroups);
        Tensor weight = norm.reshape(config.normGroups, config.inner() / config.normGroups);
        return gateThenRmsNorm(y.reshape(parts), z.reshape(parts), weight, EPS).reshape(y.shape());
    }

    /**
     * The scan itself, without gate: x {@code [B, T, H, P]}, raw steps {@code [B, T, H]}, B and C {@code [B, T, G, N]}, and the state before
     * {@code [B, H, N, P]} give {@code [B, T, H, P]} and the state after.
     */
    public static Step<Tensor> scan(Tensor x, Tensor rawSteps, Tensor b, Tensor c, Rates rates, Tensor past, long chunk, Form form) {
        Tensor steps = softplus(rawSteps.add(rates.stepBias)).clamp(rates.leastStep, rates.mostStep);
        Tensor decays = steps.mul(rates.a).swap(1, 2);
        Tensor weights = steps.swap(1, 2);
        named("step size", weights);
        named("decay", decays::exp);
        Tensor k = b.swap(1, 2);
        Tensor q = c.swap(1, 2);
        Tensor v = x.swap(1, 2);
        Step<Tensor> scanned = Pieces.over(x.dim(1), chunk, form, 2, past, (from, to, before) -> {
            DecayChunk.Result r = decayChunk(part(q, 2, from, to), part(k, 2, from, to), part(v, 2, from, to),
                    part(decays, 2, from, to), before, part(weights, 2, from, to), 1);
            return new Step<>(r.y(), r.state());
        });
        Tensor y = scanned.y().swap(1, 2).add(x.mul(rates.skip.insertAxis(-1)));
        return new Step<>(y, scanned.state());
    }

    /** The same with its outputs gated: {@code y silu(z)}. */
    public static Tensor gated(Tensor y, Tensor z) {
        return y.mul(silu(z));
    }
}
