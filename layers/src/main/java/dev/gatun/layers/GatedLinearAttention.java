package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.Activations.logSigmoid;
import static dev.gatun.ops.Norms.rmsNormThenGate;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.DecayChunk;

/**
 * Linear attention whose state forgets row by row, at rates that the tokens choose. Yang et al. 2023, GLA, arXiv 2312.06635, equations 3
 * and 4 and section 4.4. With q and k projections of x to half the width and v to the whole width, split into heads:
 *
 * <pre>
 * g_t = logsigmoid(W2 W1 x_t + b) / 16               [K] for each head, through a bottleneck of 16 features
 * S_t = diag(exp g_t) S_{t-1} + k_t v_tᵀ             [K, V]
 * r_t = S_tᵀ q_t / sqrt K
 * y_t = out(rms(r_t) w ⊙ silu(gate x_t))
 * </pre>
 *
 * with the RMS norm of each head by itself. A token costs {@code O(H K V)} at any position; the state has {@code H K V} numbers.
 */
public final class GatedLinearAttention implements SequenceLayer<GatedLinearAttention.State> {

    /**
     * What a layer of gated linear attention is.
     *
     * @param width features of a token, and of all values
     * @param heads heads
     * @param keyWidth features of all keys
     * @param rank features of the bottleneck that gates pass
     * @param temper what log gates are divided by, so that they start near 0
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long keyWidth, long rank, double temper, long chunk) {

        public Config {
            if (heads < 1 || width % heads != 0 || keyWidth < 1 || keyWidth % heads != 0) {
                throw new IllegalArgumentException("gated linear attention: values of " + width + " and keys of " + keyWidth
                        + " features do not divide into " + heads + " heads");
            }
            if (rank < 1 || !(temper > 0)) {
                throw new IllegalArgumentException("gated linear attention: rank and temper must be positive, are " + rank + " and " + temper);
            }
            Pieces.chunk("gated linear attention", chunk);
        }

        /** Keys of half the width, gates through 16 features and divided by 16. */
        public static Config of(long width, long heads) {
            return new Config(width, heads, width / 2, 16, 16, Pieces.CHUNK);
        }

        /** The same with gates through another number of features. */
        public Config rank(long features) {
            return new Config(width, heads, keyWidth, features, temper, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, keyWidth, rank, temper, tokens);
        }
    }

    /** The past: {@code sums [B, H, K, V]}. */
    public record State(Tensor sums) {}

    private static final double EPS = 1e-5;

    private final Config config;
    private final DType dtype;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear gate;
    private final Linear narrow;
    private final Linear wide;
    private final Tensor norm;
    private final Linear out;

    /**
     * A layer with parameters {@code query}, {@code key}, {@code value}, {@code gate}, {@code decay_in}, {@code decay_out} (biased),
     * {@code norm} and {@code out}.
     */
    public GatedLinearAttention(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        this.query = new Linear(p.at("query"), config.width, config.keyWidth);
        this.key = new Linear(p.at("key"), config.width, config.keyWidth);
        this.value = new Linear(p.at("value"), config.width, config.width);
        this.gate = new Linear(p.at("gate"), config.width, config.width);
        this.narrow = new Linear(p.at("decay_in"), config.width, config.rank);
        this.wide = new Linear(p.at("decay_out"), config.rank, config.keyWidth, true);
        this.norm = p.at("norm").make("weight", Shape.of(config.width / config.heads), Init.ones());
        this.out = new Linear(p.at("out"), config.width, config.width);
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, Shape.of(batch, config.heads, config.keyWidth / config.heads, config.width / config.heads)));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("gated linear attention", x, config.width);
        Given.state("gated linear attention", "sums", past.sums,
                Shape.of(x.dim(0), config.heads, config.keyWidth / config.heads, config.width / config.heads), x);
        Tensor q = split(query.forward(x), config.heads);
        Tensor k = split(key.forward(x), config.heads);
        Tensor v = split(value.forward(x), config.heads);
        Tensor gates = wide.forward(narrow.forward(x));
        Given.gate("gated linear attention", "g", gates);
        Tensor decay = split(logSigmoid(gates).div(config.temper), config.heads);
        named("decay of each row", decay::exp);
        named("k", k);
        named("v", v);
        Step<State> mixed = attend(q, k, v, decay, past, config.chunk, form);
        Tensor z = split(gate.forward(x), config.heads);
        return new Step<>(out.forward(merge(rmsNormThenGate(mixed.y(), z, norm, EPS))), mixed.state());
    }

    /** The mixing itself, of q, k and log decays {@code [B, H, T, K]} and v {@code [B, H, T, V]} after a past. */
    public static Step<State> attend(Tensor q, Tensor k, Tensor v, Tensor logDecay, State past, long chunk, Form form) {
        return Pieces.over(q.dim(2), chunk, form, 2, past, (from, to, before) -> {
            DecayChunk.Result r = decayChunk(part(q, 2, from, to), part(k, 2, from, to), part(v, 2, from, to),
                    part(logDecay, 2, from, to), before.sums, null, 0);
            return new Step<>(r.y(), new State(r.state()));
        });
    }
}
