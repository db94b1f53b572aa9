package dev.gatun.layers;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.layers.Pieces.merge;
import static dev.gatun.layers.Pieces.part;
import static dev.gatun.layers.Pieces.split;
import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.Rope.rope;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.Attention;
import java.util.ArrayList;
import java.util.List;

/**
 * Causal softmax attention with grouped heads and rotary positions. Vaswani et al. 2017; heads that
 * share keys: Ainslie et al. 2023; rotary positions: Su et al. 2021; sliding window: Beltagy et al.
 * 2020. With {@code q, k, v} the projections of x, split into heads, and q and k rotated by their
 * position: {@code y = out(softmax(q kᵀ / sqrt K) v)} over the keys a query may see.
 */
public final class SoftmaxAttention implements SequenceLayer<SoftmaxAttention.State> {

    /** Tokens in a piece of {@link Form#CHUNKWISE}. */
    private static final long CHUNK = 64;

    /**
     * What an attention layer is.
     *
     * @param width features of a token
     * @param heads query heads
     * @param kvHeads key and value heads; each serves {@code heads / kvHeads} neighbouring query heads
     * @param headSize features of a head
     * @param ropeBase base of the rotary wavelengths; 0 for no positions
     * @param rotated how many first features of a head are rotated
     * @param window how many keys up to its own a query sees; 0 for all
     * @param prefix how many first keys are seen in spite of the window
     * @param softcap c in {@code score = c tanh(score / c)}; 0 for none
     * @param qkNorm whether q and k pass an RMS norm, head by head, before they are rotated
     */
    public record Config(long width, long heads, long kvHeads, long headSize, double ropeBase, long rotated,
            long window, long prefix, double softcap, boolean qkNorm) {

        public Config {
            if (heads < 1 || kvHeads < 1 || heads % kvHeads != 0) {
                throw new IllegalArgumentException("attention: " + heads + " query heads do not divide into " + kvHeads + " groups");
            }
            if (rotated < 0 || rotated > headSize || rotated % 2 != 0) {
                throw new IllegalArgumentException("attention: " + rotated + " rotated features of " + headSize + ", an even number is needed");
            }
        }

        /** All of a token's features in equal heads, all of a head rotated with base 10000, no window. */
        public static Config of(long width, long heads) {
            if (heads < 1 || width % heads != 0) {
                throw new IllegalArgumentException("attention: a width of " + width + " does not divide into " + heads + " heads");
            }
            return new Config(width, heads, heads, width / heads, 10_000, width / heads, 0, 0, 0, false);
        }

        /** The same with fewer key and value heads. */
        public Config kvHeads(long count) {
            return new Config(width, heads, count, headSize, ropeBase, rotated, window, prefix, softcap, qkNorm);
        }

        /** The same with heads of another size, all of it rotated. */
        public Config headSize(long features) {
            return new Config(width, heads, kvHeads, features, ropeBase, features, window, prefix, softcap, qkNorm);
        }

        /** The same with other rotary positions. */
        public Config rope(double base, long features) {
            return new Config(width, heads, kvHeads, headSize, base, features, window, prefix, softcap, qkNorm);
        }

        /** The same with a sliding window. */
        public Config window(long keys, long firstKeys) {
            return new Config(width, heads, kvHeads, headSize, ropeBase, rotated, keys, firstKeys, softcap, qkNorm);
        }

        /** The same with scores bent to stay within {@code ±c}. */
        public Config softcap(double c) {
            return new Config(width, heads, kvHeads, headSize, ropeBase, rotated, window, prefix, c, qkNorm);
        }

        /** The same with normed queries and keys, or without. */
        public Config qkNorm(boolean normed) {
            return new Config(width, heads, kvHeads, headSize, ropeBase, rotated, window, prefix, softcap, normed);
        }
    }

    /**
     * The past: rotated keys and values {@code [B, Hkv, T, K]}, with a window only those that can still be
     * seen, the number of tokens so far, and the room the keys and values lie in, if any.
     */
    public record State(Tensor keys, Tensor values, long position, Cache cache) {

        /** A past that lies anywhere. */
        public State(Tensor keys, Tensor values, long position) {
            this(keys, values, position, null);
        }
    }

    /** What attention computes on the way: output, logarithm of the sum of exponentials {@code [B, H, T]}, and all keys and values read. */
    public record Attended(Tensor y, Tensor lse, Tensor keys, Tensor values) {}

    private final Config config;
    private final Attention seen;
    private final DType dtype;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear out;
    private final RmsNorm queryNorm;
    private final RmsNorm keyNorm;

    public SoftmaxAttention(Params p, Config config) {
        this.config = config;
        this.seen = Attention.CAUSAL.window(config.window, config.prefix).softcap(config.softcap);
        this.dtype = p.dtype();
        this.query = new Linear(p.at("query"), config.width, config.heads * config.headSize);
        this.key = new Linear(p.at("key"), config.width, config.kvHeads * config.headSize);
        this.value = new Linear(p.at("value"), config.width, config.kvHeads * config.headSize);
        this.out = new Linear(p.at("out"), config.heads * config.headSize, config.width);
        this.queryNorm = config.qkNorm ? new RmsNorm(p.at("query_norm"), config.headSize) : null;
        this.keyNorm = config.qkNorm ? new RmsNorm(p.at("key_norm"), config.headSize) : null;
    }

