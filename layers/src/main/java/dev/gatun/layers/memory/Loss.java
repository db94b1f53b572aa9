package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;

/** What a memory is trained on while it reads: that keys lead to values. */
public enum Loss {
    /** {@code ‖M(k) - v‖²}, the sum of squares: Titans, equation 12; ATLAS, equation 9. */
    SQUARED {
        @Override
        Tensor slope(Tensor y, Tensor v) {
            return y.sub(v).mul(2);
        }
    },
    /** {@code -<M(k), v>}: linear attention as a memory; DLA and SWLA, ATLAS, equations 19 to 26. */
    DOT {
        @Override
        Tensor slope(Tensor y, Tensor v) {
            return v.neg();
        }
    };

    /** Gradient with respect to the memory's answer y. */
    abstract Tensor slope(Tensor y, Tensor v);
}
