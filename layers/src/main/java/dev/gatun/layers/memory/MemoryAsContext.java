package dev.gatun.layers.memory;

import dev.gatun.autograd.Autograd;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.Step;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory as a context (MAC): for each segment {@code x_s} of n tokens, with persistent tokens P,
 *
 * <pre>
 * h = M(q(x_s); W_{s-1})                 what the memory says, read only
 * y = the last rows of attention([P; h; x_s])
 * W_s = the memory after the tokens of y; momentum goes on, chunks start anew at the segment
 * o = y ⊗ M(q(y); W_s)
 * </pre>
 *
 * Titans, equations 21 to 25. Our readings: only the segment's own rows of the attention are kept; q is the memory's own query;
 * no convolutions; ⊗ as in {@link MemoryAsGate}; and that a token's gradient holds its key and value for given, for which
 * {@link Surprise} has the other reading.
 *
 * <p>A token sees what the memory says about the whole segment, and what the whole segment made of the memory. So this layer
 * looks ahead inside a segment and never beyond it: the laws of causality and of cutting hold at the borders of segments. In an
 * unfinished segment a token sees what was read so far; more tokens of it bring their own outputs and change none that was given
 * out. Forms differ in nothing but what they are given at once. It is for reading whole segments, not for predicting the next token.
 */
public final class MemoryAsContext implements SequenceLayer<MemoryAsContext.State> {

    /** What a token's surprise is the gradient of, with respect to the weights {@code W_{s-1}} that its segment begins with. */
    public enum Surprise {
        /** The loss {@code ℓ(W; k, v)} of a key and a value that are given, as in every other arrangement. */
        GIVEN,
        /**
         * The loss as a function of {@code W_{s-1}} alone. For keys and values are made from y, which the attention made from
         * {@code h = M(q(x); W_{s-1})}: the memory also moves so that what it says makes better tokens. The losses of all heads
         * are added up. It is so where the anchor is {@code W_{s-1}}, for the segment's first chunk; a later chunk's keys and
         * values do not depend on its anchor. Costs an attention more for each token of that chunk. For steps that are sums of
         * gradients, not for Newton-Schulz.
         */
        THROUGH_CONTEXT
    }

    /** The memory at the start of the segment, and the tokens {@code [B, m, D]} of the unfinished segment. */
    public record State(MemoryPath.State<FastMemory.State> memory, Tensor tokens) {}

    /** Outputs, the state, and the memory with an unfinished segment written too. */
    public record Read(Tensor y, State state, FastMemory.State memory) {}

    private final long width;
    private final long segment;
    private final Persistent persistent;
    private final SoftmaxAttention attention;
    private final MemoryPath<FastMemory.State> path;
    private final FastMemory memory;
    private final Gating gating;
    private final Surprise surprise;

    /** An attention whose context is a memory, surprised by tokens as they are given. */
    public MemoryAsContext(Params p, Setup setup, SoftmaxAttention.Config attention, long segment, long persistent) {
        this(p, setup, attention, segment, persistent, Surprise.GIVEN);
    }

    /**
     * An attention whose context is a memory.
     *
     * @param segment tokens of a segment
     * @param persistent how many persistent tokens
     * @param surprise what inner gradients follow
     */
    public MemoryAsContext(Params p, Setup setup, SoftmaxAttention.Config attention, long segment, long persistent, Surprise surprise) {
        if (segment < 1) {
            throw new IllegalArgumentException("memory: a segment has at least one token, not " + segment);
        }
        if (surprise == Surprise.THROUGH_CONTEXT && setup.memory().rule().orthogonal()) {
            throw new IllegalArgumentException("memory: surprise THROUGH_CONTEXT is for steps that are sums of gradients, not for rule "
                    + setup.memory().rule());
        }
        this.surprise = surprise;
        this.width = setup.width();
        this.segment = segment;
        this.persistent = new Persistent(p, persistent, width);
        this.attention = new SoftmaxAttention(p.at("attention"), attention);
        this.path = setup.path(p, 0);
        this.memory = (FastMemory) path.memory();
        this.gating = new Gating(p, width);
    }

    @Override
    public State start(long batch) {
        MemoryPath.State<FastMemory.State> start = path.start(batch);
        return new State(start, Tensor.zeros(start.queries().dtype(), Shape.of(batch, 0, width)));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        Read read = read(x, past, form);
        return new Step<>(read.y, read.state);
    }

