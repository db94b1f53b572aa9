package dev.gatun.engine.lanes;

import java.lang.foreign.MemorySegment;

/** Turns square blocks, one vector long and wide, from rows into columns without leaving the registers. */
public interface Transposer {

    /**
     * Writes {@code to[j, i] = from[i, j]} for each of {@code blocks} blocks.
     *
     * @param fromRowBytes how far the rows of a block are apart
     * @param fromBlockBytes how far the first elements of two blocks are apart
     */
    void run(
            MemorySegment from, long fromAt, long fromRowBytes, long fromBlockBytes,
            MemorySegment to, long toAt, long toRowBytes, long toBlockBytes, int blocks);
}
