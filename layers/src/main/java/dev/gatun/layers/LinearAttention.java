package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.Activations.eluPlusOne;
import static dev.gatun.ops.sequence.DecayChunk.decayChunk;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.DecayChunk;
import dev.gatun.ops.sequence.DecayMean;

/**
 * Attention whose exponential is replaced by a feature map, so that the past folds into two sums. Katharopoulos et al. 2020,
 * arXiv 2006.16236, equations 9 to 20. With q, k and v the projections of x, split into heads, and φ the feature map:
 *
 * <pre>
 * S_t = S_{t-1} + φ(k_t) v_tᵀ          [K, V] for each head
 * z_t = z_{t-1} + φ(k_t)               [K]
 * y_t = scale S_tᵀ φ(q_t) / (scale z_tᵀ φ(q_t) + eps)
 * </pre>
 *
 * and {@code out} of all heads. Without normalisation the denominator is left out, and z with it. A token costs
 * {@code O(H K V)} at any position, a chunk of C tokens {@code O(C (K + V))} more each; the state has {@code H K (V + 1)} numbers.
 * Without decay it grows with the sequence.
 *
 * <p>Only a positive feature map may be normalised: with products of both signs the denominator passes through zero.
 */
public final class LinearAttention implements SequenceLayer<LinearAttention.State> {

    /** Feature maps. */
    public enum Feature {
        /** {@code x + 1} above zero and {@code exp(x)} below: positive. */
        ELU_PLUS_ONE,
        /** x itself. */
        IDENTITY;

        Tensor of(Tensor x) {
            return this == ELU_PLUS_ONE ? eluPlusOne(x) : x;
        }
    }

    /**
     * What a layer of linear attention is.
     *
     * @param width features of a token
     * @param heads heads
     * @param keySize features of a query and a key
     * @param valueSize features of a value
     * @param feature the feature map
     * @param normalized whether outputs are divided by the sum of their weights
     * @param scale factor on the weights; 0 stands for one over the square root of the key size
     * @param eps added to the sum of weights
     * @param chunk tokens in a piece of {@link Form#CHUNKWISE}
     */
    public record Config(long width, long heads, long keySize, long valueSize, Feature feature, boolean normalized, double scale,
            double eps, long chunk) {

        public Config {
            if (heads < 1 || keySize < 1 || valueSize < 1) {
                throw new IllegalArgumentException("linear attention: heads, key size and value size must be positive, are "
                        + heads + ", " + keySize + " and " + valueSize);
            }
            if (normalized && feature == Feature.IDENTITY) {
                throw new IllegalArgumentException("linear attention: only positive features can be normalised, " + feature + " is not");
            }
            Pieces.chunk("linear attention", chunk);
        }

        /** All of a token's features in equal heads, elu + 1, normalised with eps 1e-6. */
        public static Config of(long width, long heads) {
            if (heads < 1 || width % heads != 0) {
                throw new IllegalArgumentException("linear attention: a width of " + width + " does not divide into " + heads + " heads");
            }
            return new Config(width, heads, width / heads, width / heads, Feature.ELU_PLUS_ONE, true, 1, 1e-6, Pieces.CHUNK);
        }

        /** The same without feature map and normalisation, products divided by the square root of the key size. */
        public Config plain() {
            return new Config(width, heads, keySize, valueSize, Feature.IDENTITY, false, 0, 0, chunk);
        }

        /** The same with heads of other sizes. */
        public Config sizes(long key, long value) {
            return new Config(width, heads, key, value, feature, normalized, scale, eps, chunk);
        }

        /** The same, with weights divided by their sum or not. */
        public Config normalized(boolean divided) {
            return new Config(width, heads, keySize, valueSize, feature, divided, scale, eps, chunk);
        }

        /** The same with another factor on the weights and another eps. */
        public Config scale(double factor, double added) {
            return new Config(width, heads, keySize, valueSize, feature, normalized, factor, added, chunk);
        }

        /** The same in pieces of another length. */
        public Config chunk(long tokens) {
            return new Config(width, heads, keySize, valueSize, feature, normalized, scale, eps, tokens);
        }

        double factor() {
            return scale == 0 ? 1 / Math.sqrt(keySize) : scale;
        }
    }