    /** The outputs with everything they leave behind. */
    public Read read(Tensor x, State past, Form form) {
        if (x.shape().rank() != 3 || x.dim(2) != width) {
            throw new ShapeException("memory: tokens are [B, T, " + width + "], not " + x.shape() + "\n  x: " + x.describe());
        }
        long waiting = past.tokens.dim(1);
        if (past.tokens.dim(0) != x.dim(0) || waiting >= segment) {
            throw new ShapeException("memory: the state has " + waiting + " tokens of a batch of " + past.tokens.dim(0)
                    + ", less than " + segment + " of a batch of " + x.dim(0) + " are wanted\n  x: " + x.describe());
        }
        Tensor all = Tensor.concat(1, List.of(past.tokens, x));
        List<Tensor> outputs = new ArrayList<>(List.of(x.slice(1, 0, 0)));
        MemoryPath.State<FastMemory.State> state = past.memory;
        MemoryPath.State<FastMemory.State> written = state;
        long from = 0;
        while (from < all.dim(1)) {
            long to = Math.min(from + segment, all.dim(1));
            Step<MemoryPath.State<FastMemory.State>> one = segment(all.slice(1, from, to), state, form);
            outputs.add(from == 0 ? one.y().slice(1, waiting, to) : one.y());
            written = one.state();
            if (to - from < segment) {
                break;
            }
            state = written;
            from = to;
        }
        return new Read(Tensor.concat(1, outputs), new State(state, all.slice(1, from, all.dim(1))), written.memory());
    }

    private Step<MemoryPath.State<FastMemory.State>> segment(Tensor x, MemoryPath.State<FastMemory.State> past, Form form) {
        FastMemory.State m = past.memory();
        MemoryPath.State<FastMemory.State> state = new MemoryPath.State<>(past.queries(), past.keys(), past.values(),
                new FastMemory.State(m.weights(), m.momentum(), m.keys(), m.values()));
        long n = x.dim(1);
        Tensor h = merged(memory.read(path.queries(x), m));
        Tensor y = last(seen(h, x), n);
        long through = surprise == Surprise.GIVEN ? 0 : Math.min(n, memory.config().chunk());
        if (through > 0) {
            Tensor first = y.slice(1, 0, through);
            MemoryPath.State<FastMemory.State> written = path.forward(first, state, form).state();
            FastMemory.State moved = memory.added(written.memory(), path.tokens(first), state.memory(), path.queries(x), pulls(h, x, m, through));
            state = new MemoryPath.State<>(written.queries(), written.keys(), written.values(), moved);
        }
        if (through < n) {
            state = path.forward(y.slice(1, through, n), state, form).state();
        }
        return new Step<>(gating.of(y, merged(memory.read(path.queries(y), state.memory()))), state);
    }

    /** What attention makes of the persistent tokens, h and x. */
    private Tensor seen(Tensor h, Tensor x) {
        return attention.forward(persistent.before(Tensor.concat(1, List.of(h, x))), attention.start(x.dim(0)), Form.PARALLEL).y();
    }

    /**
     * How the loss of each of the first tokens depends on each of the segment's {@code h}: {@code [B, H, count, n, K]}. Each token has
     * a copy of the segment to itself, and of its rows only its own.
     */
    private Tensor pulls(Tensor h, Tensor x, FastMemory.State m, long count) {
        long b = x.dim(0);
        long n = x.dim(1);
        Tensor copies = copies(h, count);
        copies = copies.tracked() ? copies : copies.track();
        Tensor rows = last(seen(copies, copies(x, count)), n).slice(1, 0, count).reshape(Shape.of(b, count, count, width));
        Tensor own = Bands.diagonal(Tensor.ones(x.dtype(), Shape.of(1, 1, count, 1)), 0).reshape(Shape.of(1, count, count, 1));
        Memory.Tokens tokens = path.tokens(rows.mul(own).sum(2));
        Tensor losses = memory.losses(tokens.k(), tokens.v(), m);
        Tensor pulls = h.tracked() ? Autograd.differentiableGrad(losses, copies) : Autograd.grad(losses, copies);
        long heads = tokens.q().dim(1);
        return pulls.reshape(Shape.of(b, count, n, heads, width / heads)).permute(0, 3, 1, 2, 4);
    }

    /** {@code [B, T, D] -> [B count, T, D]}. */
    private static Tensor copies(Tensor x, long count) {
        return x.insertAxis(1).expand(x.shape().insert(1, count)).reshape(Shape.of(x.dim(0) * count, x.dim(1), x.dim(2)));
    }

    private static Tensor last(Tensor x, long count) {
        return x.slice(1, x.dim(1) - count, x.dim(1));
    }

    /** {@code [B, H, T, K] -> [B, T, H K]}. */
    private static Tensor merged(Tensor x) {
        return x.swap(1, 2).reshape(x.dim(0), x.dim(2), x.dim(1) * x.dim(3));
    }
}
