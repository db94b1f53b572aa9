package dev.gatun.layers;

import static dev.gatun.ops.Activations.swiglu;

import dev.gatun.engine.Tensor;

/** A gated feed-forward: {@code down(silu(gate x) * (up x))}. Shazeer 2020, arXiv 2002.05202. */
public final class SwiGlu {

    private final Linear gate;
    private final Linear up;
    private final Linear down;

    /** With this many hidden features, see {@link #hidden}. */
    public SwiGlu(Params p, long width, long hidden) {
        this.gate = new Linear(p.at("gate"), width, hidden);
        this.up = new Linear(p.at("up"), width, hidden);
        this.down = new Linear(p.at("down"), hidden, width);
    }

    /**
     * The usual number of hidden features, rounded up to a multiple: 8/3 of the width, so that three
     * matrices have as many numbers as two of a plain feed-forward with 4 times the width.
     */
    public static long hidden(long width, long multiple) {
        return Math.ceilDiv(Math.ceilDiv(8 * width, 3), multiple) * multiple;
    }

    /** The result for each vector on the last axis. */
    public Tensor forward(Tensor x) {
        return down.forward(swiglu(gate.forward(x), up.forward(x)));
    }
}
