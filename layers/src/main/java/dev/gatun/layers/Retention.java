package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.Norms.rmsNormThenGate;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;
import static dev.gatun.ops.sequence.Rope.rope;

import dev.gatun.engine.DType;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.DecayChunk;

/**
 * Linear attention that forgets at a fixed rate for each head. Sun et al. 2023, RetNet, arXiv 2307.08621, equations 5 to 8. With q and
 * k the projections of x, rotated by their position, v another of twice the width, and h counting heads from 0:
 *
 * <pre>
 * S_t = γ_h S_{t-1} + k_t v_tᵀ          [K, V] for each head, γ_h = 1 - 2^(-5-h)
 * r_t = S_tᵀ q_t / sqrt K
 * y_t = out(rms(r_t) w ⊙ silu(gate x_t))
 * </pre>
 *
 * with the RMS norm of each head by itself. A token costs {@code O(H K V)} at any position, the state has {@code H K V} numbers
 * and the position. (RetNet also divides scores by sums of the decays, a factor the norm takes out again; we leave it out.)
 */
public final class Retention implements SequenceLayer<Retention.State> {

    /**
     * What a retention layer is.
     *
     * @param width features of a token
     * @param heads heads, among which queries and keys of the width, and values of twice the width, are split
     * @param ropeBase base of the rotary wavelengths; 0 for no positions
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, double ropeBase, long chunk) {

        public Config {
            if (heads < 1 || width % heads != 0) {
                throw new IllegalArgumentException("retention: a width of " + width + " does not divide into " + heads + " heads");
            }
            Pieces.chunk("retention", chunk);
        }

        /** Positions with base 10000. */
        public static Config of(long width, long heads) {
            return new Config(width, heads, 10_000, Pieces.CHUNK);
        }

        /** The same with other rotary positions. */
        public Config rope(double base) {
            return new Config(width, heads, base, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, ropeBase, tokens);
        }

        private long keySize() {
            return width / heads;
        }
    }

    /** The past: {@code sums [B, H, K, V]}, and the number of tokens so far. */
    public record State(Tensor sums, long position) {}

    private static final double EPS = 1e-5;

    private final Config config;
    private final DType dtype;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear gate;
    private final Tensor norm;
    private final Linear out;
    private final Tensor logGamma;

    /** A layer with parameters {@code query}, {@code key}, {@code value}, {@code gate}, {@code norm} and {@code out}. */
    public Retention(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        this.query = new Linear(p.at("query"), config.width, config.width);
        this.key = new Linear(p.at("key"), config.width, config.width);
        this.value = new Linear(p.at("value"), config.width, 2 * config.width);
        this.gate = new Linear(p.at("gate"), config.width, 2 * config.width);
        this.norm = p.at("norm").make("weight", Shape.of(2 * config.keySize()), Init.ones());
        this.out = new Linear(p.at("out"), 2 * config.width, config.width);
        this.logGamma = logGamma(dtype, config.heads);
    }

    /** Logarithms of the rates {@code [H]}: {@code log(1 - 2^(-5-h))}. */
    public static Tensor logGamma(DType dtype, long heads) {
        double[] logs = new double[Math.toIntExact(heads)];
        for (int h = 0; h < logs.length; h++) {
            logs[h] = Math.log1p(-Math.pow(2, -5 - h));
        }
        // A layer outlives the scope it may have been made in.
        Tensor lasting = Tensor.lasting(new Spec(dtype, Shape.of(heads)));
        Dispatch.overwrite(Tensor.of(dtype, logs), lasting);
        return lasting;
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, Shape.of(batch, config.heads, config.keySize(), 2 * config.keySize())), 0);
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("retention", x, config.width);
        Given.state("retention", "sums", past.sums,
                Shape.of(x.dim(0), config.heads, config.keySize(), 2 * config.keySize()), x);
        Tensor q = rotated(split(query.forward(x), config.heads), past.position);
        Tensor k = rotated(split(key.forward(x), config.heads), past.position);
        Tensor v = split(value.forward(x), config.heads);
        named("decay of each head", logGamma::exp);
        named("k", k);
        named("v", v);
        Step<State> kept = retain(q, k, v, logGamma, past, config.chunk, form);
        Tensor z = split(gate.forward(x), config.heads);
        return new Step<>(out.forward(merge(rmsNormThenGate(kept.y(), z, norm, EPS))), kept.state());
    }

    /** Retention itself, of q and k {@code [B, H, T, K]} and v {@code [B, H, T, V]} after a past, with rates {@code logGamma [H]}. */
    public static Step<State> retain(Tensor q, Tensor k, Tensor v, Tensor logGamma, State past, long chunk, Form form) {
        return Pieces.over(q.dim(2), chunk, form, 2, past, (from, to, before) -> {
            Tensor decay = logGamma.to(q.device()).reshape(1, q.dim(1), 1).expand(Shape.of(q.dim(0), q.dim(1), to - from));
            DecayChunk.Result r = decayChunk(part(q, 2, from, to), part(k, 2, from, to), part(v, 2, from, to), decay, before.sums, null, 0);
            return new Step<>(r.y(), new State(r.state(), before.position + to - from));
        });
    }

    private Tensor rotated(Tensor x, long position) {
        long features = config.keySize() / 2 * 2;
        return config.ropeBase == 0 || features == 0 ? x : rope(x, position, config.ropeBase, features);
    }
}
