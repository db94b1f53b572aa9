package dev.gatun.layers.memory;

import dev.gatun.engine.Device;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import java.util.List;

/** Gates as matrices: what a token's step takes of each token of its window, and what is left of it later. */
final class Bands {

    private Bands() {}

    /** A gate as a column, {@code [B, H, T, 1]}. */
    static Tensor column(Tensor gate) {
        return gate.insertAxis(-1);
    }

    /**
     * Rows of a band: {@code gamma[t, j]} comes to column {@code before + t - j}. Rows one longer than what is wanted, read as rows
     * of that length, start one column later each.
     */
    static Tensor diagonal(Tensor gamma, long before) {
        Shape s = gamma.shape();
        long rows = s.dim(2);
        long window = s.dim(3);
        long columns = window - 1 + rows;
        Tensor padded = Tensor.concat(3, List.of(gamma.flip(3), Tensor.zeros(gamma.dtype(), s.with(3, rows))));
        return padded.reshape(s.dim(0), s.dim(1), rows * (columns + 1)).slice(2, 0, rows * columns)
                .reshape(s.dim(0), s.dim(1), rows, columns).slice(3, window - 1 - before, columns);
    }

    static void require(String op, String what, Tensor x, Shape shape) {
        if (!x.shape().equals(shape)) {
            throw new ShapeException(op + ": " + what + " must be " + shape + ", is " + x.shape() + "\n  " + what + ": " + x.describe());
        }
    }

    static void gate(String op, String what, Tensor gate, Shape shape, boolean optional) {
        if (gate == null) {
            if (!optional) {
                throw new IllegalArgumentException(op + ": the gate " + what + " is missing, it must be " + shape);
            }
            return;
        }
        require(op, what, gate, shape);
        // One sum tells: it is finite only when every number is.
        if (gate.device().equals(Device.cpu()) && !Double.isFinite(gate.detach().sum().item())) {
            double[] values = gate.toDoubles();
            int at = 0;
            while (at < values.length - 1 && Double.isFinite(values[at])) {
                at++;
            }
            throw new IllegalArgumentException(op + ": the gate " + what + " has " + values[at] + " at " + at
                    + ", gates are finite\n  " + what + ": " + gate.describe());
        }
    }
}
