package dev.gatun.layers.memory;

import static dev.gatun.layers.Inside.named;
import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.sequence.CausalConv.causalConv;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Init;
import dev.gatun.layers.Linear;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.Step;
import dev.gatun.ops.sequence.CausalConv;

/**
 * A memory with what it is written and read with: of a token x,
 *
 * <pre>
 * q, k, v = silu(conv(W x)), split into heads, q and k of length 1
 * r = 1 - σ(w_f x + b_f)      μ = σ(w_m x + b_m)      λ = most σ(w_λ x + b_λ)      γ = σ(W_γ x + b_γ)      for each head
 * </pre>
 *
 * Titans, section 4.4, for convolution, SiLU and length; that gates are made like this, one number a head, with these biases
 * at the start (-3, 1, -2, and 0 for γ), is our reading. Output is what the memory's heads find, side by side.
 *
 * @param <S> the memory's state
 */
public final class MemoryPath<S> implements SequenceLayer<MemoryPath.State<S>> {

    /**
     * The past: the last inputs of the convolutions {@code [B, taps - 1, D]}, and the memory's own state.
     *
     * @param <S> the memory's state
     */
    public record State<S>(Tensor queries, Tensor keys, Tensor values, S memory) {}

    /** Makes the memory for heads of a size. */
    @FunctionalInterface
    interface Maker<S> {
        Memory<S> make(Params p, long heads, long size);
    }

    private final DType dtype;
    private final long width;
    private final long heads;
    private final long taps;
    private final double most;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Tensor queryFilter;
    private final Tensor keyFilter;
    private final Tensor valueFilter;
    private final Gate forget;
    private final Gate momentum;
    private final Gate rate;
    private final Gate gamma;
    private final Memory<S> memory;

    /** {@code σ(W x + b)}, some numbers a head. */
    private static final class Gate {
        private final Tensor weight;
        private final Tensor bias;

        Gate(Params p, long width, long count, double start) {
            weight = p.weight("weight", width, count);
            bias = p.make("bias", Shape.of(count), Init.constant(start));
        }

        /** {@code [B, T, D]} to {@code [B, count, T]}. */
        Tensor forward(Tensor x) {
            return x.matmul(weight.transpose()).add(bias).sigmoid().swap(1, 2);
        }
    }

    /**
     * A path for tokens of this width.
     *
     * @param taps of the convolutions; 0 for none
     * @param window tokens whose losses a step counts, each with a gate γ of its own; 0 for a memory without γ
     * @param most what the rate comes up to
     * @param moving whether there is a momentum
     */
    MemoryPath(Params p, long width, long heads, long taps, long window, double most, boolean moving, Maker<S> maker) {
        if (heads < 1 || width % heads != 0) {
            throw new IllegalArgumentException("memory: a width of " + width + " does not divide into " + heads + " heads");
        }
        this.dtype = p.dtype();
        this.width = width;
        this.heads = heads;
        this.taps = taps;
        this.most = most;
        this.query = new Linear(p.at("query"), width, width);
        this.key = new Linear(p.at("key"), width, width);
        this.value = new Linear(p.at("value"), width, width);
        this.queryFilter = filter(p, "query_conv");
        this.keyFilter = filter(p, "key_conv");
        this.valueFilter = filter(p, "value_conv");
        this.forget = new Gate(p.at("forget"), width, heads, -3);
        this.momentum = moving ? new Gate(p.at("momentum"), width, heads, 1) : null;
        this.rate = new Gate(p.at("rate"), width, heads, -2);
        this.gamma = window == 0 ? null : new Gate(p.at("gamma"), width, heads * window, 0);
        this.memory = maker.make(p.at("memory"), heads, width / heads);
    }

    private Tensor filter(Params p, String name) {
        return taps == 0 ? null : p.at(name).make("weight", Shape.of(width, taps), Init.uniform(1 / Math.sqrt(taps)));
    }

    @Override
    public State<S> start(long batch) {
        Tensor none = Tensor.zeros(dtype, Shape.of(batch, Math.max(0, taps - 1), width));
        return new State<>(none, none, none, memory.start(batch));
    }

    Memory<S> memory() {
        return memory;
    }

    /** Queries {@code [B, H, T, K]} alone, of a path without convolutions. */
    Tensor queries(Tensor x) {
        return split(l2Norm(parts(silu(query.forward(x)))));
    }

    @Override
    public Step<State<S>> forward(Tensor x, State<S> past, Form form) {
        if (x.shape().rank() != 3 || x.dim(2) != width) {
            throw new ShapeException("memory: tokens are [B, T, " + width + "], not " + x.shape() + "\n  x: " + x.describe());
        }
        if (past.queries.dim(0) != x.dim(0)) {
            throw new ShapeException("memory: the state is of a batch of " + past.queries.dim(0) + ", x of " + x.dim(0)
                    + "\n  x: " + x.describe());
        }
        CausalConv.Result q = filtered(query.forward(x), queryFilter, past.queries);
        CausalConv.Result k = filtered(key.forward(x), keyFilter, past.keys);
        CausalConv.Result v = filtered(value.forward(x), valueFilter, past.values);
        Memory.Tokens tokens = tokens(x, q.y(), k.y(), v.y());
        named("retain, what the memory keeps", tokens.retain());
        if (momentum != null) {
            named("momentum, what past surprise goes on", tokens.momentum());
        }
        named("rate, how much is written", tokens.rate());
        if (tokens.gamma() != null) {
            named("gamma, how each last token counts", tokens.gamma());
        }
        Step<S> found = memory.forward(tokens, past.memory, form);
        Tensor y = found.y().swap(1, 2).reshape(x.shape());
        return new Step<>(y, new State<>(q.state(), k.state(), v.state(), found.state()));
    }

    /** What is written and read of tokens x, on a path without convolutions. */
    Memory.Tokens tokens(Tensor x) {
        return tokens(x, silu(query.forward(x)), silu(key.forward(x)), silu(value.forward(x)));
    }

    private Memory.Tokens tokens(Tensor x, Tensor q, Tensor k, Tensor v) {
        Tensor counts = gamma == null ? null : gamma.forward(x);
        return new Memory.Tokens(split(l2Norm(parts(q))), split(l2Norm(parts(k))), split(parts(v)),
                // 1 - σ(z) is σ(-z), but written so that a gate of 1 forgets nothing at all
                forget.forward(x).neg().add(1), momentum == null ? null : momentum.forward(x), rate.forward(x).mul(most),
                counts == null ? null : counts.reshape(x.dim(0), heads, counts.dim(1) / heads, x.dim(1)).swap(2, 3));
    }

    private static CausalConv.Result filtered(Tensor x, Tensor filter, Tensor past) {
        return filter == null ? new CausalConv.Result(silu(x), past) : causalConv(x, filter, null, past, true);
    }

    /** {@code [B, T, H K] -> [B, T, H, K]}. */
    private Tensor parts(Tensor x) {
        return x.reshape(x.dim(0), x.dim(1), heads, width / heads);
    }

    /** {@code [B, T, H, K] -> [B, H, T, K]}. */
    private static Tensor split(Tensor x) {
        return x.swap(1, 2);
    }
}