    /** The past: {@code sums [B, H, K, V]} of φ(k) vᵀ, and {@code keys [B, H, K]} of φ(k). */
    public record State(Tensor sums, Tensor keys) {}

    private final Config config;
    private final DType dtype;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear out;

    /** A layer with parameters {@code query}, {@code key}, {@code value} and {@code out}, none of them biased. */
    public LinearAttention(Params p, Config config) {
        this.config = config;
        this.dtype = p.dtype();
        this.query = new Linear(p.at("query"), config.width, config.heads * config.keySize);
        this.key = new Linear(p.at("key"), config.width, config.heads * config.keySize);
        this.value = new Linear(p.at("value"), config.width, config.heads * config.valueSize);
        this.out = new Linear(p.at("out"), config.heads * config.valueSize, config.width);
    }

    @Override
    public State start(long batch) {
        return new State(Tensor.zeros(dtype, Shape.of(batch, config.heads, config.keySize, config.valueSize)),
                Tensor.zeros(dtype, Shape.of(batch, config.heads, config.keySize)));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Given.tokens("linear attention", x, config.width);
        Shape sums = Shape.of(x.dim(0), config.heads, config.keySize, config.valueSize);
        Given.state("linear attention", "sums", past.sums, sums, x);
        Given.state("linear attention", "keys", past.keys, sums.drop(-1), x);
        Tensor q = split(query.forward(x), config.heads);
        Tensor k = split(key.forward(x), config.heads);
        Tensor v = split(value.forward(x), config.heads);
        Step<State> mixed = attend(config, q, k, v, null, past, form);
        return new Step<>(out.forward(merge(mixed.y())), mixed.state());
    }

    /**
     * Causal linear attention itself, of q and k {@code [B, H, T, K]} and v {@code [B, H, T, V]} after a past: {@code [B, H, T, V]}.
     *
     * @param keyMask truth values {@code [B, T]}, or null: a key where it is false counts for nothing
     */
    public static Step<State> attend(Config config, Tensor q, Tensor k, Tensor v, Tensor keyMask, State past, Form form) {
        Tensor phiQ = config.feature.of(q);
        Tensor phiK = masked(config.feature.of(k), keyMask);
        named("feature map of q", phiQ);
        named("feature map of k", phiK);
        Tensor never = Tensor.zeros(q.dtype(), Shape.of(q.dim(0), q.dim(1), q.dim(2)));
        return Pieces.over(q.dim(2), config.chunk, form, 2, past, (from, to, before) -> {
            Tensor qs = part(phiQ, 2, from, to);
            Tensor ks = part(phiK, 2, from, to);
            Tensor vs = part(v, 2, from, to);
            Tensor zero = part(never, 2, from, to);
            if (!config.normalized) {
                DecayChunk.Result r = decayChunk(qs, ks, vs, zero, before.sums, null, config.factor());
                return new Step<>(r.y(), new State(r.state(), before.keys));
            }
            Tensor level = Tensor.zeros(q.dtype(), Shape.of(q.dim(0), q.dim(1)));
            DecayMean.Result r = new DecayMean(DecayMean.Weights.POSITIVE, config.factor(), config.eps)
                    .of(qs, ks, vs, zero, zero, new DecayMean.State(before.sums, before.keys, level));
            return new Step<>(r.h(), new State(r.state().c(), r.state().n()));
        });
    }

    /** The same without order: every query reads the sums over all keys. */
    public static Tensor bidirectional(Config config, Tensor q, Tensor k, Tensor v, Tensor keyMask) {
        Tensor phiQ = config.feature.of(q).mul(config.factor());
        Tensor phiK = masked(config.feature.of(k), keyMask);
        Tensor y = phiQ.matmul(phiK.transpose().matmul(v));
        return config.normalized ? y.div(phiQ.matmul(phiK.sum(2).transpose()).add(config.eps)) : y;
    }

    private static Tensor masked(Tensor k, Tensor keyMask) {
        if (keyMask == null) {
            return k;
        }
        return keyMask.reshape(keyMask.dim(0), 1, keyMask.dim(1), 1).select(k, Tensor.zeros(k.dtype(), Shape.of()));
    }
}
