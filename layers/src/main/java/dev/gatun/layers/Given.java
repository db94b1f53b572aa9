package dev.gatun.layers;

import dev.gatun.engine.Device;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;

/** Refuses what a layer is given and cannot use, with the layer's name, the argument and both values. */
final class Given {

    private Given() {}

    /** Tokens must be {@code [B, T, width]}. */
    static void tokens(String layer, Tensor x, long width) {
        if (x.shape().rank() != 3) {
            throw new ShapeException(layer + ": x is [B, T, D], three axes and not " + x.shape().rank() + "\n  x: " + x.describe());
        }
        if (x.dim(2) != width) {
            throw new ShapeException(layer + ": x has " + x.dim(2) + " features, the layer has " + width + "\n  x: " + x.describe());
        }
    }

    /** Part of a state must have the shape that these tokens need: one of another batch or another layer has not. */
    static void state(String layer, String part, Tensor state, Shape shape, Tensor x) {
        if (!state.shape().equals(shape)) {
            throw new ShapeException(layer + ": the state's " + part + " is " + state.shape() + ", for x " + x.shape() + " it must be " + shape
                    + "\n  x: " + x.describe() + "\n  " + part + ": " + state.describe());
        }
    }

    /**
     * A gate must be finite: one that is not would spoil the state for all tokens to come. One sum tells,
     * so that this costs next to nothing. Of a gate on another device nothing is asked, since an answer would stop
     * that device until it has done all it was given.
     */
    static void gate(String layer, String gate, Tensor values) {
        if (!values.device().equals(Device.cpu()) || Double.isFinite(values.detach().sum().item())) {
            return;
        }
        double[] all = values.toDoubles();
        for (int i = 0; i < all.length; i++) {
            if (!Double.isFinite(all[i])) {
                throw new IllegalArgumentException(layer + ": the gate " + gate + " is " + all[i] + " at " + i + " of " + values.shape()
                        + ", a finite number is needed\n  " + gate + ": " + values.describe());
            }
        }
    }
}
