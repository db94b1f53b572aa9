package dev.gatun.engine.lanes;

import java.lang.foreign.MemorySegment;

/**
 * A small product of packed matrices whose result stays in registers until it is done: the innermost loop of every
 * large matrix product.
 */
public interface Tile {

    /**
     * Computes {@code c[r, j] = sum over s < steps of a[r, s] b[s, j]} for the rows and columns the tile was made for. The sum runs over {@code s} in order, one fused multiply-add at a time, whatever
     * the width of a vector.
     *
     * @param a rows {@link Tiles#STEPS} elements apart; the block must reach that far even where {@code steps} is less
     * @param b steps one panel apart, likewise
     * @param cRowBytes how far rows of {@code c} are apart
     * @param steps at most {@link Tiles#STEPS}
     * @param adds whether the sum is added to what {@code c} holds instead of replacing it
     */
    void run(
            MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment c, long cAt, long cRowBytes, int steps,
            boolean adds);
}
