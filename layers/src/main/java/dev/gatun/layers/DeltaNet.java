package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.ops.Activations.softplus;
import static dev.gatun.ops.Activations.swiglu;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.sequence.DeltaRule.deltaRule;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import dev.gatun.ops.sequence.CausalConv;
import dev.gatun.ops.sequence.DeltaRule;

/**
 * DeltaNet (Schlag et al. 2021, arXiv 2102.11174; Yang et al. 2024, arXiv 2406.06484) and gated DeltaNet (Yang et al. 2024,
 * arXiv 2412.06464, section 3.4): linear attention whose memory S {@code [K, V]} is corrected by the {@link DeltaRule} instead of added to.
 *
 * <pre>
 * q, k, v = silu(conv(W token))     by heads; q and k then have length 1
 * beta = sigmoid(W_b token)         times 2 where negative eigenvalues are allowed; one a head
 * S = S' + beta k (v - S'ᵀ k)ᵀ      S' = S, or exp(g) S with g = -exp(A_log) softplus(W_a token + dt_bias) when gated
 * y = W_out norm(Sᵀ q / sqrt K)     an RMS norm for each head; times silu(W_g token) when gated
 * </pre>
 *
 * The state is S {@code [B, H, K, V]} and the last 3 inputs of the three filters; a token costs about {@code 4 H K V} operations beside the projections, however long
 * the past. Projections start uniform in {@code ±in^-1/2}, A_log as the logarithm of a uniform number up to 16, dt_bias as in {@link Mamba}.
 */
public final class DeltaNet implements SequenceLayer<DeltaNet.State> {

    private static final double EPS = 1e-5;

    /**
     * What a DeltaNet layer is.
     *
     * @param width features of a token
     * @param heads memories side by side
     * @param keySize features of a key
     * @param valueSize features of a value
     * @param gated whether memories fade and the output is gated
     * @param negative whether beta goes up to 2, so that a correction may overshoot
     * @param taps tokens the filters see
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long keySize, long valueSize, boolean gated, boolean negative, long taps, long chunk) {

        public Config {
            if (width < 1 || heads < 1 || keySize < 1 || valueSize < 1 || taps < 1) {
                throw new IllegalArgumentException(name(gated) + ": width " + width + ", heads " + heads + ", keySize " + keySize
                        + ", valueSize " + valueSize + " and taps " + taps + " must be positive");
            }
            Pieces.chunk(name(gated), chunk);
        }

        /** Keys and values that share the width among the heads. */
        public static Config of(long width, long heads) {
            long size = shared(false, width, heads);
            return new Config(width, heads, size, size, false, false, 4, 64);
        }

        /** Fading and gated, with values of twice the size of keys. */
        public static Config gated(long width, long heads) {
            long size = shared(true, width, heads);
            return new Config(width, heads, size, 2 * size, true, false, 4, 64);
        }

        private static long shared(boolean gated, long width, long heads) {
            if (heads < 1 || width % heads != 0) {
                throw new IllegalArgumentException(name(gated) + ": a width of " + width + " does not divide into " + heads + " heads");
            }
            return width / heads;
        }

        /** The same with keys and values of other sizes. */
        public Config sizes(long keys, long values) {
            return new Config(width, heads, keys, values, gated, negative, taps, chunk);
        }

        /** The same with beta up to 2, or up to 1. */
        public Config negative(boolean allowed) {
            return new Config(width, heads, keySize, valueSize, gated, allowed, taps, chunk);
        }

        /** The same with filters over so many tokens. */
        public Config taps(long count) {
            return new Config(width, heads, keySize, valueSize, gated, negative, count, chunk);
        }

        /** The same with pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, keySize, valueSize, gated, negative, taps, tokens);
        }

        private static String name(boolean gated) {
            return gated ? "gatedDeltaNet" : "deltaNet";
        }
    }

    /** The past: the memories {@code [B, H, K, V]} and the last inputs of the filters of q, k and v, {@code [B, taps - 1, H K]} or {@code H V}. */
    public record State(Tensor memory, Tensor queryConv, Tensor keyConv, Tensor valueConv) {}

    /** A projection and the filter behind it. */
    private record Path(Linear linear, ShortConv conv) {

        Path(Params p, String name, long width, long size, long taps) {
            this(projection(p, name, width, size), new ShortConv(p.at(name + "_conv"), size, taps, false));
        }

