package dev.gatun.layers.memory;

import static dev.gatun.ops.sequence.MemoryScan.carried;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Step;
import java.util.ArrayList;
import java.util.List;

/**
 * A linear memory over the features φ* of all degrees, for which {@code φ*(q) · φ*(k) = exp(q · k)}: never made, since the
 * weights are {@code W = sum over i of u_i φ*(k_i)ᵀ} with one vector {@code u_i} a token. With {@code s = K^-1/2} on products
 * (the paper drops it) and the losses of {@link FastMemory}'s window,
 *
 * <pre>
 * u_i = r_t u_i for all i;       for i in the window of t
 *   DOT      u_i += λ_t γ_{t,t-i} v_i                                      DeepTransformer; with a window SWDT
 *   SQUARED  u_i -= 2 λ_t γ_{t,t-i} (sum over j of u_j exp(s k_i · k_j) - v_i)      Dot, all sums before the step
 * y_t = sum over i of u_i exp(s q_t · k_i)
 * </pre>
 *
 * ATLAS (arXiv 2505.23735), section 3.3 and equations 22 to 31; signs are derived from the losses, as the printed ones disagree.
 * No softmax's sum divides: outputs grow with the length. Deep memories over φ* are not specified there.
 *
 * <p>State: keys and u of all tokens, as a cache of attention has. Cost of a token: {@code O(T)}, for each token of the window
 * again under SQUARED.
 */
public final class DotMemory implements Memory<DotMemory.State> {

    /** Tokens read at once where sums do not depend on each other. */
    private static final long CHUNK = 64;

    /** The loss, and how many tokens a step counts. */
    public record Config(Loss loss, long window) {

        /** DeepTransformer: every token is written once. */
        public static final Config DEEP_TRANSFORMER = new Config(Loss.DOT, 1);

        public Config {
            if (window < 1) {
                throw new IllegalArgumentException("dot memory: a window has at least one token, not " + window);
            }
        }

        /** Dot: every step mends what the last tokens find. */
        public static Config dot(long window) {
            return new Config(Loss.SQUARED, window);
        }
    }

    /** Keys {@code [B, H, T, K]} and sums u {@code [B, H, T, V]} of all tokens, values of the last {@code window - 1}. */
    public record State(Tensor keys, Tensor sums, Tensor values) {}

    private final DType dtype;
    private final long heads;
    private final long keySize;
    private final long valueSize;
    private final Config config;

    /** A memory for heads of these sizes; it has no parameters. */
    public DotMemory(DType dtype, long heads, long keySize, long valueSize, Config config) {
        this.dtype = dtype;
        this.heads = heads;
        this.keySize = keySize;
        this.valueSize = valueSize;
        this.config = config;
    }

    @Override
    public State start(long batch) {
        Tensor none = Tensor.zeros(dtype, Shape.of(batch, heads, 0, valueSize));
        return new State(Tensor.zeros(dtype, Shape.of(batch, heads, 0, keySize)), none, none);
    }

    /** The gates that are missing are 1; there is no momentum. */
    @Override
    public Step<State> forward(Tokens tokens, State past, Form form) {
        check(tokens, past);
        long time = tokens.time();
        long piece = form == Form.RECURRENT || config.loss == Loss.SQUARED ? 1 : CHUNK;
        List<Tensor> outputs = new ArrayList<>();
        State state = past;
        for (long t = 0; t < time; t += piece) {
            Step<State> step = advance(tokens.slice(t, Math.min(time, t + piece)), state);
            outputs.add(step.y());
            state = step.state();
        }
        return new Step<>(outputs.isEmpty() ? Tensor.zeros(dtype, tokens.v().shape()) : Tensor.concat(2, outputs), state);
    }

    /** Several tokens under DOT, whose sums do not depend on each other, or a single one. */
    private Step<State> advance(Tokens x, State past) {
        long before = past.keys.dim(2);
        long n = x.time();
        long seen = past.values.dim(2);
        Tensor keys = Tensor.concat(2, List.of(past.keys, x.k()));
        Tensor values = Tensor.concat(2, List.of(past.values, x.v()));
        Tensor recent = keys.slice(2, before - seen, before + n);

        // What a token adds to the sums of its window's tokens, carried on to the tokens after it.
        Tensor ones = Tensor.ones(dtype, x.q().shape().with(3, 1));
        Tensor band = Bands.diagonal(x.gamma() == null ? ones : x.gamma(), seen);
        band = x.rate() == null ? band : band.mul(Bands.column(x.rate()));
        Tensor shares = carried(band, x.retain());
        Tensor g = shares.slice(3, 0, seen + n);
        Tensor beta = shares.slice(3, seen + n, seen + n + 1);
        Tensor aims = config.loss == Loss.DOT ? values
                : values.sub(kernel(recent, past.keys).matmul(past.sums)).mul(2);

        Tensor y = kernel(x.q(), past.keys).matmul(past.sums).mul(beta).add(kernel(x.q(), recent).mul(g).matmul(aims));
        Tensor last = g.slice(2, n - 1, n).transpose();
        Tensor old = past.sums.mul(beta.slice(2, n - 1, n));
        Tensor added = aims.mul(last);
        Tensor sums = Tensor.concat(2, List.of(old.slice(2, 0, before - seen),
                old.slice(2, before - seen, before).add(added.slice(2, 0, seen)), added.slice(2, seen, seen + n)));
        long kept = Math.min(config.window - 1, seen + n);
        return new Step<>(y, new State(keys, sums, values.slice(2, seen + n - kept, seen + n)));
    }

    private Tensor kernel(Tensor a, Tensor keys) {
        return a.matmul(keys.transpose()).mul(1 / Math.sqrt(Math.max(1, keySize))).exp();
    }

    private void check(Tokens x, State past) {
        Shape q = x.q().shape();
        if (q.rank() != 4 || q.dim(1) != heads || q.dim(3) != keySize) {
            throw new ShapeException("dot memory: queries are [B, " + heads + ", T, " + keySize + "], not " + q + "\n  q: " + x.q().describe());
        }
        Bands.require("dot memory", "k", x.k(), q);
        Bands.require("dot memory", "v", x.v(), q.with(3, valueSize));
        Bands.gate("dot memory", "retain", x.retain(), q.drop(3), true);
        Bands.gate("dot memory", "rate", x.rate(), q.drop(3), true);
        Bands.gate("dot memory", "gamma", x.gamma(), q.with(3, config.window), config.window == 1);
        Bands.require("dot memory", "the state's keys", past.keys, q.with(2, past.keys.dim(2)));
        Bands.require("dot memory", "the state's sums", past.sums, q.with(2, past.keys.dim(2)).with(3, valueSize));
        Bands.require("dot memory", "the state's values", past.values,
                q.with(2, Math.min(config.window - 1, past.keys.dim(2))).with(3, valueSize));
    }
}
