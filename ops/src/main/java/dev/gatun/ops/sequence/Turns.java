package dev.gatun.ops.sequence;

import dev.gatun.engine.lanes.Lanes;
import jdk.incubator.vector.VectorShuffle;

/** Lanes moved round by 8, 4 and 2, for sums across lanes that are always taken in this order. Only touched where vectors are. */
final class Turns {

    static final VectorShuffle<Float> TURN_8 = turn(8);
    static final VectorShuffle<Float> TURN_4 = turn(4);
    static final VectorShuffle<Float> TURN_2 = turn(2);

    private Turns() {}

    private static VectorShuffle<Float> turn(int lanes) {
        return VectorShuffle.fromOp(Lanes.F32, i -> (i + lanes) % Lanes.F32.length());
    }
}
