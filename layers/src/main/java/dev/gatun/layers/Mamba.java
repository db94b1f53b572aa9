package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.ops.Activations.softplus;
import static dev.gatun.ops.sequence.SelectiveScan.selectiveScan;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.CausalConv;
import dev.gatun.ops.sequence.SelectiveScan;

/**
 * Mamba (Gu and Dao 2023, arXiv 2312.00752, section 3.4 and figure 3): a gated block around a {@link SelectiveScan}, which
 * keeps a state of N numbers for each of Di channels and lets the token say how much to forget and to write.
 *
 * <pre>
 * [x; z] = W_in token               each [B, T, Di]
 * u = silu(conv(x) + b)             a filter over the last 4 tokens of each channel
 * [dt; B; C] = W_x u                R, N and N numbers a token
 * delta = W_dt dt                   the scan adds the bias and takes softplus
 * y = W_out scan(u, delta, -exp(A_log), B, C, skip, gate z)
 * </pre>
 *
 * The state is h {@code [B, Di, N]} and the last 3 inputs of the filter {@code [B, 3, Di]}; a token costs about {@code 6 Dm Di + 9 Di N} operations, however
 * long the past. Starts as in the authors' code: {@code A_log[d, n] = log(n + 1)}, skip 1, the bias such that {@code softplus(bias)} is spread evenly in
 * logarithm from 0.001 to 0.1, W_dt uniform in {@code ±R^-1/2}, other weights in {@code ±in^-1/2}, W_out divided by the root of the model's depth.
 */
public final class Mamba implements SequenceLayer<Mamba.State> {

    private static final String NAME = "mamba";

    /**
     * What a Mamba layer is.
     *
     * @param width features of a token
     * @param inner channels of the scan
     * @param states numbers each channel keeps
     * @param rank how many numbers step sizes are made from
     * @param taps tokens the filter sees
     * @param depth layers of the model it is part of, for the scale of its output at the start
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long inner, long states, long rank, long taps, long depth, long chunk) {

        public Config {
            if (width < 1 || inner < 1 || states < 1 || rank < 1 || taps < 1 || depth < 1) {
                throw new IllegalArgumentException("mamba: width " + width + ", inner " + inner + ", states " + states + ", rank " + rank
                        + ", taps " + taps + " and depth " + depth + " must be positive");
            }
            Pieces.chunk(NAME, chunk);
        }

        /** The paper's sizes: twice as many channels as features, 16 states, a rank of a sixteenth of the width, 4 taps. */
        public static Config of(long width) {
            return new Config(width, 2 * width, 16, Math.ceilDiv(width, 16), 4, 1, 64);
        }

        /** The same with another number of states for each channel. */
        public Config states(long count) {
            return new Config(width, inner, count, rank, taps, depth, chunk);
        }

        /** The same with step sizes made from so many numbers. */
        public Config rank(long count) {
            return new Config(width, inner, states, count, taps, depth, chunk);
        }

        /** The same with a filter over so many tokens. */
        public Config taps(long count) {
            return new Config(width, inner, states, rank, count, depth, chunk);
        }

        /** The same in a model of so many layers. */
        public Config depth(long layers) {
            return new Config(width, inner, states, rank, taps, layers, chunk);
        }

        /** The same with pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, inner, states, rank, taps, depth, tokens);
        }
    }

    /** The past: the scan's state {@code [B, Di, N]} and the filter's last inputs {@code [B, taps - 1, Di]}. */
    public record State(Tensor h, Tensor conv) {}

    private final Config config;
    private final DType dtype;
    private final Linear in;
    private final ShortConv conv;
    private final Linear select;
    private final Tensor stepWeight;
    private final Tensor stepBias;
    private final Tensor logA;
    private final Tensor skip;
    private final Linear out;

    public Mamba(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        long inner = config.inner;
        double share = 1 / Math.sqrt(inner);
        this.in = new Linear(p.drawing("in", Init.uniform(1 / Math.sqrt(config.width))).at("in"), config.width, 2 * inner);
        this.conv = new ShortConv(p.at("conv"), inner, config.taps, true);
        this.select = new Linear(p.drawing("x", Init.uniform(share)).at("x"), inner, config.rank + 2 * config.states);
        this.stepWeight = p.at("dt").make("weight", Shape.of(inner, config.rank), Init.uniform(1 / Math.sqrt(config.rank)));
        this.stepBias = p.at("dt").make("bias", Shape.of(inner), stepBias());
        this.logA = p.make("a_log", Shape.of(inner, config.states), (key, spec) ->
                Tensor.arange(spec.dtype(), config.states).add(1).log().expand(spec.shape()).contiguous());
        this.skip = p.make("skip", Shape.of(inner), Init.ones());
        this.out = new Linear(p.drawing("out", Init.uniform(share / Math.sqrt(config.depth))).at("out"), inner, config.width);
    }

    /** {@code x} with {@code softplus(x) = dt} for steps dt spread evenly in logarithm from 0.001 to 0.1. */
    static Init stepBias() {
        return (key, spec) -> {
            Tensor dt = Random.uniform(key, spec.dtype(), spec.shape(), Math.log(0.001), Math.log(0.1)).exp().max(1e-4);
            return dt.add(dt.neg().expm1().neg().log());
        };
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, Shape.of(batch, config.inner, config.states)), conv.start(batch));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens(NAME, x, config.width);
        Given.state(NAME, "h", past.h, Shape.of(x.dim(0), config.inner, config.states), x);
        Given.state(NAME, "conv", past.conv, conv.past(x.dim(0)), x);
        return Pieces.forward(x, past, form, config.chunk, this::piece);
    }

    private Step<State> piece(Tensor x, State past) {
        long inner = config.inner;
        long n = config.states;
        Tensor both = in.forward(x);
        CausalConv.Result filtered = conv.forward(both.slice(2, 0, inner), past.conv);
        Tensor u = filtered.y();
        Tensor gates = select.forward(u);
        Given.gate(NAME, "[dt; B; C]", gates);
        Tensor delta = Linear.apply(stepWeight, gates.slice(2, 0, config.rank).contiguous());
        named("step size", () -> softplus(delta.add(stepBias)));
        named("decay of each state", () -> softplus(delta.add(stepBias)).insertAxis(-1).mul(logA.exp().neg()).exp());
        SelectiveScan.Result scanned = selectiveScan(u, delta, logA.exp().neg(), part(gates, config.rank, n), part(gates, config.rank + n, n),
                past.h, stepBias, skip, both.slice(2, inner, 2 * inner), true);
        return new Step<>(out.forward(scanned.y()), new State(scanned.state(), filtered.state()));
    }

    /** Columns as one group, {@code [B, T, 1, N]}. */
    private static Tensor part(Tensor gates, long from, long count) {
        return gates.slice(2, from, from + count).insertAxis(2);
    }
}
