package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.Step;

/**
 * Memory as a gate (MAG): with persistent tokens P in front, {@code x̃ = [P; x]},
 *
 * <pre>
 * y = attention(x̃), windowed, P always seen        m = memory(x̃)        o = y ⊗ m, without the rows of P
 * </pre>
 *
 * Titans, equations 26 to 28, and ATLAS for its memories. Chunks of the memory count from the first persistent token. Our
 * reading: no convolution before the memory, and ⊗ is {@code rms(y) g_y ⊙ σ(rms(m) g_m)}.
 */
public final class MemoryAsGate implements SequenceLayer<MemoryAsGate.State> {

    /** The past of both branches, the persistent tokens included. */
    public record State(SoftmaxAttention.State attention, MemoryPath.State<FastMemory.State> memory) {}

    private final Persistent persistent;
    private final SoftmaxAttention attention;
    private final MemoryPath<FastMemory.State> memory;
    private final Gating gating;

    /**
     * A gated attention.
     *
     * @param window keys that a query sees besides the persistent ones; 0 for all
     * @param persistent how many persistent tokens
     */
    public MemoryAsGate(Params p, Setup setup, SoftmaxAttention.Config attention, long window, long persistent) {
        this.persistent = new Persistent(p, persistent, setup.width());
        this.attention = new SoftmaxAttention(p.at("attention"), attention.window(window, window == 0 ? 0 : persistent));
        this.memory = setup.path(p, 0);
        this.gating = new Gating(p, setup.width());
    }

    @Override
    public State start(long batch) {
        return new State(attention.start(batch), memory.start(batch));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        boolean first = past.attention.position() == 0;
        Tensor all = first ? persistent.before(x) : x;
        Step<MemoryPath.State<FastMemory.State>> m = memory.forward(all, past.memory, form);
        Step<SoftmaxAttention.State> y = attention.forward(all, past.attention, form);
        Tensor o = gating.of(y.y(), m.y());
        return new Step<>(first ? persistent.dropped(o) : o, new State(y.state(), m.state()));
    }
}
