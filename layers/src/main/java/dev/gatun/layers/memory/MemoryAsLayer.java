package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.Step;

/**
 * Memory as a layer (MAL): {@code o = attention(memory([P; x]))} with a plain window and persistent tokens P, whose rows are
 * dropped. Titans, equations 29 to 31, and ATLAS for its memories. Our reading: no convolution before the memory.
 */
public final class MemoryAsLayer implements SequenceLayer<MemoryAsLayer.State> {

    /** The past of both layers, the persistent tokens included. */
    public record State(MemoryPath.State<FastMemory.State> memory, SoftmaxAttention.State attention) {}

    private final Persistent persistent;
    private final MemoryPath<FastMemory.State> memory;
    private final SoftmaxAttention attention;

    /**
     * A memory below an attention.
     *
     * @param window keys that a query sees; 0 for all
     * @param persistent how many persistent tokens
     */
    public MemoryAsLayer(Params p, Setup setup, SoftmaxAttention.Config attention, long window, long persistent) {
        this.persistent = new Persistent(p, persistent, setup.width());
        this.memory = setup.path(p, 0);
        this.attention = new SoftmaxAttention(p.at("attention"), attention.window(window, 0));
    }

    @Override
    public State start(long batch) {
        return new State(memory.start(batch), attention.start(batch));
    }

    @Override
    public Step<State> forward(Tensor x, State past, Form form) {
        boolean first = past.attention.position() == 0;
        Step<MemoryPath.State<FastMemory.State>> m = memory.forward(first ? persistent.before(x) : x, past.memory, form);
        Step<SoftmaxAttention.State> o = attention.forward(m.y(), past.attention, form);
        return new Step<>(first ? persistent.dropped(o.y()) : o.y(), new State(m.state(), o.state()));
    }
}
