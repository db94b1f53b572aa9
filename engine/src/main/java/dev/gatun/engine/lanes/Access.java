package dev.gatun.engine.lanes;

/** How a loop walks one input along a row. */
public enum Access {
    /** The same element every time. */
    REPEATED,
    /** Neighbours in memory. */
    DENSE,
    /** Elements a fixed distance apart. */
    STRIDED;

    /** The access of an axis with this stride, in elements. */
    static Access of(long stride) {
        return stride == 0 ? REPEATED : stride == 1 ? DENSE : STRIDED;
    }
}
