package dev.gatun.layers;

import dev.gatun.engine.Key;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;

/** Where a parameter starts: a fresh value drawn with a key that belongs to the parameter's name. */
@FunctionalInterface
public interface Init {

    /** A value of this spec; the same for the same key. */
    Tensor draw(Key key, Spec spec);

    /** Normal numbers with mean 0 and this standard deviation. */
    static Init normal(double deviation) {
        return (key, spec) -> Random.normal(key, spec.dtype(), spec.shape()).mul(deviation);
    }

    /** Numbers spread evenly over {@code [-bound, bound)}. */
    static Init uniform(double bound) {
        return (key, spec) -> Random.uniform(key, spec.dtype(), spec.shape(), -bound, bound);
    }

    /** The same number everywhere. */
    static Init constant(double value) {
        return (key, spec) -> Tensor.full(spec.dtype(), spec.shape(), value);
    }

    /** Ones. */
    static Init ones() {
        return constant(1);
    }

    /** Zeros. */
    static Init zeros() {
        return constant(0);
    }
}
