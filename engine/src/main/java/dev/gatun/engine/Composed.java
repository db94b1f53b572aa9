package dev.gatun.engine;

import java.util.List;

/**
 * An op that other ops could compute, kept for speed. What it composes of is its reference, its
 * fallback where no kernel fits, and its gradient at every order, until a {@link #gradient} of its
 * own names a faster op, which is itself composed. So a hand-written backward kernel never ends
 * the chain of derivatives.
 */
public interface Composed extends Op {

    /** The outputs of this op, computed with other ops. */
    List<Tensor> compose(Tensor... in);

    @Override
    default List<Kernel> kernels() {
        return List.of();
    }

    @Override
    default List<Tensor> gradient(Backward b) {
        return b.through(this::compose);
    }
}
