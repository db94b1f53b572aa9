package dev.gatun.engine.lanes;

import java.lang.foreign.MemorySegment;

/** Adds multiples of rows of a matrix to rows of sums: how a product of few rows reads a matrix that lies by rows. */
public interface RowAdder {

    /**
     * Computes {@code sums[r, j] += x[r, 0] b[0, j]}, then {@code x[r, 1] b[1, j]} and so on, for the numbers of rows the
     * adder was made for. Elements of {@code x} are neighbours in a row, columns are neighbours everywhere.
     */
    void run(
            MemorySegment x, long xAt, long xRowBytes, MemorySegment b, long bAt, long bRowBytes,
            MemorySegment sums, long sumsAt, long sumsRowBytes, int columns);
}