        CausalConv.Result forward(Tensor x, Tensor past) {
            return conv.forward(linear.forward(x), past);
        }
    }

    private final Config config;
    private final String name;
    private final DType dtype;
    private final Path query;
    private final Path key;
    private final Path value;
    private final Linear beta;
    private final Linear fade;
    private final Tensor logA;
    private final Tensor stepBias;
    private final Linear gate;
    private final RmsNorm norm;
    private final Linear out;

    public DeltaNet(Params p, Config config) {
        this.config = config;
        this.name = Config.name(config.gated);
        this.dtype = p.dtype();
        long keys = config.heads * config.keySize;
        long values = config.heads * config.valueSize;
        this.query = new Path(p, "query", config.width, keys, config.taps);
        this.key = new Path(p, "key", config.width, keys, config.taps);
        this.value = new Path(p, "value", config.width, values, config.taps);
        this.beta = projection(p, "beta", config.width, config.heads);
        this.fade = config.gated ? projection(p, "fade", config.width, config.heads) : null;
        // Up to and with 16, and never 0, whose logarithm is infinite.
        this.logA = config.gated ? p.make("a_log", Shape.of(config.heads), (key, spec) ->
                Random.uniform(key, spec.dtype(), spec.shape(), -16, 0).neg().log()) : null;
        this.stepBias = config.gated ? p.make("dt_bias", Shape.of(config.heads), Mamba.stepBias()) : null;
        this.gate = config.gated ? projection(p, "gate", config.width, values) : null;
        this.norm = new RmsNorm(p.at("norm"), config.valueSize, EPS);
        this.out = projection(p, "out", values, config.width);
    }

    private static Linear projection(Params p, String name, long in, long out) {
        return new Linear(p.drawing(name, Init.uniform(1 / Math.sqrt(in))).at(name), in, out);
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, memory(batch)), query.conv.start(batch), key.conv.start(batch), value.conv.start(batch));
    }

    private Shape memory(long batch) {
        return Shape.of(batch, config.heads, config.keySize, config.valueSize);
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens(name, x, config.width);
        long batch = x.dim(0);
        Given.state(name, "memory", past.memory, memory(batch), x);
        Given.state(name, "queryConv", past.queryConv, query.conv.past(batch), x);
        Given.state(name, "keyConv", past.keyConv, key.conv.past(batch), x);
        Given.state(name, "valueConv", past.valueConv, value.conv.past(batch), x);
        return Pieces.forward(x, past, form, config.chunk, this::piece);
    }

    private Step<State> piece(Tensor x, State past) {
        CausalConv.Result q = query.forward(x, past.queryConv);
        CausalConv.Result k = key.forward(x, past.keyConv);
        CausalConv.Result v = value.forward(x, past.valueConv);
        Tensor write = beta.forward(x).sigmoid();
        Given.gate(name, "beta", write);
        Tensor decay = null;
        if (config.gated) {
            decay = softplus(fade.forward(x).add(stepBias)).mul(logA.exp().neg());
            Given.gate(name, "decay", decay);
            decay = decay.swap(1, 2);
        }
        Tensor keys = l2Norm(split(k.y(), config.keySize));
        Tensor values = split(v.y(), config.valueSize);
        Tensor rate = (config.negative ? write.mul(2) : write).swap(1, 2);
        Tensor logDecay = decay;
        named("beta, how much is corrected", rate);
        if (config.gated) {
            named("decay", logDecay::exp);
        }
        if (x.dim(1) == 1) {
            named("surprise v - Sᵀk", () -> values.sub(keys.matmul(logDecay == null ? past.memory : past.memory.mul(logDecay.exp().insertAxis(-1)))));
        }
        DeltaRule.Result read = deltaRule(l2Norm(split(q.y(), config.keySize)), keys, values, rate, logDecay, past.memory);
        Tensor y = norm.forward(read.y()).swap(1, 2).reshape(x.dim(0), x.dim(1), config.heads * config.valueSize);
        y = config.gated ? swiglu(gate.forward(x), y) : y;
        return new Step<>(out.forward(y), new State(read.state(), q.state(), k.state(), v.state()));
    }

    /** {@code [B, T, H K] -> [B, H, T, K]}. */
    private Tensor split(Tensor x, long size) {
        return x.reshape(x.dim(0), x.dim(1), config.heads, size).swap(1, 2);
    }
}
