package dev.gatun.engine.algebra;

import dev.gatun.engine.Shape;

/** A shape as three sizes: what lies in front of a run of axes, inside it, and behind it. */
record Runs(long outer, long size, long inner) {

    /** The run of axes {@code from, …, to - 1}. */
    static Runs of(Shape shape, int from, int to) {
        long[] product = {1, 1, 1};
        for (int axis = 0; axis < shape.rank(); axis++) {
            product[axis < from ? 0 : axis < to ? 1 : 2] *= shape.dim(axis);
        }
        return new Runs(product[0], product[1], product[2]);
    }

    /** The run of a single axis. */
    static Runs of(Shape shape, int axis) {
        return of(shape, shape.axis(axis), shape.axis(axis) + 1);
    }
}
