package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;

/** What a memory is trained on while it reads: that keys lead to values. */
public enum Loss {
    /** {@code ‖M(k) - v‖²}, the sum of squares: Titans, equation 12; ATLAS, equation 9. */
    SQUARED {
        @Override
        Tensor sum(Tensor y, Tensor v) {
            return y.sub(v).square().sum();
        }

        @Override
        Tensor slope(Tensor y, Tensor v) {
            return y.sub(v).mul(2);
        }
    },
    /** {@code -<M(k), v>}: linear attention as a memory; DLA and SWLA, ATLAS, equations 19 to 26. */
    DOT {
        @Override
        Tensor sum(Tensor y, Tensor v) {
            return y.mul(v).sum().neg();
        }

        @Override
        Tensor slope(Tensor y, Tensor v) {
            return v.neg();
        }
    };

    /** The losses of all answers, in one number. */
    abstract Tensor sum(Tensor y, Tensor v);

    /** Gradient with respect to the memory's answer y. */
    abstract Tensor slope(Tensor y, Tensor v);
}
