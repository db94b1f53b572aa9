package dev.gatun.layers.memory;

import static dev.gatun.ops.Activations.silu;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Linear;
import dev.gatun.layers.Params;
import dev.gatun.layers.RmsNorm;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.Step;

/**
 * A memory as the only mixer of a block: {@code y = W_o (rms(m) w ⊙ silu(W_g x))}, where m is what the heads of the memory find
 * and the norm is each head's own. Titans, section 4.4 (norm and gate before the output's projection); how its parts are
 * put together is our reading.
 *
 * @param <S> the memory's state
 */
public final class MemoryLayer<S> implements SequenceLayer<MemoryPath.State<S>> {

    /** Taps of the convolutions behind the projections. */
    static final long TAPS = 4;

    private final long heads;
    private final MemoryPath<S> path;
    private final RmsNorm norm;
    private final Linear gate;
    private final Linear out;

    private MemoryLayer(Params p, long width, long heads, MemoryPath<S> path) {
        this.heads = heads;
        this.path = path;
        this.norm = new RmsNorm(p.at("norm"), width / heads);
        this.gate = new Linear(p.at("gate"), width, width);
        this.out = new Linear(p.at("out"), width, width);
    }

    /** A memory whose weights are trained while it reads. */
    public static MemoryLayer<FastMemory.State> of(Params p, Setup setup) {
        return new MemoryLayer<>(p, setup.width(), setup.heads(), setup.path(p, setup.taps()));
    }

    /** A memory over the exponential map. */
    public static MemoryLayer<DotMemory.State> of(Params p, long width, long heads, double most, DotMemory.Config config) {
        return new MemoryLayer<>(p, width, heads, new MemoryPath<>(p, width, heads, TAPS, config.window(), most, false,
                (q, h, size) -> new DotMemory(q.dtype(), h, size, size, config)));
    }

    @Override
    public MemoryPath.State<S> start(long batch) {
        return path.start(batch);
    }

    @Override
    public Step<MemoryPath.State<S>> forward(Tensor x, MemoryPath.State<S> past, Form form) {
        Step<MemoryPath.State<S>> found = path.forward(x, past, form);
        Tensor parts = norm.forward(found.y().reshape(x.dim(0), x.dim(1), heads, x.dim(2) / heads)).reshape(x.shape());
        return new Step<>(out.forward(parts.mul(silu(gate.forward(x)))), found.state());
    }
}
