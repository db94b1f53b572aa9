package dev.gatun.layers.memory;

import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Init;
import dev.gatun.layers.Params;
import java.util.List;

/** Learned tokens in front of every sequence: what is known before anything is read. Titans, section 3.3. */
final class Persistent {

    private final Tensor tokens;
    private final long count;
    private final long width;

    Persistent(Params p, long count, long width) {
        if (count < 0) {
            throw new IllegalArgumentException("memory: persistent tokens must not be negative, are " + count);
        }
        this.count = count;
        this.width = width;
        this.tokens = count == 0 ? null : p.make("persistent", Shape.of(count, width), Init.normal(0.02));
    }

    /** These tokens, then x {@code [B, T, D]}. */
    Tensor before(Tensor x) {
        if (x.shape().rank() != 3 || x.dim(2) != width) {
            throw new ShapeException("memory: x must be [B, T, " + width + "], is " + x.shape() + "\n  x: " + x.describe());
        }
        return count == 0 ? x : Tensor.concat(1, List.of(tokens.expand(tokens.shape().insert(0, x.dim(0))), x));
    }

    /** What belongs to x. */
    Tensor dropped(Tensor y) {
        return count == 0 ? y : y.slice(1, count, y.dim(1));
    }

    long count() {
        return count;
    }
}
