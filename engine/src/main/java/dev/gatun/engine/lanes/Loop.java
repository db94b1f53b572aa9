package dev.gatun.engine.lanes;

import java.lang.foreign.MemorySegment;

/**
 * An emitted elementwise loop. Blocks are the inputs followed by the outputs; an output may be the memory of an input
 * it matches element for element. An element's value depends on nothing but the inputs' elements: not on where in the
 * row it sits, nor on the vector width.
 */
public interface Loop {

    /**
     * Computes {@code rows} rows of {@code n} elements.
     *
     * @param blocks inputs, then outputs; native memory
     * @param byteOffsets where each block's first row starts
     * @param rowBytes how far a block's rows are apart, 0 for one that is repeated
     * @param strides elements between neighbours, read for STRIDED inputs
     * @param parameters the numbers that {@link Expr#parameter} names
     */
    void run(
            MemorySegment[] blocks, long[] byteOffsets, long[] rowBytes, long[] strides, double[] parameters,
            int rows, int n);

    /** Computes one row of {@code n} elements. */
    default void run(MemorySegment[] blocks, long[] byteOffsets, long[] strides, double[] parameters, int n) {
        run(blocks, byteOffsets, new long[blocks.length], strides, parameters, 1, n);
    }
}