    @Override
    public State start(long batch) {
        Tensor none = Tensor.zeros(dtype, Shape.of(batch, config.kvHeads, 0, config.headSize));
        return new State(none, none, 0);
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Pass pass = pass(x, past, form);
        Cache.Content kept = kept(pass.all);
        return new Step<>(pass.y, new State(kept.keys(), kept.values(), past.position + x.dim(1), kept.cache()));
    }

    /** The parallel form with everything it computes; keys and values are those of the past and the new ones. */
    public Attended attend(Tensor x, State past) {
        Pass pass = pass(x, past, Form.PARALLEL);
        return new Attended(pass.y, pass.lse, pass.all.keys(), pass.all.values());
    }

    private record Pass(Tensor y, Tensor lse, Cache.Content all) {}

    private Pass pass(Tensor x, State past, Form form) {
        Given.tokens("attention", x, config.width);
        Shape shape = Shape.of(x.dim(0), config.kvHeads, kept(past), config.headSize);
        Given.state("attention", "keys", past.keys, shape, x);
        Given.state("attention", "values", past.values, shape, x);
        Tensor q = rotated(normed(queryNorm, split(query.forward(x), config.heads)), past.position);
        Tensor k = rotated(normed(keyNorm, split(key.forward(x), config.kvHeads)), past.position);
        Tensor v = split(value.forward(x), config.kvHeads);
        Cache.Content all = joined(new Cache.Content(past.keys, past.values, past.cache), k, v);
        long time = x.dim(1);
        long before = all.length() - time;
        // Queries are the last ones of the keys they are given, so the forms differ in how many go at once.
        long chunk = switch (form) {
            case PARALLEL -> Math.max(1, time);
            case CHUNKWISE -> CHUNK;
            case RECURRENT -> 1;
        };
        List<Tensor> outputs = new ArrayList<>();
        List<Tensor> logs = new ArrayList<>();
        for (long t = 0; t == 0 || t < time; t += chunk) {
            long end = Math.min(t + chunk, time);
            Attention.Result part = attention(part(q, 2, t, end), part(all.keys(), 2, 0, before + end), part(all.values(), 2, 0, before + end), seen);
            if (end - t == 1) {
                Tensor query = part(q, 2, t, end);
                Tensor keys = part(all.keys(), 2, 0, before + end);
                named("scores q·k / sqrt K of all keys", () -> scores(query, keys));
            }
            outputs.add(part.o());
            logs.add(part.lse());
        }
        return new Pass(out.forward(merge(Tensor.concat(2, outputs))), Tensor.concat(2, logs), all);
    }

    /** How many keys a past has, which must be at least those that tokens after it can see. */
    private long kept(State past) {
        long seen = config.window == 0 ? past.position : Math.min(past.position, config.prefix + config.window - 1);
        long length = past.keys.shape().rank() == 4 ? past.keys.dim(2) : 0;
        if (length < seen) {
            throw new ShapeException("attention: the state has " + length + " keys of " + past.position + " tokens, a window of "
                    + (config.window == 0 ? "all" : config.window + " and a prefix of " + config.prefix) + " needs " + seen
                    + "\n  keys: " + past.keys.describe());
        }
        return length;
    }

    /** Scores {@code [B, H, T]} of one query a head, before cap, window and softmax. */
    private Tensor scores(Tensor query, Tensor keys) {
        Tensor groups = query.reshape(query.dim(0), config.kvHeads, config.heads / config.kvHeads, config.headSize);
        return groups.matmul(keys.transpose()).div(Math.sqrt(config.headSize)).reshape(query.dim(0), config.heads, keys.dim(2));
    }

    /** Past and new tokens. What gradients have to pass is concatenated; else they are appended in place. */
    private static Cache.Content joined(Cache.Content past, Tensor k, Tensor v) {
        if (past.length() == 0) {
            return new Cache.Content(k, v, null);
        }
        if (past.keys().tracked() || past.values().tracked() || k.tracked() || v.tracked()) {
            return new Cache.Content(Tensor.concat(2, List.of(past.keys(), k)), Tensor.concat(2, List.of(past.values(), v)), null);
        }
        return Cache.append(past, k, v);
    }

    /**
     * What later tokens can see: with a window the last {@code window - 1} keys, and the prefix. Dropping
     * keys behind a prefix copies the rest, so that waits until as many are of no use.
     */
    private Cache.Content kept(Cache.Content all) {
        long reach = config.window - 1;
        if (config.window == 0 || all.length() <= config.prefix + reach) {
            return all;
        }
        if (config.prefix == 0) {
            return all.from(all.length() - reach);
        }
        if (all.length() < 2 * (config.prefix + config.window)) {
            return all;
        }
        Cache.Content last = all.from(all.length() - reach);
        return new Cache.Content(
                Tensor.concat(2, List.of(all.keys().slice(2, 0, config.prefix), last.keys())),
                Tensor.concat(2, List.of(all.values().slice(2, 0, config.prefix), last.values())), null);
    }

    private Tensor rotated(Tensor x, long position) {
        return config.ropeBase == 0 || config.rotated == 0 ? x : rope(x, position, config.ropeBase, config.rotated);
    }

    private static Tensor normed(RmsNorm norm, Tensor x) {
        return norm == null ? x : norm.forward(x);
    }
}
