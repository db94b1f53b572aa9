package dev.gatun.layers;

import dev.gatun.engine.Key;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;

final class Draws {
    private Draws() {}

    static Tensor uniform(Key key, Spec spec) {
        double[] values = new double[(int) spec.shape().elements()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (key.word(i) >>> 11) * 0x1p-53;
        }
        return Tensor.of(spec.dtype(), spec.shape(), values);
    }

    static Tensor normal(Key key, Spec spec) {
        double[] values = new double[(int) spec.shape().elements()];
        for (int i = 0; i < values.length; i++) {
            double u = ((key.word(2L * i) >>> 11) + 1) * 0x1p-53;
            double v = (key.word(2L * i + 1) >>> 11) * 0x1p-53;
            values[i] = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
        }
        return Tensor.of(spec.dtype(), spec.shape(), values);
    }
}
